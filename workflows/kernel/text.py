"""User-supplied text within our own."""

import re

# Control characters, line and paragraph separators, and overrides of the text's direction (UAX #9), as of a class of a
# regular expression. The marks U+200E, U+200F and U+061C occur in Hebrew and Arabic names and are accepted.
BREAKS_THE_LINE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
# Multi-line text may hold line breaks and tabs; the rest could disguise text in terminals and mails.
BREAKS_THE_TEXT = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
# White space of every kind, line ends of Unicode among it, and control characters: some programs end a line at those.
_GAP = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def one_line(words: str) -> str:
    """The text on one line, so that it can begin no line, property or header of ours."""
    return _GAP.sub(" ", words).strip()
