"""Time in the rules: it comes in as `now`, always aware, and nobody below reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            "This is not an IANA time zone such as Europe/Berlin.", details={"timeZone": ["unknown zone"]}
        ) from error
