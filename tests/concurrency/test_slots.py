"""Many concurrent bookings of one mentor's time: one succeeds, the others get `slot_taken`, without deadlocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.bookings import BookingStatus, bookings
from models.calendar import mentor_busy
from models.catalog import BookingMode
from models.events import events
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, deadlocks, winners
from workflows.bookings.booking import Booking
from workflows.catalog.listings import Listing
from workflows.identity.people import User
from workflows.invariants import check_all

RIVALS = 10


def test_of_ten_accepts_for_overlapping_times_one_succeeds(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        listing, mentee = factories.make_listing(db), factories.make_user(db)
        rounds = [_overlapping(db, listing, mentee) for _ in range(ROUNDS)]
    engine.dispose()
    before = deadlocks(engine)
    for drafts in rounds:
        outcomes = race.transact([partial(factories.accept_booking, booking=draft) for draft in drafts])
        assert codes(outcomes) == ["slot_taken"] * (RIVALS - 1)
        (accepted,) = winners(outcomes)
        assert accepted.status is BookingStatus.ACCEPTED
    engine.dispose()
    assert deadlocks(engine) == before
    with engine.begin() as db:
        assert _count(db, bookings, bookings.c.status == BookingStatus.ACCEPTED) == ROUNDS
        assert _count(db, bookings, bookings.c.status == BookingStatus.DRAFT) == ROUNDS * (RIVALS - 1)
        assert _count(db, mentor_busy) == ROUNDS
        assert _count(db, events, events.c.type == "booking.accepted") == ROUNDS
        assert not [finding for finding in check_all(db) if finding.violations]


def test_of_ten_instant_bookings_of_one_slot_one_succeeds(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, booking_mode=BookingMode.INSTANT)
        mentees = [factories.make_user(db) for _ in range(RIVALS)]
    engine.dispose()
    before = deadlocks(engine)
    for _ in range(ROUNDS):
        slot = factories.next_slot()
        outcomes = race.transact(
            [partial(factories.make_booking, listing=listing, mentee=mentee, start_time=slot) for mentee in mentees]
        )
        assert codes(outcomes) == ["slot_taken"] * (RIVALS - 1)
        (booked,) = winners(outcomes)
        assert (booked.status, booked.start_time) == (BookingStatus.ACCEPTED, slot)
    engine.dispose()
    assert deadlocks(engine) == before
    with engine.begin() as db:
        # Who was refused has left nothing behind.
        assert _count(db, bookings) == _count(db, mentor_busy) == ROUNDS
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


def _count(db: Connection, table: object, *conditions: object) -> int:
    return int(db.scalar(select(func.count()).select_from(table).where(*conditions)))  # type: ignore[arg-type]
