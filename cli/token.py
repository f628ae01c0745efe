"""`tutelage token`: a bearer token signed with JWT_SECRET, for trying things out and for scripts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import jwt

from cli.run_file import PositiveNumber
from config.settings import Settings, settings

MAX_HOURS = 10 * 365 * 24  # ten years


@click.command()
@click.option("--user", type=click.UUID, metavar="ID", help="The user to speak as.")
@click.option("--mentor", type=click.UUID, metavar="ID", help="The user's mentor profile, to act as a mentor.")
@click.option("--operator", is_flag=True, help="Speak as an operator, who needs no row in users.")
@click.option("--subject", default="operator", show_default=True, help="The operator's name, kept in the audit.")
@click.option("--hours", type=PositiveNumber(MAX_HOURS), default=12, show_default=True)
def token(user: object, mentor: object, operator: bool, subject: str, hours: float) -> None:
    """Print a token: `tutelage token --user ID [--mentor ID]` or `tutelage token --operator`."""
    if operator == bool(user) or (operator and mentor):
        raise click.UsageError("Give either --user ID (with --mentor ID for a mentor), or --operator.")
    claims: dict[str, Any] = {"sub": subject, "roles": ["operator"]} if operator else {"sub": str(user), "roles": []}
    if mentor:
        claims["mentor_profile_id"] = str(mentor)
    click.echo(sign(claims, lifetime=timedelta(hours=hours), settings=settings()))


def sign(claims: dict[str, Any], *, lifetime: timedelta, settings: Settings) -> str:
    """Sign claims as this installation's API accepts them.

    Args:
        claims: `sub`, `roles`, `mentor_profile_id`.
        lifetime: from now on.
        settings: whose secret, audience and issuer to use.
    """
    now = datetime.now(UTC)
    expected = {"aud": settings.jwt_audience, "iss": settings.jwt_issuer}
    content = {
        **claims,
        **{name: value for name, value in expected.items() if value},
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(content, settings.jwt_secret, algorithm="HS256")
