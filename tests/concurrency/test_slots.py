"""Many concurrent bookings of one mentor's time: one succeeds, the others get `slot_taken`, without deadlocks."""

from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select

from models.availability import availability_rules, weekly_hours
from models.bookings import BookingStatus, bookings
from models.calendar import person_busy
from models.catalog import BookingMode
from models.engine import create
from models.events import events
from tests import factories
from tests.concurrency.accept_race import race
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from tests.queries import broken_invariants
from workflows.accounts.records import Mentor, User
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.bookings.records import Booking
from workflows.catalog.listings import Listing
from workflows.invariants import check_all

RIVALS = 10


def test_of_ten_accepts_for_overlapping_times_one_succeeds(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        rounds = [_overlapping(db, listing, mentee) for _ in range(ROUNDS)]
    for drafts in rounds:
        outcomes = race.transact([partial(factories.accept_booking, booking=draft) for draft in drafts])
        assert codes(outcomes) == ["slot_taken"] * (RIVALS - 1)
        (accepted,) = winners(outcomes)
        assert accepted.status is BookingStatus.ACCEPTED
    with engine.begin() as db:
        assert _count(db, bookings, bookings.c.status == BookingStatus.ACCEPTED) == ROUNDS
        assert _count(db, bookings, bookings.c.status == BookingStatus.DRAFT) == ROUNDS * (RIVALS - 1)
        assert _count(db, person_busy) == 2 * ROUNDS
        assert _count(db, events, events.c.type == "booking.accepted") == ROUNDS
        assert not [finding for finding in check_all(db) if finding.violations]


def test_of_ten_instant_bookings_of_one_slot_one_succeeds(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, booking_mode=BookingMode.INSTANT)
        mentees = [factories.make_user(db) for _ in range(RIVALS)]
    for _ in range(ROUNDS):
        slot = factories.next_slot()
        outcomes = race.transact(
            [partial(factories.make_booking, listing=listing, mentee=mentee, start_time=slot) for mentee in mentees]
        )
        assert codes(outcomes) == ["slot_taken"] * (RIVALS - 1)
        (booked,) = winners(outcomes)
        assert (booked.status, booked.start_time) == (BookingStatus.ACCEPTED, slot)
    with engine.begin() as db:
        # Who was refused has left nothing behind.
        assert 2 * _count(db, bookings) == _count(db, person_busy) == 2 * ROUNDS
        assert _count(db, events, events.c.type == "booking.accepted") == ROUNDS


def test_accepts_for_times_that_only_touch_all_succeed(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        begin = datetime.now(UTC) + timedelta(days=1)
        drafts = [
            factories.make_booking(db, listing=listing, mentee=mentee, start_time=begin + timedelta(hours=hour))
            for hour in range(RIVALS)
        ]
    outcomes = race.transact([partial(factories.accept_booking, booking=draft) for draft in drafts])
    assert codes(outcomes) == []


def _overlapping(db: Connection, listing: Listing, mentee: User) -> list[Booking]:
    """Drafts of an hour each that begin five minutes after one another: each overlaps all others."""
    begin = factories.next_slot()
    return [
        factories.make_booking(db, listing=listing, mentee=mentee, start_time=begin + timedelta(minutes=5 * number))
        for number in range(RIVALS)
    ]


def _count(db: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    return db.scalars(select(func.count()).select_from(table).where(*conditions)).one()


SECONDS = 2
DRAFTS = 10_000
# Enough for every round: drafts that were tried before meet no transaction that is still open.
ROUNDS_WITHOUT_LOCK, DRAFTS_WITHOUT_LOCK = 10, 30_000


def test_sixteen_clients_on_four_mentors_never_deadlock(database_url: str) -> None:
    result = race(database_url, seconds=SECONDS, drafts=DRAFTS)
    assert result.deadlocks == 0
    # There was a race: some got the time, others wanted it as well.
    assert result.accepted > 100
    assert result.refused > 100
    engine = create(database_url)
    assert not broken_invariants(engine)
    engine.dispose()


def test_without_the_mentors_lock_they_would(database_url: str) -> None:
    result = race(database_url, seconds=1, drafts=DRAFTS_WITHOUT_LOCK, lock=False, rounds=ROUNDS_WITHOUT_LOCK)
    assert result.deadlocks > 0


CALLERS, CHANGES = 8, 10


def change(db: Connection, mentor: Mentor, seen: WeeklyHours, closes: int, *, any_version: bool) -> WeeklyHours:
    """Set hours that end at a time of their own."""
    return set_hours(
        db,
        actor=factories.acting_mentor(mentor),
        seen=seen,
        spans=[Span(0, 0, closes), Span(1, 0, closes)],
        time_zone=None,
        now=factories.this_hour(),
        any_version=any_version,
    )


def present(db: Connection, mentor: Mentor) -> WeeklyHours:
    return WeeklyHours.of(db.execute(weekly_hours_query(mentor.id)).one())


def test_of_changes_to_the_same_version_one_wins(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
    for number in range(CHANGES):
        with engine.begin() as db:
            seen = present(db, mentor)
        minutes = [1 + CALLERS * number + caller for caller in range(CALLERS)]
        outcomes = race.transact(
            [partial(change, mentor=mentor, seen=seen, closes=n, any_version=False) for n in minutes]
        )
        assert codes(outcomes) == ["stale"] * (CALLERS - 1)
        with engine.begin() as db:
            assert [present(db, mentor)] == winners(outcomes)


def test_without_a_version_all_changes_are_made_in_turn(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        seen = present(db, mentor)
    calls = [partial(change, mentor=mentor, seen=seen, closes=1 + n, any_version=True) for n in range(CALLERS)]
    outcomes = winners(race.transact(calls))
    assert sorted(hours.version for hours in outcomes) == list(range(1, CALLERS + 1))
    with engine.begin() as db:
        assert present(db, mentor) == max(outcomes, key=lambda hours: hours.version)
        ended = db.execute(select(weekly_hours).where(weekly_hours.c.until.is_not(None))).all()
        assert len(ended) == CALLERS - 1
        assert db.scalar(select(func.count()).select_from(availability_rules)) == 2 * CALLERS
