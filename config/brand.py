"""The operator's brand among the settings: name, logo and colour, in mails and on the pages that mails link to.

Every check returns nothing for a value that can be used.

Raises:
    ValidationError: it cannot; with what would be right.
"""

import re
from urllib.parse import urlsplit

from environs import ValidationError

_COLOUR = re.compile("#[0-9a-f]{6}", re.IGNORECASE)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{0,60}")
# Nothing that could end an attribute or a header, or begin another directive of a policy.
_URL = re.compile(r"https://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._~!$&()*+=:@%/?-]*")
# By the relative luminance of WCAG 2: black has more contrast on what is lighter.
_BRIGHT = 0.179


def require_colour(colour: str) -> None:
    if colour and not _COLOUR.fullmatch(colour):
        raise ValidationError("Must be a colour such as #1f5fbf: # and six hexadecimal digits.")


def require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValidationError("Must be one line of at most 60 characters.")


def require_logo_url(address: str) -> None:
    if not address:
        return
    try:
        usable = _URL.fullmatch(address) and urlsplit(address).hostname and urlsplit(address).port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValidationError("Must be the https:// address of an image, such as https://cdn.example.org/logo.png.")


def origin_of(address: str) -> str:
    """The origin of an address, as a content security policy names it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def readable_on(colour: str) -> str:
    """The colour of text on a colour: white, or black where that has more contrast."""
    red, green, blue = (_linear(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _BRIGHT else "#fff"


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
