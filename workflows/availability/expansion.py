"""Busy times of an iCalendar object (RFC 5545) in a window of time, with recurrences expanded.

Imports neither the database nor the tables: it runs in a process of its own, for content that may be hostile.
"""

import re
from collections.abc import Container, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar, vDDDTypes

from workflows.availability.intervals import CalendarRefused, Interval, Occurrences
from workflows.kernel.clock import YEARS

DAY = timedelta(days=1)
MAX_DURATION = timedelta(days=365_000)

MAX_OCCURRENCES = 20_000
_TOO_MANY = f"The calendar has more than {MAX_OCCURRENCES} entries in the next year."
X_TIME_ZONE = "X-WR-TIMEZONE"
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_EVENT = re.compile(rb"^BEGIN:VEVENT[ \t]*\r?\n.*?^END:VEVENT[ \t]*\r?\n?", re.MULTILINE | re.DOTALL | re.IGNORECASE)
# Where a long line goes on (RFC 5545, 3.1).
_FOLD = re.compile(rb"\r?\n[ \t]")
# What makes an event last or come again in another way than by its two times.
_GOES_ON = re.compile(rb"^(RRULE|RDATE|RECURRENCE-ID|DURATION)[;:]", re.MULTILINE | re.IGNORECASE)
_DAY_OF_TIME = re.compile(rb"^(DTSTART|DTEND)(?:;[^:\r\n]*)?:(\d{8})", re.MULTILINE | re.IGNORECASE)
_TOO_OFTEN = re.compile(rb"^RRULE:[^\r\n]*FREQ=(SECONDLY|MINUTELY)", re.MULTILINE | re.IGNORECASE)


class _Query(recurring_ical_events.CalendarQuery):
    """Leaves out the events that are malformed, so that one of them does not hide all others."""

    suppressed_errors: ClassVar[Any] = [Exception]


def expand(content: bytes, start: datetime, end: datetime, time_zone: str, email: str = "") -> Occurrences:
    """The times at which the events of a calendar make its owner busy.

    Events that are cancelled, transparent or declined do not, nor do those without a length. Times without a zone, and
    whole days, are of `time_zone`, unless the calendar has a zone of its own for the former.

    Args:
        start: of the window, in UTC, as its `end`.
        time_zone: an IANA name.
        email: of the owner. A calendar that is named by an address, as many are, is that one's, too.

    Raises:
        CalendarRefused: no calendar, one that repeats an event every minute, or one with too many occurrences.
    """
    found, there = Occurrences(), ZoneInfo(time_zone)
    number = 0
    for calendar in _calendars(_without_past(content, start)):
        owners = {email.lower(), str(calendar.get("X-WR-CALNAME", "")).lower()}
        for event in calendar.walk("VEVENT"):
            _shorten(event)
        query = recurring_ical_events.of(calendar, skip_bad_series=True, calendar_query=_Query)
        # A day more on both sides: times without a zone, and whole days, are looked for as if they were in UTC.
        for event in query.between(start - DAY, end + DAY):
            number += 1
            if number > MAX_OCCURRENCES:
                raise CalendarRefused(_TOO_MANY)
            if _is_busy(event) and not _is_declined(event, owners):
                begins, ends = _times_of(event, there)
                if max(start, begins) < min(end, ends):
                    _named(found, str(event.get("UID", ""))).append((max(start, begins), min(end, ends)))
        for begins, ends in _taken(calendar):
            number += 1
            if number > MAX_OCCURRENCES:
                raise CalendarRefused(_TOO_MANY)
            if max(start, begins) < min(end, ends):
                found.busy.append((max(start, begins), min(end, ends)))
    return found


def _shorten(event: Any) -> None:
    """Bring the times of an event into years of which its duration can be computed.

    Calendars write an event without an end as one that lasts until the year 9999.
    """
    for name in ("DTSTART", "DTEND", "DURATION"):
        given = event.get(name)
        value = given.dt if isinstance(given, vDDDTypes) else None
        if isinstance(value, timedelta):
            given.dt = min(value, MAX_DURATION)
        elif isinstance(value, date) and value.year >= YEARS.stop:
            given.dt = value.replace(year=YEARS.stop - 1, month=12, day=31)
        elif isinstance(value, date) and value.year < YEARS.start and "RRULE" not in event:
            given.dt = value.replace(year=YEARS.start, month=1, day=1)


def _taken(calendar: Any) -> Iterator[Interval]:
    """The busy times of free/busy components, which calendars have that hide their events.

    They are in UTC (RFC 5545, 3.6.4). A period of another kind than `FREE`, also of an unknown one, is busy.
    """
    for component in calendar.walk("VFREEBUSY"):
        given = component.get("FREEBUSY", [])
        for periods in given if isinstance(given, list) else [given]:
            if str(getattr(periods, "params", {}).get("FBTYPE", "BUSY")).upper() != "FREE":
                yield from (_period(each) for each in getattr(periods, "dts", [periods]))


def _period(value: Any) -> Interval:
    begins, until = getattr(value, "dt", value)
    ends = begins + until if isinstance(until, timedelta) else until
    return _moment(begins, UTC), _moment(ends, UTC)


def _calendars(content: bytes) -> Iterator[Any]:
    if _TOO_OFTEN.search(content):
        raise CalendarRefused("The calendar repeats an event every second or minute.")
    try:
        calendars = Calendar.from_ical(content, multiple=True)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise CalendarRefused("The answer is not an iCalendar file.") from error
    calendars = [each for each in calendars if each.name == "VCALENDAR"]
    if not calendars:
        raise CalendarRefused("The answer is not an iCalendar file.")
    for calendar in calendars:
        try:
            ZoneInfo(str(calendar.get(X_TIME_ZONE, "UTC")))
        except (ValueError, OSError, KeyError):
            del calendar[X_TIME_ZONE]
        yield calendar


def _without_past(content: bytes, start: datetime) -> bytes:
    """The calendar without single events that are over: calendars of many years are mostly of these.

    To parse them takes a hundred times as long as to find them.
    """
    first = f"{start - timedelta(days=2):%Y%m%d}".encode()

    def keep(event: re.Match[bytes]) -> bytes:
        unfolded = _FOLD.sub(b"", event[0])
        days = [found[2] for found in _DAY_OF_TIME.finditer(unfolded)]
        return event[0] if not days or max(days) >= first or _GOES_ON.search(unfolded) else b""

    return _EVENT.sub(keep, content)


def _is_busy(event: Any) -> bool:
    return str(event.get("STATUS", "")).upper() != "CANCELLED" and str(event.get("TRANSP", "")).upper() != "TRANSPARENT"


def _is_declined(event: Any, owners: Container[str]) -> bool:
    invited = event.get("ATTENDEE", [])
    return any(
        str(each).lower().removeprefix("mailto:") in owners
        and str(each.params.get("PARTSTAT", "")).upper() == "DECLINED"
        for each in (invited if isinstance(invited, list) else [invited])
    )


def _times_of(event: Any, there: ZoneInfo) -> Interval:
    start, end = event["DTSTART"].dt, event["DTEND"].dt
    begins, ends = _moment(start, there), _moment(end, there)
    # An hour that begins in one that the clocks skip would end as it begins.
    return begins, ends if begins < ends else begins + (end - start)


def _named(found: Occurrences, uid: str) -> list[Interval]:
    return found.named.setdefault(UUID(uid), []) if _UUID.fullmatch(uid) else found.busy


def _moment(value: date | datetime, there: tzinfo) -> datetime:
    """A time in UTC. One that the clocks skip, or show twice, has the offset before the change (RFC 5545)."""
    shown = value if isinstance(value, datetime) else datetime.combine(value, time())
    return (shown if shown.tzinfo is not None else shown.replace(tzinfo=there)).astimezone(UTC)
