"""Weekly hours of a mentor: the record, how they are replaced, and their wording in refusals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any, NamedTuple, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.availability import MINUTES_OF_A_DAY, availability_rules, weekly_hours
from models.base import sql
from models.people import mentor_profiles
from workflows.availability.changes import raise_version
from workflows.availability.intervals import merged
from workflows.identity.access import require_mentor
from workflows.identity.actor import Actor
from workflows.kernel.errors import Invalid, Stale
from workflows.kernel.locks import lock_calendar
from workflows.kernel.records import Record


class DayHours(NamedTuple):
    """Hours of a single date of a time zone: each from and to in minutes since midnight, in order, without overlap."""

    time_zone: str
    spans: Sequence[tuple[int, int]]


Dates = Mapping[date, DayHours]
NO_DATES: Dates = {}
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
# Hours end when the next ones begin; `greatest`, since the transaction that began first may get the lock second.
_REPLACE = sql("""
WITH ended AS (
    UPDATE weekly_hours SET until = greatest(since, :now)
    WHERE mentor_profile_id = :mentor_profile_id AND until IS NULL
    RETURNING until
),
added AS (
    INSERT INTO weekly_hours (id, mentor_profile_id, revision, time_zone, since)
    SELECT :id, :mentor_profile_id, :revision, :time_zone, coalesce((SELECT until FROM ended), :now)
)
INSERT INTO availability_rules (weekly_hours_id, weekday, opens, closes)
SELECT :id, CAST(span -> 0 AS smallint), CAST(span -> 1 AS smallint), CAST(span -> 2 AS smallint)
FROM jsonb_array_elements(:spans) AS span
""").bindparams(bindparam("spans", type_=JSONB))


@dataclass(frozen=True, order=True)
class Span:
    """One open period of a weekday."""

    weekday: int  # 0 for Monday to 6 for Sunday
    opens: int  # in minutes since midnight, in its hours' time zone
    closes: int  # the same; 1440 is the midnight at the day's end


@dataclass(frozen=True)
class Hours:
    """The open periods of a mentor's week."""

    time_zone: str  # an IANA name: the hours keep their wall-clock time in it
    spans: tuple[Span, ...] = ()  # in their order, without overlap; empty without hours
    closed_without: bool = False  # whether no time is open without hours, rather than every time

    @classmethod
    def read(cls, time_zone: str, spans: Iterable[Iterable[int]], *, closed_without: bool = False) -> Self:
        """The hours of a row of `weekly_hours`, with its `spans_as_json`."""
        return cls(time_zone, tuple(Span(*span) for span in spans), closed_without)

    @property
    def is_always_open(self) -> bool:
        """Whether every time is open."""
        return not self.spans and not self.closed_without


@dataclass(frozen=True, kw_only=True)
class WeeklyHours(Record):
    """A mentor's present hours; `version` is 0 for a mentor who has never set any."""

    table = weekly_hours

    mentor_profile_id: UUID
    time_zone: str
    version: int
    spans: list[list[int]]

    @classmethod
    def of_hours(cls, hours: Hours, mentor_profile_id: UUID, version: int) -> Self:
        """These hours of a mentor."""
        spans = [[*astuple(span)] for span in hours.spans]
        return cls(mentor_profile_id=mentor_profile_id, time_zone=hours.time_zone, version=version, spans=spans)

    @property
    def hours(self) -> Hours:
        """The hours without their mentor and version."""
        return Hours.read(self.time_zone, self.spans)

    @classmethod
    def query(cls) -> Select[Any]:
        mentor, present = mentor_profiles.c, weekly_hours.c
        return select(
            mentor.id.label("mentor_profile_id"),
            func.coalesce(present.time_zone, mentor.time_zone).label("time_zone"),
            func.coalesce(present.revision, 0).label("version"),
            spans_as_json().label("spans"),
        ).join_from(mentor_profiles, weekly_hours, present_of(mentor.id), isouter=True)


def weekly_hours_query(mentor_profile_id: UUID) -> Select[Any]:
    """The present hours of the mentor of that id; without any, none in the time zone of the mentor's profile."""
    return WeeklyHours.query().where(mentor_profiles.c.id == mentor_profile_id)


def present_of(mentor_profile_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a row of `weekly_hours` is the mentor's present one."""
    return and_(weekly_hours.c.mentor_profile_id == mentor_profile_id, weekly_hours.c.until.is_(None))


def spans_as_json() -> ColumnElement[Any]:
    """The spans of a row of `weekly_hours`, in their order; none where there is no such row."""
    span = availability_rules.c
    each = func.jsonb_build_array(span.weekday, span.opens, span.closes)
    in_order = func.jsonb_agg(aggregate_order_by(each, span.weekday, span.opens))
    of_row = select(in_order).where(span.weekly_hours_id == weekly_hours.c.id).scalar_subquery()
    return func.coalesce(of_row, sql("'[]'::jsonb"))


def set_hours(
    db: Connection,
    *,
    actor: Actor,
    seen: WeeklyHours,
    spans: Sequence[Span],
    time_zone: str | None,
    now: datetime,
    any_version: bool = False,
) -> WeeklyHours:
    """Replace a mentor's hours from now on; existing bookings and requests stay. Equal hours change nothing.

    Args:
        seen: the hours as the caller saw them.
        spans: in any order; without any, every time is open.
        time_zone: an IANA name; None for the mentor's own.
        any_version: the caller decided on no version in particular.

    Raises:
        Forbidden: another mentor's hours.
        Invalid: two spans overlap.
        Stale: they have changed since they were read.
    """
    require_mentor(actor, seen)
    require_no_overlap(spans)
    own_zone = lock_calendar(db, seen.mentor_profile_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    before = WeeklyHours.of(db.execute(weekly_hours_query(seen.mentor_profile_id)).one())
    if not any_version and before.version != seen.version:
        raise Stale("hours")
    hours = Hours(time_zone or own_zone, tuple(sorted(spans)))
    # A time zone that is given is kept also where it is the profile's, which may change.
    if hours == before.hours and (before.version or time_zone is None):
        return before
    after = WeeklyHours.of_hours(hours, seen.mentor_profile_id, before.version + 1)
    replace_hours(db, after, now)
    raise_version(db, after.mentor_profile_id, changed="hours", actor=actor, now=now)
    return after


def replace_hours(db: Connection, hours: WeeklyHours, now: datetime) -> None:
    """Write hours that hold from now on, under the mentor's lock."""
    columns = {"revision": hours.version, "time_zone": hours.time_zone, "spans": hours.spans}
    db.execute(_REPLACE, {"id": uuid7(), "mentor_profile_id": hours.mentor_profile_id, **columns, "now": now})


def describe_weekday(hours: Hours, moment: datetime, dates: Dates = NO_DATES) -> str:
    """A sentence on the hours of that moment's date or else weekday, in their time zone.

    Args:
        dates: the hours of single dates.
    """
    dated = (
        (f"{on:%-d %B %Y}", *of_day)
        for on, of_day in dates.items()
        if moment.astimezone(ZoneInfo(of_day.time_zone)).date() == on
    )
    weekday = moment.astimezone(ZoneInfo(hours.time_zone)).weekday()
    of_weekday = [(span.opens, span.closes) for span in hours.spans if span.weekday == weekday]
    usual = (WEEKDAYS[weekday], hours.time_zone, [(0, MINUTES_OF_A_DAY)] if hours.is_always_open else of_weekday)
    day, zone, open_for = next(dated, usual)
    if not hours.spans and not open_for:
        return "The mentor has not said yet when they are available."
    spans = [f"from {from_to(*span)}" for span in merged(open_for)]
    if not spans:
        return f"The mentor is not available on {day} ({zone})."
    return f"The whole session must lie within the mentor's hours: {day} {', '.join(spans)} ({zone})."


def clock_time(minutes: int) -> str:
    """Minutes since midnight as a wall-clock time, from 00:00 to the 24:00 at the day's end."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def require_no_overlap(spans: Iterable[Span], on: Sequence[str] = WEEKDAYS) -> None:
    """Refuse hours that overlap.

    Args:
        on: the days that the sentences name, by the weekday's number.

    Raises:
        Invalid: two spans of a weekday overlap.
    """
    reasons = [
        f"On {on[later.weekday]}, {from_to(earlier.opens, earlier.closes)} and"
        f" {from_to(later.opens, later.closes)} overlap."
        for earlier, later in pairwise(sorted(spans))
        if earlier.weekday == later.weekday and later.opens < earlier.closes
    ]
    if reasons:
        raise Invalid(
            "Hours must not overlap; merge them, or end one where the next begins.", details={"hours": reasons}
        )


def from_to(opens: int, closes: int) -> str:
    """A period of a day in words."""
    return f"{clock_time(opens)} to {clock_time(closes)}"
