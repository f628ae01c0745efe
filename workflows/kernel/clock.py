"""Times and time zones. No workflow reads a clock: `now` is an argument, and always aware."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from uuid import UUID
from zoneinfo import ZoneInfo

from workflows.kernel.errors import Invalid

# Largest difference expected between the clocks of two machines.
CLOCK_SKEW = timedelta(minutes=1)
MINUTES_OF_A_YEAR, HOURS_OF_A_YEAR = 527_040, 8_784
# In which every time and day has to lie that a client names.
YEARS = range(1900, 3000)
NO_SUCH_YEAR = f"Must lie in the years {YEARS.start} to {YEARS.stop - 1}."
RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


def first_id_at(moment: datetime) -> UUID:
    """Lower bound of the ids made at that moment or later: a UUIDv7 begins with its millisecond."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC; raises Invalid where it has no zone, or lies beyond the years 1 to 9999."""
    if moment.tzinfo is None:
        raise Invalid("A time needs a time zone: end it with Z or an offset such as +02:00.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Invalid("The year of a time must be between 1 and 9999.") from error


def moment_of(shown: datetime, there: ZoneInfo) -> tuple[datetime, bool]:
    """The first moment, in UTC, at which the clocks of a zone show a time, and whether they ever do.

    A time that the clocks skip is read with the offset before the change (PEP 495).
    """
    moment = shown.replace(tzinfo=there, fold=0).astimezone(UTC)
    return moment, moment.astimezone(there).replace(tzinfo=None, fold=0) == shown


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name; raises Invalid where there is none."""
    if name not in zone_names():
        raise Invalid("This is not an IANA time zone such as Europe/Berlin.", details={"timeZone": ["unknown zone"]})
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    """The names of all IANA time zones, former names included."""
    # Not the machine's: its folder also holds its own zone (`localtime`, `posixrules`), and every zone once more as
    # `posix/…` and, with leap seconds, as `right/…`. `Factory` stands for an unset zone.
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split()) - {"Factory"}


def read_rfc3339(text: str) -> datetime:
    """The time of a text that matches `RFC_3339`, to the microsecond; raises ValueError where there is no such time."""
    return datetime.fromisoformat(_MICROSECONDS.sub(r"\1", text).upper())


def rfc3339(moment: datetime) -> str:
    """The moment in UTC, as JSON has it: `2030-05-04T09:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
