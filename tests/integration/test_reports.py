"""Tests of what reports count, on the clocks of a zone: exact over both changes of the clocks, in three zones."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, func, insert, select

from models.bookings import BookingStatus
from models.catalog import courses
from models.maintenance import session_count_changes, session_counts
from models.sessions import OutcomeType
from tests import factories
from tests.factories import complete_session, make_session, start_session
from tests.integration.harness import Harness
from tests.integration.past_lives import HOUR, at, held_on_wednesday, past_life, seat
from tests.statements import statements_of
from workflows.analytics.availability import availability_of
from workflows.analytics.counts import Conversion, Grouping, conversion_query, session_counts_query
from workflows.analytics.scope import Period, Scope, period_of
from workflows.analytics.summary import Summary, add_up_changes, summary_of
from workflows.analytics.transition_times import Transition, histograms_of, transition_times_query
from workflows.bookings.actions import accept
from workflows.bookings.request import request
from workflows.events.event_types import SeatJoined, SeatLeft, SeatRefunded
from workflows.identity.actor import Actor
from workflows.invariants import check_all
from workflows.kernel.paging import Page
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel
from workflows.sessions.records import Session, SessionWithTerms, session_with_terms_query

NOW = datetime(2027, 6, 1, tzinfo=UTC)

# Both changes of the clocks, in the north, in the south, and by half an hour where days of UTC are far from the zone's.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
]

# How many minutes of that Sunday's clocks have that hour.
AT_THE_CHANGE = dict(zip(CHANGES, [(2, 0), (2, 120), (2, 0), (1, 120), (1, 90), (2, 30)], strict=True))
WIDE = Page(limit=1000)


@pytest.fixture
def mentor_id(db: Connection) -> UUID:
    return factories.make_mentor(db).id


def of(zone: str, first: date, last: date) -> Period:
    return period_of(first, last, zone, now=NOW)


def rows(db: Connection, span: Period, group: Grouping, scope: Scope | None = None) -> list[Any]:
    return list(db.execute(session_counts_query(WIDE, period=span, group=group, scope=scope or Scope())))


def counted(db: Connection, first: date, last: date) -> dict[str, dict[str, int]]:
    found = {}
    for row in rows(db, of("UTC", first, last), Grouping.DAY):
        counts = {name: count for name, count in row._mapping.items() if name not in ("key", "day") and count}
        found[str(row.day)] = counts
    return found


def conversion(db: Connection, first: date, last: date) -> tuple[int, ...]:
    found = Conversion.of(db.execute(conversion_query(period=of("UTC", first, last), scope=Scope())).one())
    return (found.requests, found.accepted, found.sessions, found.completed, found.reviewed)


def times(db: Connection, first: date, last: date) -> dict[Transition, tuple[int, int, list[int]]]:
    """Of each step that was made: how often, how long in all, and in which buckets."""
    found = histograms_of(db.execute(transition_times_query(period=of("UTC", first, last), scope=Scope())).all())
    return {
        each.transition: (
            each.count,
            each.milliseconds,
            [number for number, bucket in enumerate(each.buckets) if bucket.count],
        )
        for each in found
        if each.count
    }


MONDAY, WEDNESDAY, SUNDAY = date(2026, 5, 4), date(2026, 5, 6), date(2026, 5, 10)
MINUTES = 60_000


def test_each_step_counts_on_its_own_day(db: Connection, mentor_id: UUID) -> None:
    held_on_wednesday(db, mentor_id)
    assert counted(db, MONDAY, SUNDAY) == {
        "2026-05-05": {"created": 1},
        "2026-05-06": {"started": 1, "completed": 1, "minutes": 60},
    }


def test_a_request_counts_where_it_was_made(db: Connection, mentor_id: UUID) -> None:
    held_on_wednesday(db, mentor_id)
    assert conversion(db, MONDAY, MONDAY) == (1, 1, 1, 1, 1)
    assert conversion(db, date(2026, 5, 5), SUNDAY) == (0, 0, 0, 0, 0)


def test_each_step_takes_its_time_on_the_day_it_ends(db: Connection, mentor_id: UUID) -> None:
    held_on_wednesday(db, mentor_id)
    assert times(db, MONDAY, MONDAY) == {}
    assert times(db, date(2026, 5, 5), date(2026, 5, 5)) == {
        Transition.REQUEST_TO_DECISION: (1, 90 * MINUTES, [5]),
        Transition.ACCEPTANCE_TO_SESSION: (1, 120, [2]),
    }
    assert times(db, WEDNESDAY, WEDNESDAY) == {
        Transition.START_DELAY: (1, -2 * MINUTES, [2]),
        Transition.LENGTH: (1, 65 * MINUTES, [5]),
    }


def test_a_refusal_is_a_decision_and_a_withdrawal_is_none(db: Connection, mentor_id: UUID) -> None:
    for status in (BookingStatus.DECLINED, BookingStatus.CANCELLED):
        past_life(db, mentor_id, status=status, requested=at("2026-05-04T10:00Z"), decided=at("2026-05-04T10:10Z"))
    past_life(db, mentor_id, status=BookingStatus.DRAFT, requested=at("2026-05-04T10:00Z"))
    assert times(db, MONDAY, SUNDAY) == {Transition.REQUEST_TO_DECISION: (1, 10 * MINUTES, [2])}
    assert conversion(db, MONDAY, SUNDAY) == (3, 0, 0, 0, 0)


def test_an_instant_booking_is_a_request_without_a_decision(db: Connection, mentor_id: UUID) -> None:
    past_life(db, mentor_id, decided=at("2026-05-04T10:00Z"), created=at("2026-05-04T10:00:01Z"))
    assert conversion(db, MONDAY, MONDAY) == (1, 1, 1, 0, 0)
    assert times(db, MONDAY, MONDAY) == {Transition.ACCEPTANCE_TO_SESSION: (1, 1_000, [5])}


def test_a_group_is_counted_and_never_requested(db: Connection, mentor_id: UUID) -> None:
    past_life(
        db, mentor_id, group=True, decided=at("2026-05-04T10:00Z"), created=at("2026-05-04T10:00:01Z"),
        started=at("2026-05-06T10:00Z"), completed=at("2026-05-06T11:00Z"), reviewed=at("2026-05-06T12:00Z"),
    )  # fmt: skip
    assert counted(db, MONDAY, SUNDAY) == {
        "2026-05-04": {"created": 1},
        "2026-05-06": {"started": 1, "completed": 1, "minutes": 60},
    }
    assert conversion(db, MONDAY, SUNDAY) == (0, 0, 0, 0, 0)


def test_a_late_cancellation_is_one_of_the_cancellations(db: Connection, mentor_id: UUID) -> None:
    for late in (True, False, False):
        past_life(db, mentor_id, created=at("2026-05-03T10:00Z"), cancelled=at("2026-05-04T10:00Z"), late=late)
    assert counted(db, MONDAY, MONDAY) == {"2026-05-04": {"cancelled": 3, "late_cancellations": 1}}


def test_who_did_not_come_has_not_cancelled_late(db: Connection, mentor_id: UUID) -> None:
    made, ended = at("2026-05-03T10:00Z"), at("2026-05-04T10:00Z")
    past_life(db, mentor_id, created=made, cancelled=ended, late=True, kind=OutcomeType.NO_SHOW)
    assert counted(db, MONDAY, MONDAY) == {"2026-05-04": {"cancelled": 1}}


def test_only_a_start_can_take_less_than_no_time(db: Connection, mentor_id: UUID) -> None:
    first, *then = [at("2026-05-04T09:00Z") - number * timedelta(seconds=1) for number in range(5)]
    past_life(db, mentor_id, requested=first, decided=then[0], created=then[1], started=then[2], completed=then[3])
    found = times(db, MONDAY, MONDAY)
    assert {step: milliseconds for step, (_count, milliseconds, _buckets) in found.items()} == {
        **dict.fromkeys(Transition, 0),
        Transition.START_DELAY: -3_603_000,
    }


def test_a_time_at_a_bound_belongs_to_the_bucket_above(db: Connection, mentor_id: UUID) -> None:
    started = at("2026-05-04T10:00Z")
    for length in (timedelta(minutes=59, seconds=59, microseconds=999_999), HOUR):
        past_life(db, mentor_id, created=started, started=started, completed=started + length)
    assert times(db, MONDAY, MONDAY)[Transition.LENGTH] == (2, 3_599_999 + 3_600_000, [4, 5])


def moments(around: date) -> Iterator[datetime]:
    """One every forty minutes or so, from two days before to three days after."""
    start = datetime(around.year, around.month, around.day, tzinfo=UTC) - timedelta(days=2)
    return (start + n * timedelta(minutes=39, seconds=59, microseconds=999_999) for n in range(180))


@pytest.mark.parametrize(("zone", "changes"), CHANGES)
def test_days_and_weeks_are_those_of_the_zones_clocks(
    db: Connection, mentor_id: UUID, zone: str, changes: date
) -> None:
    made = list(moments(changes))
    for moment in made:
        past_life(db, mentor_id, created=moment)
    there = ZoneInfo(zone)
    span = of(zone, changes - timedelta(days=3), changes + timedelta(days=3))
    days = Counter(moment.astimezone(there).date() for moment in made)
    assert {row.day: row.created for row in rows(db, span, Grouping.DAY)} == days
    assert len(days) >= 5
    weeks = Counter(day - timedelta(days=day.weekday()) for moment in made if (day := moment.astimezone(there).date()))
    assert {row.week: row.created for row in rows(db, span, Grouping.WEEK)} == weeks
    hours = Counter(begin_of_hour(moment, there) for moment in made)
    assert {row.hour: row.created for row in rows(db, span, Grouping.HOUR)} == hours
    its_own_day = of(zone, changes, changes)
    for group in (Grouping.DAY, Grouping.WEEK, Grouping.MENTOR, Grouping.COURSE):
        assert [row.created for row in rows(db, its_own_day, group)] == [days[changes]], group


def begin_of_hour(moment: datetime, there: ZoneInfo) -> datetime:
    """When the clocks of a zone last showed a whole hour, if they had never been changed."""
    clock = moment.astimezone(there)
    return moment - timedelta(minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)


def test_a_period_can_end_within_a_day(db: Connection, mentor_id: UUID) -> None:
    first, end = date(2026, 3, 27), at("2026-03-31T22:45Z")
    made = [moment for moment in moments(date(2026, 3, 29)) if moment > at("2026-03-31T20:00Z")]
    for moment in made:
        past_life(db, mentor_id, created=moment)
    found = rows(db, period_of(first, end, "UTC", now=NOW), Grouping.DAY)
    assert 0 < sum(row.created for row in found) == sum(moment < end for moment in made) < len(made)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_a_grouping_names_courses_and_mentors_and_is_complete(db: Connection, zone: str) -> None:
    course = uuid4()
    db.execute(insert(courses).values(id=course, title="Compilers"))
    ada, ben = (factories.make_mentor(db, factories.make_user(db, name=name)) for name in ("Ada", "Ben"))
    moment = at("2026-05-04T10:00Z")
    for mentor, course_id, lives in ((ada, None, 1), (ada, course, 2), (ben, course, 3)):
        for _ in range(lives):
            past_life(
                db, mentor.id, course_id=course_id, length=timedelta(minutes=45),
                created=moment, started=moment, completed=moment,
            )  # fmt: skip
    span = of(zone, date(2026, 5, 4), date(2026, 5, 4))
    assert [(row.mentor_name, row.completed, row.minutes) for row in rows(db, span, Grouping.MENTOR)] == [
        ("Ada", 3, 135),
        ("Ben", 3, 135),
    ]
    assert [(row.course_title, row.completed) for row in rows(db, span, Grouping.COURSE)] == [
        (None, 1),
        ("Compilers", 5),
    ]
    hers = Scope(mentor_profile_id=ada.id, course_id=course)
    assert [row.completed for row in rows(db, span, Grouping.DAY, hers)] == [2]


def test_seats_are_those_that_were_not_given_back(db: Connection, mentor_id: UUID) -> None:
    for day, event, seats in (("04", SeatJoined, 3), ("05", SeatLeft, 1)):
        for _seat in range(seats):
            seat(db, mentor_id, event, at(f"2026-05-{day}T10:00Z"))
    (week,) = rows(db, of("UTC", date(2026, 5, 4), date(2026, 5, 10)), Grouping.WEEK)
    assert (week.seats, week.seats_joined, week.seats_left) == (2, 3, 1)
    monday, tuesday = rows(db, of("UTC", date(2026, 5, 4), date(2026, 5, 10)), Grouping.DAY)
    assert (monday.seats, tuesday.seats) == (3, -1)


def test_seats_of_a_cancelled_group_are_not_taken(db: Connection, mentor_id: UUID) -> None:
    for event, late in ((SeatJoined, False),) * 4 + ((SeatLeft, True), (SeatLeft, False), (SeatRefunded, False)):
        seat(db, mentor_id, event, at("2026-05-04T10:00Z"), late=late)
    (monday,) = rows(db, of("UTC", date(2026, 5, 4), date(2026, 5, 10)), Grouping.DAY)
    assert (monday.seats, monday.seats_joined, monday.seats_left) == (1, 4, 2)
    assert (monday.seats_left_late, monday.seats_refunded) == (1, 1)


@pytest.mark.parametrize(("zone", "changes"), CHANGES)
def test_requests_are_of_their_day_on_the_zones_clocks(
    db: Connection, mentor_id: UUID, zone: str, changes: date
) -> None:
    span = of(zone, changes, changes)
    quarter = timedelta(minutes=15)
    for moment in (span.start - timedelta(seconds=1), span.start, span.end - quarter, span.end):
        past_life(db, mentor_id, requested=moment, decided=moment)
    found = Conversion.of(db.execute(conversion_query(period=span, scope=Scope())).one())
    assert (found.requests, found.accepted, found.reviewed) == (2, 2, 0)
    assert (found.rate(found.accepted), found.rate(found.reviewed)) == (1.0, 0.0)


def a_session(db: Connection, mentor: Any, start: datetime, minutes: int) -> Session:
    listing = factories.make_listing(db, mentor, duration_minutes=minutes)
    asked = start - timedelta(days=2)
    mentee = factories.acting_user(factories.make_user(db))
    booking = request(db, actor=mentee, listing_id=listing.id, start_time=start, now=asked)
    return create(db, booking_id=accept(db, actor=factories.mentor_of(booking), booking=booking, now=asked).id)


def booked(db: Connection, mentor_id: UUID, span: Period) -> dict[tuple[int, int], int]:
    found = availability_of(db, mentor_id, span)
    assert len(found.hours) == 168
    assert {hour.open_minutes for hour in found.hours} == {None}
    return {(hour.weekday, hour.hour): hour.booked_minutes for hour in found.hours if hour.booked_minutes}


def test_booked_minutes_add_up_across_hours(db: Connection) -> None:
    mentor = factories.make_mentor(db)
    begin = at("2026-05-04T20:06:55.5Z")
    a_session(db, mentor, begin, 60)
    span = of("UTC", date(2026, 5, 4), date(2026, 5, 10))
    assert booked(db, mentor.id, span) == {(0, 20): 53, (0, 21): 7}
    # From Monday's last hour to Tuesday's first.
    a_session(db, mentor, begin + 3 * HOUR, 70)
    assert booked(db, mentor.id, span) == {(0, 20): 53, (0, 21): 7, (0, 23): 53, (1, 0): 17}


@pytest.mark.parametrize(("zone", "changes"), CHANGES)
def test_booked_minutes_lie_in_the_hours_that_the_clocks_show(db: Connection, zone: str, changes: date) -> None:
    mentor, there = factories.make_mentor(db), ZoneInfo(zone)
    # All around the change without a gap, by pieces that begin and end within hours.
    begin = datetime(changes.year, changes.month, changes.day, tzinfo=there).astimezone(UTC) - 2 * HOUR
    for number in range(12):
        a_session(db, mentor, begin + number * timedelta(minutes=50), 50)
    expected: Counter[tuple[int, int]] = Counter()
    for minute in range(600):
        clock = (begin + timedelta(minutes=minute)).astimezone(there)
        expected[clock.weekday(), clock.hour] += 1
    span = of(zone, changes - timedelta(days=1), changes + timedelta(days=1))
    assert booked(db, mentor.id, span) == expected
    hour, minutes = AT_THE_CHANGE[zone, changes]
    assert expected[6, hour] == minutes, "the hour of the change is left out, comes twice, or is longer or shorter"


def test_booked_minutes_are_cut_at_the_ends_of_the_period(db: Connection) -> None:
    mentor = factories.make_mentor(db)
    for start in ("2026-05-04T23:30Z", "2026-05-11T10:15Z", "2026-05-18T10:15Z"):
        a_session(db, mentor, at(start), 90)
    assert booked(db, mentor.id, of("UTC", date(2026, 5, 5), date(2026, 5, 31))) == {
        (1, 0): 60,
        (0, 10): 90,
        (0, 11): 90,
    }
    assert booked(db, mentor.id, of("UTC", date(2026, 5, 4), date(2026, 5, 4))) == {(0, 23): 30}


def test_cancelled_sessions_and_other_mentors_take_no_time(db: Connection) -> None:
    mentor = factories.make_mentor(db)
    session = a_session(db, mentor, at("2026-05-04T10:00Z"), 60)
    a_session(db, factories.make_mentor(db), at("2026-05-04T12:00Z"), 60)
    span = of("UTC", date(2026, 5, 4), date(2026, 5, 4))
    assert booked(db, mentor.id, span) == {(0, 10): 60}
    row = db.execute(session_with_terms_query(session.id)).one()
    actor = Actor(operator=True, name="operator:tests")
    cancel(db, actor=actor, session=SessionWithTerms.of(row), reason="x", now=at("2026-05-03T10:00Z"))
    assert booked(db, mentor.id, span) == {}


def test_sessions_of_a_period_are_counted_by_status(db: Connection) -> None:
    mentor = factories.make_mentor(db)
    for start in ("2026-05-04T10:00Z", "2026-05-05T10:00Z", "2026-05-06T00:00Z"):
        a_session(db, mentor, at(start), 45)
    started = a_session(db, mentor, at("2026-05-05T12:00Z"), 30)
    factories.start_session(db, started)
    span = of("UTC", date(2026, 5, 4), date(2026, 5, 5))
    found = {row.status: (row.sessions, row.minutes) for row in rows(db, span, Grouping.STATUS)}
    assert found == {"scheduled": (2, 90), "in_progress": (1, 30)}
    assert rows(db, span, Grouping.STATUS, Scope(mentor_profile_id=uuid4())) == []


def test_a_report_is_one_statement(db: Connection) -> None:
    for zone in ("UTC", "Europe/Berlin"):
        for group in Grouping:
            with statements_of(db.engine) as made:
                rows(db, of(zone, date(2026, 1, 1), date(2026, 12, 31)), group)
            assert len(made.statements) == 1


def live(harness: Harness) -> None:
    with harness.transactions() as db:
        make_session(db)
        start_session(db, make_session(db))
        complete_session(db, start_session(db, make_session(db)))


def shown(engine: Engine) -> Summary:
    with engine.connect() as db:
        assert [found.name for found in check_all(db) if found.violations] == []
        return summary_of(db, now=datetime.now(UTC))


def test_the_summary_does_not_depend_on_adding_up_changes(harness: Harness) -> None:
    live(harness)
    before = shown(harness.engine)
    assert before.statuses == {"scheduled": 1, "in_progress": 1, "completed": 1}
    assert (before.sessions, before.accepted_bookings) == (3, 3)
    with harness.engine.begin() as first:
        assert not add_up_changes(first)
        with harness.engine.connect() as db:
            assert summary_of(db, now=datetime.now(UTC)) == before, "by then another has not committed"
            # What one adds up, another leaves alone, and does not wait.
            assert not add_up_changes(db)
            db.rollback()
        live(harness)
    assert shown(harness.engine).statuses == {"scheduled": 2, "in_progress": 2, "completed": 2}
    with harness.engine.connect() as db:
        assert db.scalar(select(func.sum(session_counts.c.amount))) == 6
        assert db.scalar(select(func.count()).select_from(session_count_changes)) == 3 + 3 + 2 * 1 + 2 * 2


@pytest.mark.parametrize("without", [(), ("hashjoin", "hashagg", "material", "sort")], ids=["usual", "nested"])
def test_changes_are_added_up_batch_by_batch_whatever_the_plan(harness: Harness, without: Sequence[str]) -> None:
    live(harness)
    before = shown(harness.engine)
    batches = 0
    while True:
        with harness.engine.begin() as db:
            for kind in without:
                db.exec_driver_sql(f"SET LOCAL enable_{kind} = off")
            more = add_up_changes(db, limit=4)
        batches += 1
        assert shown(harness.engine) == before
        if not more:
            break
    assert batches == 12 // 4 + 1
