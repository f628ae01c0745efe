"""Somebody's words among ours."""

from __future__ import annotations

import re

# White space of every kind, line ends of Unicode among it, and control characters: some programs end a line at those.
_GAP = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def one_line(words: str) -> str:
    """The words as they may stand among ours: nothing in them begins a line, let alone a property or a header."""
    return _GAP.sub(" ", words).strip()
