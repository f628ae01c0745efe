"""Content lines of iCalendar (RFC 5545): escaped, folded, and closed to whatever somebody wrote into a name.

Written here and not by a library, since a feed may hold thousands of entries: the library whose reader the tests read
this with takes ten times as long, and makes a line end of a `\\N` that somebody typed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import quote

from workflows.text import one_line

LONGEST = 75  # octets, without the line's end (section 3.1)
_END = b"\r\n"
_HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tutelage//Tutelage//EN", "CALSCALE:GREGORIAN")


def text(name: str, value: str) -> str:
    """A property of text; a line feed in `value` is one of ours, and is kept."""
    lines = (_escaped(one_line(line)) for line in value.split("\n"))
    return f"{name}:" + "\\n".join(lines)


def moment(name: str, value: datetime) -> str:
    """A property that is a time, in UTC (form 2 of section 3.3.5): every client knows what that is in its own zone."""
    return f"{name}:{value.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def person(name: str, who: str, address: str, *parameters: str) -> str:
    """A property that is a person: the address as a mailto URI (RFC 6068), the name as its parameter CN."""
    # A quotation mark cannot stand in a parameter, and `^` begins an escape there (RFC 6868).
    common = one_line(who).replace('"', "'").replace("^", "^^")
    return ";".join([name, f'CN="{common}"', *parameters]) + ":mailto:" + quote(address, safe="@!$'*+-._~")


def calendar(properties: Iterable[str], entries: Iterable[str]) -> bytes:
    """A calendar object as it goes out: in UTF-8, its lines folded, each ended by CRLF.

    Args:
        properties: lines of the calendar itself, besides those that every one of ours has.
        entries: the lines of all its entries.
    """
    lines = chain(_HEAD, properties, entries, ("END:VCALENDAR",))
    return b"".join(_folded(line.encode()) for line in lines)


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: bytes) -> bytes:
    if len(line) <= LONGEST:
        return line + _END
    parts, room = [], LONGEST
    while len(line) > room:
        end = _fold_at(line, room)
        parts.append(line[:end])
        # The blank that begins a continued line counts.
        line, room = line[end:], LONGEST - 1
    return (_END + b" ").join([*parts, line]) + _END


def _fold_at(line: bytes, room: int) -> int:
    """Where to fold: not within a character, nor between a backslash and what it escapes."""
    end = room
    while line[end] & 0xC0 == 0x80:
        end -= 1
    backslashes = len(line[:end]) - len(line[:end].rstrip(b"\\"))
    return end - backslashes % 2
