"""User-supplied text within our own."""

from __future__ import annotations

import re

# White space of every kind, line ends of Unicode among it, and control characters: some programs end a line at those.
_GAP = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def one_line(words: str) -> str:
    """The text on one line, so that it can begin no line, property or header of ours."""
    return _GAP.sub(" ", words).strip()
