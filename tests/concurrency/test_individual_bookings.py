"""Many at once for the mentors of a course, for one mentee's time, and for one bundle: exact counts, no deadlocks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from models.bookings import bookings
from models.bundles import bundle_purchases
from models.calendar import person_busy
from models.events import events
from tests import factories
from tests.concurrency.racing import ROUNDS, Race, codes, winners
from workflows.accounts.records import Mentor, User
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bookings.records import Booking
from workflows.bookings.series import OnConflict, Recurrence, Series
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.invariants import check_all
from workflows.sessions.actions import create_all
from workflows.sessions.series import cancel_series

CHOOSING = 10


@dataclass(frozen=True)
class Tuition:
    """A course with a product, taught by three mentors, and those who want sessions of it."""

    course: Course
    mentors: list[Mentor]
    listings: list[Listing]
    mentees: list[User]

    @classmethod
    def prepare(cls, db: Connection) -> Tuition:
        course = factories.make_course(db)
        factories.make_product(db, course)
        mentors = [factories.make_mentor(db) for _ in range(3)]
        offered = [factories.make_listing(db, mentor, course_id=course.id) for mentor in mentors]
        return cls(course, mentors, offered, [factories.make_user(db) for _ in range(CHOOSING)])

    def book(self, db: Connection, mentee: User, start: datetime, **wanted: Any) -> tuple[Booking, Series | None]:
        request = IndividualRequest(course_id=self.course.id, start_time=start, duration_minutes=60, **wanted)
        return book_individual(db, actor=factories.acting_user(mentee), wanted=request, now=datetime.now(UTC))


def _count(db: Connection, table: Any, *conditions: Any) -> int:
    return int(db.scalar(select(func.count()).select_from(table).where(*conditions)) or 0)


def _require_no_violation(db: Connection) -> None:
    assert not [finding for finding in check_all(db) if finding.violations]


def test_ten_choices_share_three_mentors(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        tuition = Tuition.prepare(db)
    for _ in range(ROUNDS):
        slot = factories.next_slot()
        outcomes = race.transact([partial(tuition.book, mentee=mentee, start=slot) for mentee in tuition.mentees])
        assert codes(outcomes) == ["no_mentor_free"] * (CHOOSING - 3)
        booked = {booking.mentor_profile_id for booking, _series in winners(outcomes)}
        assert booked == {mentor.id for mentor in tuition.mentors}
    with engine.begin() as db:
        # Those who were refused have left nothing behind.
        assert _count(db, bookings) == 3 * ROUNDS
        assert _count(db, person_busy) == 2 * 3 * ROUNDS
        assert _count(db, events, events.c.type == "booking.accepted") == 3 * ROUNDS
        _require_no_violation(db)


def test_of_a_mentees_bookings_with_two_mentors_one_is_made(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        tuition = Tuition.prepare(db)
    mentee = tuition.mentees[0]
    for _ in range(ROUNDS):
        slot = factories.next_slot()
        calls = [
            partial(tuition.book, mentee=mentee, start=slot + timedelta(minutes=10 * number), mentor_profile_id=each.id)
            for number, each in enumerate(tuition.mentors)
        ]
        outcomes = race.transact([*calls, partial(tuition.book, mentee=mentee, start=slot)])
        assert len(winners(outcomes)) == 1
        assert set(codes(outcomes)) == {"slot_taken"}
    with engine.begin() as db:
        assert _count(db, bookings) == ROUNDS
        _require_no_violation(db)


def test_accepts_instant_and_individual_bookings_of_a_mentee_exclude_each_other(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        tuition, mentee = Tuition.prepare(db), factories.make_user(db)
        asked, instant = factories.make_listing(db), factories.make_listing(db, booking_mode="instant")
    for _ in range(ROUNDS):
        slot = factories.next_slot()
        with engine.begin() as db:
            draft = factories.make_booking(db, listing=asked, mentee=mentee, start_time=slot)
        outcomes = race.transact(
            [
                partial(factories.accept_booking, booking=draft),
                partial(factories.make_booking, listing=instant, mentee=mentee, start_time=slot),
                partial(tuition.book, mentee=mentee, start=slot),
            ]
        )
        assert len(winners(outcomes)) == 1
        refusals = [outcome for outcome in outcomes if outcome not in winners(outcomes)]
        assert [(refusal.code, list(refusal.details)) for refusal in refusals] == [("slot_taken", ["mentee"])] * 2
    with engine.begin() as db:
        _require_no_violation(db)


def test_a_bundle_pays_for_as_many_bookings_as_it_has_credits(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        tuition = Tuition.prepare(db)
    mentee = tuition.mentees[0]
    for number in range(10):
        with engine.begin() as db:
            bundle = factories.make_bundle(db, course=tuition.course, mentee=mentee, session_count=3)
        begin = factories.next_slot() + timedelta(days=number)
        calls = [
            partial(tuition.book, mentee=mentee, start=begin + timedelta(hours=hour), bundle_purchase_id=bundle.id)
            for hour in range(CHOOSING)
        ]
        outcomes = race.transact(calls)
        assert codes(outcomes) == ["bundle_unusable"] * (CHOOSING - 3)
        with engine.begin() as db:
            left = select(bundle_purchases.c.remaining_sessions).where(bundle_purchases.c.id == bundle.id)
            assert db.scalar(left) == 0
            assert _count(db, bookings, bookings.c.bundle_purchase_id == bundle.id) == 3
            _require_no_violation(db)


def test_of_equal_series_one_with_each_mentor_is_made(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        tuition = Tuition.prepare(db)
    for number in range(10):
        slot = factories.next_slot() + timedelta(weeks=5 * number)
        weekly = Recurrence(count=4)
        outcomes = race.transact(
            [partial(tuition.book, mentee=mentee, start=slot, recurrence=weekly) for mentee in tuition.mentees]
        )
        assert codes(outcomes) == ["no_mentor_free"] * (CHOOSING - 3)
        series = [series for _booking, series in winners(outcomes)]
        assert [len(each.made) for each in series] == [4] * 3
        assert len({booking.mentor_profile_id for each in series for booking in each.made}) == 3
    with engine.begin() as db:
        assert _count(db, bookings) == 10 * 3 * 4
        _require_no_violation(db)


def test_series_single_bookings_accepts_and_cancellations_never_deadlock(engine: Engine, race: Race) -> None:
    """Bookings that cross each other's mentors, mentees and bundles, some of which are cancelled meanwhile."""
    with engine.begin() as db:
        tuition = Tuition.prepare(db)
        bundles = [
            factories.make_bundle(db, course=tuition.course, mentee=mentee, session_count=500)
            for mentee in tuition.mentees[:5]
        ]
    seen = Counter[str]()
    for number in range(8):
        slot = factories.next_slot() + timedelta(weeks=6 * number)
        skipping = Recurrence(count=4, on_conflict=OnConflict.SKIP)
        with engine.begin() as db:
            draft = factories.make_booking(
                db, listing=tuition.listings[0], mentee=tuition.mentees[1], start_time=slot + timedelta(weeks=1)
            )
            pays = {"bundle_purchase_id": bundles[0].id, "recurrence": Recurrence(count=5)}
            _first, earlier = tuition.book(db, tuition.mentees[0], slot + timedelta(hours=1), **pays)
            assert earlier is not None
            create_all(db, [booking.id for booking in earlier.made])
        first = earlier.made[0]
        ending: dict[str, Any] = {
            "series_id": earlier.id,
            "mentor_profile_id": first.mentor_profile_id,
            "from_time": slot,
        }
        ending |= {"reason": "Moved", "now": datetime.now(UTC)}
        outcomes = race.transact(
            [
                *(
                    partial(tuition.book, mentee=mentee, start=slot, recurrence=skipping, bundle_purchase_id=bundle.id)
                    for mentee, bundle in zip(tuition.mentees, bundles, strict=False)
                ),
                *(
                    partial(
                        tuition.book, mentee=tuition.mentees[each], start=slot + timedelta(weeks=each), recurrence=None
                    )
                    for each in range(3)
                ),
                partial(factories.accept_booking, booking=draft),
                partial(cancel_series, actor=factories.acting_user(tuition.mentees[0]), **ending),
                partial(cancel_series, actor=factories.mentor_of(first), **ending),
            ]
        )
        seen.update(codes(outcomes))
        seen["made"] += len(winners(outcomes))
    assert seen["made"] > 0
    assert set(seen) <= {"made", "slot_taken", "no_mentor_free"}, seen
    with engine.begin() as db:
        _require_no_violation(db)
