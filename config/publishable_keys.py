"""PUBLISHABLE_KEYS: they stand in web pages for everybody to read, and name the site that reads the catalogue."""

from __future__ import annotations

import re

from environs import ValidationError

PREFIX = "tpk_"
# What logs and rate limits call a key: enough to tell keys apart.
NAMED_CHARACTERS = 12
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9]{{24,64}}")


def require_publishable_key(key: str) -> str:
    """The key without the blanks around it.

    Raises:
        ValidationError: it is none; with what would be right.
    """
    given = key.strip()
    if not _KEY.fullmatch(given):
        raise ValidationError(
            f"Must hold keys of {PREFIX} and 24 to 64 letters and digits, separated by commas;"
            f' `echo "{PREFIX}$(openssl rand -hex 16)"` makes one.'
        )
    return given


def name_of_key(key: str) -> str:
    """What a key is called where it is counted and logged."""
    return key[:NAMED_CHARACTERS]
