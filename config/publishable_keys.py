"""PUBLISHABLE_KEYS: public keys in web pages, which name the site that reads the catalogue."""

import re

from environs import ValidationError

PREFIX = "tpk_"
# Length of a key's name in logs and rate limits: enough to tell keys apart.
NAMED_CHARACTERS = 12
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9]{{24,64}}")


def require_publishable_key(key: str) -> str:
    """The key without the blanks around it. Raises ValidationError: it is none; with what would be right."""
    given = key.strip()
    if not _KEY.fullmatch(given):
        raise ValidationError(
            f"Must hold keys of {PREFIX} and 24 to 64 letters and digits, separated by commas;"
            f' `echo "{PREFIX}$(openssl rand -hex 16)"` makes one.'
        )
    return given


def name_of_key(key: str) -> str:
    """The name of a key in counts and logs."""
    return key[:NAMED_CHARACTERS]
