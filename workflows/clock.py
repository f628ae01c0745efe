"""Time in the rules: it comes in as `now`, always aware, and nobody below reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from workflows.errors import Invalid


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        Invalid: the moment has no zone, so that nobody can know which one is meant; or lies beyond the years 1 to 9999.
    """
    if moment.tzinfo is None:
        raise Invalid("A time needs a zone: end it with Z or an offset such as +02:00.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Invalid("There is no such time: years go from 1 to 9999.") from error


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        Invalid: there is no such zone.
    """
    if name not in _names():
        raise Invalid("This is not an IANA time zone such as Europe/Berlin.", details={"timeZone": ["unknown zone"]})
    return ZoneInfo(name)


@cache
def _names() -> frozenset[str]:
    # Not what the machine has: its folder also holds its own clock's zone (`localtime`, `posixrules`) and everything
    # once more as `posix/…` and with leap seconds as `right/…`. `Factory` stands for a zone that nobody has set.
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split()) - {"Factory"}


def local_time(moment: datetime, time_zone: str) -> str:
    """The moment on somebody's own clock, with the zone's name: nobody has to guess.

    Args:
        time_zone: an IANA name, as users have one.
    """
    return f"{moment.astimezone(ZoneInfo(time_zone)):%A, %-d %B %Y, %H:%M} ({time_zone})"
