"""Who may read the figures where everybody can ask for them: whoever has the token; in development, this machine."""

from __future__ import annotations

from ipaddress import ip_address

from flask import Request

from api.errors import SENTENCES
from config.exposition import bears
from config.settings import Settings
from workflows.errors import NotFound, Unauthenticated


def require_permission(request: Request, settings: Settings) -> None:
    """Let a scraper pass.

    Raises:
        Unauthenticated: there is a METRICS_TOKEN, and it was not sent.
        NotFound: there is none, and this is production, or not this machine.
    """
    if settings.metrics_token is not None:
        if not bears(request.headers.get("Authorization", ""), settings.metrics_token):
            raise Unauthenticated("Send METRICS_TOKEN as a bearer token.")
    elif settings.production or not _is_loopback(request.remote_addr):
        # Without a token the figures stand at METRICS_PORT alone, if anywhere.
        raise NotFound(SENTENCES[404])


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        # A socket in the file system belongs to a proxy, and that to everybody.
        return False
