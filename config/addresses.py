"""Addresses among the settings: origins of sites (CORS), pages of the operator's application, and meeting links.

Every function returns the address if it is one of its kind.

Raises:
    ValidationError: it is none; with what would be right.
"""

from urllib.parse import urlsplit

from environs import ValidationError, validate

ANY_ORIGIN = "*"
# Placeholders in an address: the id of a page's subject, and a session's own room.
ID, ROOM = "{id}", "{room}"
NO_LINKS = "off"
WEB = frozenset({"http", "https"})
_DEFAULT_PORTS = {"https": 443, "http": 80}
_PAGE = f"such as https://app.example.org/bookings/{ID}."


def require_origin(origin: str) -> str:
    """An exact origin as browsers send it (RFC 6454): in lower case, without the scheme's own port; or `*`."""
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


def require_app_url(address: str) -> str:
    """The address of a page, with one placeholder for the id behind the server's name."""
    if address.count(ID) != 1:
        raise ValidationError(f"Must hold {ID} once and no other placeholder, {_PAGE}")
    _require_filled(address, ID, WEB, "an address", _PAGE)
    if ID in urlsplit(address).netloc:
        raise ValidationError(f"Must hold {ID} behind the name of the server, {_PAGE}")
    return address


def require_meeting_link(address: str, *, schemes: frozenset[str] = WEB) -> str:
    """A link that may hold a room, one and the same or each session's own."""
    _require_filled(address, ROOM, schemes, "a link", f"such as https://meet.jit.si/{ROOM}.")
    return address


def _require_filled(address: str, placeholder: str, schemes: frozenset[str], kind: str, example: str) -> None:
    filled = address.replace(placeholder, placeholder.strip("{}"))
    if "{" in filled or "}" in filled:
        raise ValidationError(f"Must hold no other placeholder than {placeholder}.")
    try:
        validate.URL(schemes=schemes, require_tld=False)(filled)
        urlsplit(filled)
    except (ValidationError, ValueError) as error:
        begins = " or ".join(f"{scheme}://" for scheme in sorted(schemes, reverse=True))
        raise ValidationError(f"Must be {kind} that begins with {begins}, {example}") from error
