"""`tutelage vapid`: a fresh key for Web Push, as lines for .env."""

import click

from config.vapid import new_private_key, vapid


@click.command(name="vapid")
@click.option(
    "--subject", default="mailto:operators@tutelage.example", show_default=True, help="Where you are reached."
)
def make_vapid_key(subject: str) -> None:
    """Print a fresh VAPID_PRIVATE_KEY. Browsers that have subscribed under another key get no further messages."""
    key = new_private_key()
    try:
        made = vapid(key, subject)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    assert made is not None
    click.echo(f"VAPID_PRIVATE_KEY={key}\nVAPID_SUBJECT={subject}\n# The public key is {made.public_key}")
