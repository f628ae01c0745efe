"""`tutelage token`: a bearer token signed with JWT_SECRET or a private key, for trying things out and for scripts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cli.run_file import PositiveNumber
from config.jwt_keys import strong_key
from config.settings import Settings, settings

MAX_HOURS = 10 * 365 * 24  # ten years


@click.command()
@click.option("--user", type=click.UUID, metavar="ID", help="The user to speak as.")
@click.option("--mentor", type=click.UUID, metavar="ID", help="The user's mentor profile, to act as a mentor.")
@click.option("--operator", is_flag=True, help="Act as an operator, who needs no row in users.")
@click.option("--subject", default="operator", show_default=True, help="The operator's name, kept in the audit.")
@click.option("--hours", type=PositiveNumber(MAX_HOURS), default=12, show_default=True)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A private key in PEM to sign with, where JWT_PUBLIC_KEY or JWT_JWKS_URL verifies tokens.",
)
@click.option("--key-id", help="The name of that key in the JWK Set.")
def token(
    user: object, mentor: object, operator: bool, subject: str, hours: float, key: Path | None, key_id: str | None
) -> None:
    """Print a token: `tutelage token --user ID [--mentor ID]` or `tutelage token --operator`."""
    if operator == bool(user) or (operator and mentor):
        raise click.UsageError("Give either --user ID (with --mentor ID for a mentor), or --operator.")
    claims: dict[str, Any] = {"sub": subject, "roles": ["operator"]} if operator else {"sub": str(user), "roles": []}
    if mentor:
        claims["mentor_profile_id"] = str(mentor)
    chosen = settings()
    if key is None and (chosen.jwt_public_key or chosen.jwt_jwks_url):
        raise click.UsageError(
            "JWT_PUBLIC_KEY or JWT_JWKS_URL is set, so that JWT_SECRET verifies nothing: ask the identity provider for"
            " a token, or sign one with --key FILE."
        )
    click.echo(sign(claims, lifetime=timedelta(hours=hours), settings=chosen, key=key, key_id=key_id))


def sign(
    claims: dict[str, Any],
    *,
    lifetime: timedelta,
    settings: Settings,
    key: Path | None = None,
    key_id: str | None = None,
) -> str:
    """Sign claims as this installation's API accepts them.

    Args:
        claims: `sub`, `roles`, `mentor_profile_id`.
        lifetime: from now on.
        settings: whose secret, audience and issuer to use.
        key: the file of a private key to sign with instead of the secret.
        key_id: the name of that key.
    """
    now = datetime.now(UTC)
    expected = {"aud": settings.jwt_audience, "iss": settings.jwt_issuer}
    content = {
        **claims,
        **{name: value for name, value in expected.items() if value},
        "iat": now,
        "exp": now + lifetime,
    }
    if key is None:
        return jwt.encode(content, str(settings.jwt_secret), algorithm="HS256")
    try:
        private: Any = load_pem_private_key(key.read_bytes(), password=None)
        algorithm = strong_key(private.public_key()).algorithm
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise click.UsageError(f"{key} holds no private key that can be used: {error}") from error
    return jwt.encode(content, private, algorithm=algorithm, headers={"kid": key_id} if key_id else None)
