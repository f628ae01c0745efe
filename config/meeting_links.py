"""Meeting links: addresses in which `{room}` stands for a session's own room."""

from __future__ import annotations

from environs import ValidationError, validate

ROOM = "{room}"
NO_LINKS = "off"


def require_meeting_link(address: str, *, schemes: frozenset[str] = frozenset({"http", "https"})) -> str:
    """The address, if it makes a link of every room.

    Raises:
        ValidationError: it does not; with what would be right.
    """
    link = address.replace(ROOM, "room")
    if "{" in link or "}" in link:
        raise ValidationError(f"Must hold no other placeholder than {ROOM}.")
    try:
        validate.URL(schemes=schemes, require_tld=False)(link)
    except ValidationError as error:
        allowed = " or ".join(f"{scheme}://" for scheme in sorted(schemes, reverse=True))
        sentence = f"Must be a link that begins with {allowed}, such as https://meet.jit.si/{ROOM}."
        raise ValidationError(sentence) from error
    return address
