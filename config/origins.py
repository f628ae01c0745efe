"""CORS_ORIGINS: the sites whose scripts may read answers, exact origins as browsers send them (RFC 6454)."""

from __future__ import annotations

from urllib.parse import urlsplit

from environs import ValidationError

ANY_ORIGIN = "*"
_DEFAULT_PORTS = {"https": 443, "http": 80}


def require_origin(origin: str) -> str:
    """The origin as browsers write it: in lower case, without the scheme's own port.

    Raises:
        ValidationError: it is none; with what would be right.
    """
    given = origin.strip()
    if given == ANY_ORIGIN:
        return given
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    has_more = parts.path or parts.query or parts.fragment or parts.username is not None or "*" in given
    if parts.scheme not in _DEFAULT_PORTS or not host or not host.isascii() or has_more:
        raise ValidationError(
            "Must hold origins such as https://app.example.org, separated by commas: scheme, host and perhaps a port,"
            " without a path or a slash at the end; or `*` alone."
        )
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else "")
