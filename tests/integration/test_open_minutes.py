"""Open minutes by weekday and hour: by the hours that held at the time, on the clocks of the caller."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from tests import factories
from workflows.accounts.records import Mentor
from workflows.analytics.availability import availability_of
from workflows.analytics.scope import Period, period_of
from workflows.availability.dates import (
    CalendarDay,
    CalendarOwner,
    calendar_day_query,
    calendar_owner_query,
    set_date_hours,
)
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.sessions.time_off import take_time_off

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MONDAY_MORNING = Span(0, 9 * 60, 12 * 60 + 30)

SetHours = Callable[..., WeeklyHours]


@pytest.fixture
def mentor(db: Connection) -> Mentor:
    return factories.make_mentor(db)


@pytest.fixture
def set_at(db: Connection, mentor: Mentor) -> SetHours:
    """Set hours at a moment, also in the past."""

    def change(*spans: Span, at: datetime = NOW, time_zone: str = "UTC") -> WeeklyHours:
        seen = WeeklyHours.of(db.execute(weekly_hours_query(mentor.id)).one())
        actor = factories.acting_mentor(mentor)
        return set_hours(db, actor=actor, seen=seen, spans=spans, time_zone=time_zone, now=at)

    return change


def of(zone: str, first: date, last: date) -> Period:
    """From a day to another one, on the clocks of a zone."""
    return period_of(first, last, zone, now=NOW)


def open_minutes(db: Connection, mentor_id: UUID, span: Period) -> dict[tuple[int, int], int | None]:
    found = availability_of(db, mentor_id, span)
    assert len(found.hours) == 168
    return {(hour.weekday, hour.hour): hour.open_minutes for hour in found.hours if hour.open_minutes != 0}


MAY = of("UTC", date(2026, 5, 4), date(2026, 5, 31))  # four weeks


def test_open_minutes_are_unknown_until_hours_are_set(db: Connection, mentor: Mentor) -> None:
    assert set(open_minutes(db, mentor.id, MAY).values()) == {None}


def test_a_mentor_who_removed_all_hours_is_always_open(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(MONDAY_MORNING, at=datetime(2026, 4, 1, tzinfo=UTC))
    set_at(at=datetime(2026, 5, 31, 12, tzinfo=UTC))
    last_half = dict.fromkeys([(6, hour) for hour in range(12, 24)], 60)
    assert open_minutes(db, mentor.id, MAY) == {(0, 9): 240, (0, 10): 240, (0, 11): 240, (0, 12): 120, **last_half}
    june = of("Europe/Berlin", date(2026, 6, 1), date(2026, 6, 7))
    assert set(open_minutes(db, mentor.id, june).values()) == {60}


def test_every_week_of_the_period_counts(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(MONDAY_MORNING, Span(6, 23 * 60 + 50, 1440))
    another = factories.make_mentor(db)
    assert open_minutes(db, mentor.id, MAY) == {(0, 9): 240, (0, 10): 240, (0, 11): 240, (0, 12): 120, (6, 23): 40}
    assert set(open_minutes(db, another.id, MAY).values()) == {None}


def test_in_another_zone_the_same_time_lies_in_other_hours(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(MONDAY_MORNING)
    kathmandu = of("Asia/Kathmandu", date(2026, 5, 4), date(2026, 5, 10))
    assert open_minutes(db, mentor.id, kathmandu) == {(0, 14): 15, (0, 15): 60, (0, 16): 60, (0, 17): 60, (0, 18): 15}


def test_new_hours_do_not_change_the_past(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    tuesday_noon = datetime(2026, 5, 12, 12, tzinfo=UTC)
    set_at(MONDAY_MORNING, Span(1, 11 * 60, 13 * 60), at=datetime(2026, 5, 8, tzinfo=UTC))
    set_at(Span(1, 11 * 60, 14 * 60), at=tuesday_noon)
    set_at(Span(2, 0, 1), at=datetime(2026, 5, 20, 1, tzinfo=UTC))
    assert open_minutes(db, mentor.id, MAY) == {
        # The first hours count for the time before, too: two Mondays.
        **{(0, 9): 120, (0, 10): 120, (0, 11): 120, (0, 12): 60},
        # Tuesday the fifth to one; the twelfth, when the second hours began at noon, and the nineteenth to two.
        **{(1, 11): 180, (1, 12): 180, (1, 13): 120},
        # The twenty-seventh.
        (2, 0): 1,
    }


def test_hours_set_at_one_moment_hold_one_after_the_other(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    # The first caller may be the second to have the mentor's lock.
    set_at(MONDAY_MORNING, at=NOW)
    set_at(Span(1, 0, 60), at=NOW - timedelta(seconds=1))
    assert open_minutes(db, mentor.id, MAY).keys() == {(0, 9), (0, 10), (0, 11), (0, 12)}
    ahead = of("UTC", date(2026, 12, 7), date(2026, 12, 13))
    assert open_minutes(db, mentor.id, ahead) == {(1, 0): 60}


def set_date(db: Connection, mentor: Mentor, day: date, *spans: tuple[int, int]) -> None:
    seen = CalendarDay.of(db.execute(calendar_day_query(mentor.id, day)).one())
    set_date_hours(db, actor=factories.acting_mentor(mentor), seen=seen, spans=spans, now=NOW)


def take_off(db: Connection, mentor: Mentor, start: datetime, end: datetime) -> None:
    owner = CalendarOwner.of(db.execute(calendar_owner_query(mentor.id)).one())
    off = partial(take_time_off, start_time=start, end_time=end, reason=None, cancel_sessions=False)
    off(db, actor=factories.acting_mentor(mentor), mentor=owner, now=start)


def test_hours_of_a_date_replace_those_of_the_weekday(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(MONDAY_MORNING)
    set_date(db, mentor, date(2026, 5, 11))
    set_date(db, mentor, date(2026, 5, 18), (9 * 60, 9 * 60 + 20), (15 * 60, 16 * 60))
    # Not in the period.
    set_date(db, mentor, date(2026, 6, 1))
    assert open_minutes(db, mentor.id, MAY) == {
        **{(0, 9): 140, (0, 10): 120, (0, 11): 120, (0, 12): 60},
        (0, 15): 60,
    }


def test_a_date_is_one_of_the_hours_zone(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(MONDAY_MORNING, time_zone="Asia/Kathmandu")
    set_date(db, mentor, date(2026, 5, 5), (0, 30))
    assert open_minutes(db, mentor.id, of("UTC", date(2026, 5, 4), date(2026, 5, 5)))[0, 18] == 30


def test_with_hours_of_a_date_alone_all_others_are_open(db: Connection, mentor: Mentor) -> None:
    set_date(db, mentor, date(2026, 5, 5), (60, 90))
    found = open_minutes(db, mentor.id, of("UTC", date(2026, 5, 4), date(2026, 5, 5)))
    assert found == {**{(0, hour): 60 for hour in range(24)}, (1, 1): 30}
    assert set(open_minutes(db, mentor.id, of("UTC", date(2026, 6, 1), date(2026, 6, 7))).values()) == {None}


def test_time_off_is_not_open(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(MONDAY_MORNING)
    monday = datetime(2026, 5, 4, tzinfo=UTC)
    for start, end in ((9.5, 10.25), (10, 11), (12.25, 20)):
        take_off(db, mentor, monday + start * timedelta(hours=1), monday + end * timedelta(hours=1))
    take_off(db, mentor, monday + timedelta(days=6), monday + timedelta(days=8))
    assert open_minutes(db, mentor.id, MAY) == {(0, 9): 150, (0, 10): 120, (0, 11): 180, (0, 12): 75}
    another = factories.make_mentor(db)
    take_off(db, another, monday, monday + timedelta(days=1))
    assert set(open_minutes(db, another.id, MAY).values()) == {None}


# Each a zone, a Sunday on which its clocks change, and the zone of the caller.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29), "Europe/Berlin"),
    ("Europe/Berlin", date(2026, 10, 25), "Europe/Berlin"),
    ("America/New_York", date(2026, 11, 1), "America/New_York"),
    ("America/New_York", date(2026, 3, 8), "Europe/Berlin"),
    ("Australia/Lord_Howe", date(2026, 4, 5), "Australia/Lord_Howe"),
    ("Australia/Lord_Howe", date(2026, 10, 4), "UTC"),
]


@pytest.mark.parametrize(("zone", "changes", "asked_in"), CHANGES)
def test_on_days_on_which_clocks_change_every_minute_counts_once(
    db: Connection, mentor: Mentor, set_at: SetHours, zone: str, changes: date, asked_in: str
) -> None:
    # All day long but for the time between seven and ten past, so that hours lie across the change.
    set_at(Span(5, 0, 1440), Span(6, 0, 420), Span(6, 430, 1440), time_zone=zone)
    there, asking = ZoneInfo(zone), ZoneInfo(asked_in)
    start = datetime(changes.year, changes.month, changes.day, tzinfo=there) - timedelta(days=1)
    end = datetime(changes.year, changes.month, changes.day, tzinfo=there) + timedelta(days=1)
    expected: Counter[tuple[int, int]] = Counter()
    moment = start.astimezone(UTC)
    while moment < end.astimezone(UTC):
        shown = moment.astimezone(there)
        if shown.weekday() == 5 or not 420 <= shown.hour * 60 + shown.minute < 430:
            clock = moment.astimezone(asking)
            expected[clock.weekday(), clock.hour] += 1
        moment += MINUTE
    around = of(asked_in, changes - timedelta(days=2), changes + timedelta(days=2))
    assert open_minutes(db, mentor.id, around) == expected


def test_a_period_cuts_what_lies_across_its_ends(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(MONDAY_MORNING)
    begin = datetime(2026, 5, 4, 9, 45, tzinfo=UTC)
    span = period_of(begin, begin + timedelta(minutes=45), "UTC", now=NOW)
    assert open_minutes(db, mentor.id, span) == {(0, 9): 15, (0, 10): 30}


def test_hours_that_begin_within_a_minute_lose_none_of_it(db: Connection, mentor: Mentor, set_at: SetHours) -> None:
    set_at(Span(1, 0, 60), at=datetime(2026, 5, 1, tzinfo=UTC))
    set_at(*(Span(day, 0, 1440) for day in range(7)), at=datetime(2026, 5, 4, 10, 20, 30, 500_000, tzinfo=UTC))
    monday = of("UTC", date(2026, 5, 4), date(2026, 5, 4))
    found = open_minutes(db, mentor.id, monday)
    assert (found.pop((0, 10)), set(found.values()), len(found)) == (39, {60}, 13)
