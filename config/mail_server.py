"""The mail server, as SMTP_URL names it: where it is, and how what is said to it is kept secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit


class Security(Enum):
    """How a connection is protected. Wherever TLS is spoken, certificate and name are verified."""

    TLS = "from the first byte"
    STARTTLS = "before anything else is said, or not at all"
    OFFERED = "where the server offers it: on this machine nobody listens in"
    NONE = "not at all"


_SCHEMES = {
    # scheme → how, at which port
    "smtps": (Security.TLS, 465),
    "smtp+starttls": (Security.STARTTLS, 587),
    "smtp": (Security.STARTTLS, 25),
    "smtp+plain": (Security.NONE, 25),
}
_RIGHT = (
    "SMTP_URL must read smtps://host, smtp+starttls://host or smtp://host, with user:password@ before the host and"
    " :port after it where they are needed"
)


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail goes out, and as whom."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str = field(default="", repr=False)


def mail_server(url: str) -> MailServer:
    """Read an SMTP_URL.

    A server may only seem not to offer STARTTLS because somebody in between leaves that out, so that `smtp` insists on
    it, but for a server on this machine; whoever has a network of their own that needs none says `smtp+plain`.

    Raises:
        ValueError: with what would be right.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{_RIGHT}.") from error
    if parts.scheme not in _SCHEMES or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{_RIGHT}; smtp+plain:// is for networks that you trust.")
    security, usual_port = _SCHEMES[parts.scheme]
    here = _is_here(host)
    if here and parts.scheme == "smtp":
        security = Security.OFFERED
    if security is Security.NONE and parts.username and not here:
        raise ValueError("SMTP_URL must not send a password as plain text: use smtps:// or smtp+starttls://.")
    return MailServer(host=host, port=port or usual_port, security=security, **_credentials(parts))


def _credentials(parts: SplitResult) -> dict[str, str]:
    if not parts.username:
        return {}
    return {"user": unquote(parts.username), "password": unquote(parts.password or "")}


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
