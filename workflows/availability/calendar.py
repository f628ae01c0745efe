"""Calendars of mentors: all that decides when a mentor can be booked, read for a stretch of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import column

from models.base import sql
from workflows.availability.hours import Dates, DayHours, Hours
from workflows.availability.intervals import Interval
from workflows.availability.open_times import DAY, moment_of_day, open_times
from workflows.availability.rules import DEFAULT_RULES, BookingRules

# The calendar of the mentor `mentor`, of whom `hours` are the present hours and `rules` the rules, both null if there
# are none. A date of any zone lies within a day of the same date in UTC. A buffer lasts for a day at most.
_AS_JSON = """
jsonb_build_object(
    'mentor_profile_id', mentor.id, 'version', mentor.calendar_version, 'time_zone', mentor.time_zone,
    'hours_time_zone', hours.time_zone,
    'spans', (
        SELECT jsonb_agg(jsonb_build_array(weekday, opens, closes) ORDER BY weekday, opens)
        FROM availability_rules WHERE weekly_hours_id = hours.id
    ),
    'dates', (
        SELECT jsonb_object_agg(day, jsonb_build_array(time_zone, spans)) FROM date_hours
        WHERE date_hours.mentor_profile_id = mentor.id
          AND day BETWEEN CAST({start} AS date) - 2 AND CAST({end} AS date) + 2
    ),
    'time_off', (
        SELECT jsonb_agg(jsonb_build_array(start_time, end_time) ORDER BY start_time) FROM time_off
        WHERE time_off.mentor_profile_id = mentor.id AND time_off.end_time > {start} AND time_off.start_time < {end}
    ),
    'outside_busy', (
        SELECT jsonb_agg(jsonb_build_array(lower(busy), upper(busy)) ORDER BY busy) FROM outside_busy
        WHERE outside_busy.mentor_profile_id = mentor.id
          AND busy && tstzrange({start} - interval '1 day', {end} + interval '1 day')
    ),
    'outside_stale_at', (
        SELECT min(stale_at) FROM calendar_feeds WHERE calendar_feeds.mentor_profile_id = mentor.id
    ),
    'rules', to_jsonb(rules)
) AS calendar
"""
JOIN_CALENDAR = """
LEFT JOIN weekly_hours AS hours ON hours.mentor_profile_id = mentor.id AND hours.until IS NULL
LEFT JOIN booking_rules AS rules ON rules.mentor_profile_id = mentor.id
"""


def calendar_as_json(start: str, end: str) -> str:
    """SQL of a column `calendar`, for `MentorCalendar.read`: of a mentor `mentor`, with `JOIN_CALENDAR`.

    Args:
        start: SQL of the time at which the stretch begins that is to be decided on.
        end: that at which it ends.
    """
    return _AS_JSON.format(start=f"CAST({start} AS timestamptz)", end=f"CAST({end} AS timestamptz)")


CALENDARS = sql(
    f"SELECT {calendar_as_json(':start', ':end')} FROM mentor_profiles AS mentor {JOIN_CALENDAR}"
    " WHERE mentor.id = ANY(CAST(:mentor_profile_ids AS uuid[]))"
).columns(column("calendar", JSONB))

# Person by person, which OFFSET keeps so: the calendar's index takes no list of people, and a plan that begins with the
# times reads all people's. A mentor's own sessions as a mentee take their time as well.
_BLOCKS = """
SELECT mentor.id, lower(block.busy) AS start_time, upper(block.busy) AS end_time,
       {session_start} AS session_start, {mentee_user_id} AS mentee_user_id, block.hold_id
FROM mentor_profiles AS mentor
CROSS JOIN LATERAL (
    SELECT * FROM person_busy
    WHERE user_id = mentor.user_id AND busy && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))
      AND (expires_at IS NULL OR expires_at > now())
    OFFSET 0
) AS block
{join}
WHERE mentor.id = ANY(CAST(:mentor_profile_ids AS uuid[]))
ORDER BY lower(block.busy)
"""
BLOCKS = sql(
    _BLOCKS.format(
        session_start="coalesce(booking.start_time, block.held_start)",
        mentee_user_id="coalesce(booking.mentee_user_id, block.held_by_user_id)",
        join="LEFT JOIN bookings AS booking ON booking.id = block.booking_id AND block.mentor_profile_id = mentor.id",
    )
)
# For those who need not know what takes the time: a third of the work.
BLOCKS_WITHOUT_BOOKINGS = sql(
    _BLOCKS.format(session_start="CAST(NULL AS timestamptz)", mentee_user_id="block.held_by_user_id", join="")
)


class Block(NamedTuple):
    """A time at which a mentor is taken, buffers included, in UTC.

    Args:
        session_start: of the mentor's booking or hold that takes it; None for a session that the mentor attends as a
            mentee, or where bookings were not read.
        mentee_user_id: who booked or holds it; None for a group, and for a booking without `session_start`.
    """

    start_time: datetime
    end_time: datetime
    session_start: datetime | None
    mentee_user_id: UUID | None
    hold_id: UUID | None

    def hinders(self, mentee_user_id: UUID | None) -> bool:
        """Whether it keeps that mentee from booking: a hold of their own does not."""
        return self.hold_id is None or self.mentee_user_id != mentee_user_id


@dataclass(frozen=True, kw_only=True)
class MentorCalendar:
    """When a mentor can be booked, as far as the stretch of time goes for which it was read."""

    mentor_profile_id: UUID
    version: int  # raised by every change of hours, dates, time off, rules and times in outside calendars
    time_zone: str  # the IANA name of the mentor's zone, whose days and ISO weeks the limits count
    hours: Hours  # weekly hours and their zone
    # The hours of single dates, each with its zone; they replace the weekly hours.
    dates: Dates = field(default_factory=dict)
    time_off: Sequence[Interval] = ()  # in UTC, in the order of their starts
    # When the mentor is busy by calendars elsewhere, as far as they are known; in UTC, by start.
    outside_busy: Sequence[Interval] = ()
    # From when on one of these calendars cannot be relied on; None without any.
    outside_stale_at: datetime | None = None
    rules: BookingRules = DEFAULT_RULES

    @classmethod
    def read(cls, found: Mapping[str, Any], *, closed_without_hours: bool = False) -> MentorCalendar:
        """The calendar in a column `calendar`.

        Args:
            closed_without_hours: whether a mentor without hours cannot be booked at any time.
        """
        dates, stale_at = (found["dates"] or {}).items(), found["outside_stale_at"]
        return cls(
            mentor_profile_id=UUID(found["mentor_profile_id"]),
            version=found["version"],
            time_zone=found["time_zone"],
            hours=Hours.read(
                found["hours_time_zone"] or found["time_zone"],
                found["spans"] or (),
                closed_without=closed_without_hours,
            ),
            dates={
                date.fromisoformat(day): DayHours(zone, [(opens, closes) for opens, closes in spans])
                for day, (zone, spans) in dates
            },
            time_off=_intervals(found["time_off"]),
            outside_busy=_intervals(found["outside_busy"]),
            outside_stale_at=stale_at and datetime.fromisoformat(stale_at),
            rules=DEFAULT_RULES if found["rules"] is None else BookingRules.of_values(found["rules"]),
        )

    def open_times(self, start: datetime, end: datetime) -> Iterator[Interval]:
        """The open periods from `start` to before `end` by hours and dates: in UTC, in order, merged; not time off."""
        return open_times(self.hours, start, end, self.dates)

    def is_open(self, start: datetime, end: datetime) -> bool:
        """Whether hours and dates are open from `start` to `end` without a gap."""
        return list(self.open_times(start, end)) == [(start, end)]

    def has_time_off(self, start: datetime, end: datetime) -> bool:
        """Whether any time off overlaps."""
        return any(begins < end and ends > start for begins, ends in self.time_off)

    def is_busy_elsewhere(self, start: datetime, end: datetime) -> bool:
        """Whether any time of an outside calendar overlaps."""
        return any(begins < end and ends > start for begins, ends in self.outside_busy)

    def has_stale_calendars(self, now: datetime) -> bool:
        """Whether the mentor is not to be booked now, since the last copy of an outside calendar is too old."""
        refused = self.rules.stale_calendars == "refuse"
        return refused and self.outside_stale_at is not None and self.outside_stale_at <= now

    def day_of(self, moment: datetime) -> Interval:
        """The day of that moment in the mentor's zone, from its first moment to the next one's, in UTC."""
        return self._days(moment.astimezone(ZoneInfo(self.time_zone)).date(), 1)

    def week_of(self, moment: datetime) -> Interval:
        """The ISO week of that moment in the mentor's zone, from Monday's first moment to the next one's, in UTC."""
        day = moment.astimezone(ZoneInfo(self.time_zone)).date()
        return self._days(day - timedelta(days=day.weekday()), 7)

    def is_limit_reached(self, start: datetime, mentee_user_id: UUID, blocks: Collection[Block]) -> bool:
        """Whether the limits forbid the mentee one more session at that start; holds of others count as sessions.

        Args:
            blocks: at least the blocks of the week of that start.
        """
        rules = self.rules
        for (begin, end), limit, limit_per_mentee in (
            (self.day_of(start), rules.max_per_day, rules.max_per_mentee_per_day),
            (self.week_of(start), rules.max_per_week, rules.max_per_mentee_per_week),
        ):
            booked = [
                block.mentee_user_id
                for block in blocks
                if block.session_start and begin <= block.session_start < end and block.hinders(mentee_user_id)
            ]
            if limit is not None and len(booked) >= limit:
                return True
            if limit_per_mentee is not None and booked.count(mentee_user_id) >= limit_per_mentee:
                return True
        return False

    def _days(self, first: date, number: int) -> Interval:
        there = ZoneInfo(self.time_zone)
        return moment_of_day(first, 0, there), moment_of_day(first + number * DAY, 0, there)


def _intervals(found: Iterable[Iterable[str]] | None) -> list[Interval]:
    return [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in found or ()]


def load_calendars(
    db: Connection,
    mentor_profile_ids: Collection[UUID],
    start: datetime,
    end: datetime,
    *,
    closed_without_hours: bool = False,
) -> dict[UUID, MentorCalendar]:
    """The calendars of several mentors for a stretch of time, by one statement."""
    found = db.scalars(CALENDARS, {"mentor_profile_ids": list(mentor_profile_ids), "start": start, "end": end})
    calendars = (MentorCalendar.read(each, closed_without_hours=closed_without_hours) for each in found)
    return {each.mentor_profile_id: each for each in calendars}


def load_blocks(
    db: Connection, mentor_profile_ids: Collection[UUID], start: datetime, end: datetime, *, with_bookings: bool = True
) -> dict[UUID, list[Block]]:
    """What overlaps a stretch of time in the calendars of several mentors, by one statement; no expired holds.

    Args:
        with_bookings: whether to read the bookings too, which limits count.
    """
    statement = BLOCKS if with_bookings else BLOCKS_WITHOUT_BOOKINGS
    values = {"mentor_profile_ids": list(mentor_profile_ids), "start": start, "end": end}
    blocks: dict[UUID, list[Block]] = defaultdict(list)
    for row in db.execute(statement, values).all():
        blocks[row[0]].append(Block._make(row[1:]))
    return blocks
