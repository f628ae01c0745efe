"""SMTP_URL: the address of the mail server, the protection of the connection, and the credentials."""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit


class Security(Enum):
    """Protection of a connection. With TLS, certificate and name are always verified."""

    TLS = "from the first byte"
    STARTTLS = "before anything else is sent, or no mail is sent"
    OFFERED = "where the server offers it, for servers on this machine"
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
    """The server that sends our mail, and our credentials there."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str = field(default="", repr=False)


def mail_server(url: str) -> MailServer:
    """Read an SMTP_URL.

    `smtp` requires STARTTLS, except on this machine, since an attacker in between can hide that a server offers it;
    `smtp+plain` is for private networks that need none.

    Raises:
        ValueError: with the right forms.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{_RIGHT}.") from error
    if parts.scheme not in _SCHEMES or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{_RIGHT}; smtp+plain:// is for networks that you trust.")
    security, usual_port = _SCHEMES[parts.scheme]
    is_local = _is_loopback(host)
    if is_local and parts.scheme == "smtp":
        security = Security.OFFERED
    if not parts.username:
        return MailServer(host=host, port=port or usual_port, security=security)
    if security is Security.NONE and not is_local:
        raise ValueError("SMTP_URL must not send a password as plain text: use smtps:// or smtp+starttls://.")
    user, password = unquote(parts.username), unquote(parts.password or "")
    return MailServer(host=host, port=port or usual_port, security=security, user=user, password=password)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
