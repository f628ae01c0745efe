"""Tests of the ledger of a bundle: who may spend a credit on what and until when, and how it comes back."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, select

from models.bundles import bundle_entries
from models.events import events
from tests import factories
from workflows.bundles.ledger import give_back, spend
from workflows.bundles.records import Bundle, bundle_query
from workflows.identity.actor import SYSTEM
from workflows.kernel.errors import Conflict, DomainError, NotFound

NOW = datetime.now(UTC)
TICK = timedelta(microseconds=1)


@dataclass
class Buyer:
    """A mentee with a bundle of a course, and bookings to pay for."""

    db: Connection
    product: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.course = factories.make_course(self.db)
        self.mentee = factories.make_user(self.db)
        self.bundle = factories.make_bundle(
            self.db, course=self.course, mentee=self.mentee, at=NOW, **{"session_count": 2, **self.product}
        )

    def booking(self) -> UUID:
        return factories.make_booking(self.db, mentee=self.mentee).id

    def spend(self, booking_id: UUID | None = None, **changed: Any) -> UUID:
        paid: UUID = booking_id or self.booking()
        wanted = {
            "bundle_purchase_id": self.bundle.id,
            "mentee_user_id": self.mentee.id,
            "course_id": self.course.id,
            "duration_minutes": 60,
            "actor": factories.acting_user(self.mentee),
            "now": NOW,
        }
        spend(self.db, booking_id=paid, **{**wanted, **changed})
        return paid

    def give_back(self, booking_id: UUID, **words: Any) -> bool:
        words = {"by_mentee": False, "now": NOW, **words}
        return give_back(self.db, booking_id=booking_id, actor=SYSTEM, **words) is not None

    def present(self) -> Bundle:
        return Bundle.of(self.db.execute(bundle_query(self.bundle.id)).one())

    def ledger(self) -> list[tuple[Any, ...]]:
        entries = select(bundle_entries).where(bundle_entries.c.bundle_purchase_id == self.bundle.id)
        rows = self.db.execute(entries.order_by(bundle_entries.c.sequence))
        return [(row.kind, row.credits, row.balance, row.booking_id) for row in rows]

    def happened(self) -> list[str]:
        query = select(events.c.type).where(events.c.subject_id == self.bundle.id)
        return list(self.db.scalars(query.order_by(events.c.sequence)))


def reason_of(refusal: DomainError) -> tuple[str, list[str]]:
    assert refusal.details is not None
    return refusal.code, refusal.details["bundlePurchaseId"]


def test_the_ledger_tells_each_move_with_its_balance(db: Connection) -> None:
    buyer = Buyer(db)
    first, second = buyer.spend(), buyer.spend()
    assert buyer.give_back(first, reason="declined")
    assert buyer.ledger() == [
        ("purchase", 2, 2, None),
        ("spend", -1, 1, first),
        ("spend", -1, 0, second),
        ("give_back", 1, 1, first),
    ]
    assert buyer.present().remaining_sessions == 1


def test_the_last_credit_closes_the_bundle_for_good(db: Connection) -> None:
    buyer = Buyer(db)
    buyer.spend()
    assert buyer.present().closed_at is None
    last = buyer.spend()
    assert (buyer.present().closed_at, buyer.present().status_at(NOW)) == (NOW, "exhausted")
    assert buyer.happened() == ["bundle.purchased", "bundle.exhausted"]
    buyer.give_back(last)
    assert (buyer.present().closed_at, buyer.present().status_at(NOW)) == (NOW, "active")
    buyer.spend(now=NOW + TICK)
    assert buyer.present().closed_at == NOW


@pytest.mark.parametrize("with_seat", [False, True])
def test_a_credit_comes_back_once(db: Connection, with_seat: bool) -> None:
    buyer = Buyer(db)
    seat = uuid4() if with_seat else None
    booking = buyer.spend(seat_id=seat)
    assert [buyer.give_back(booking, seat_id=seat) for _ in range(3)] == [True, False, False]
    assert buyer.present().remaining_sessions == 2


def test_each_seat_of_a_booking_has_its_own_credit(db: Connection) -> None:
    buyer = Buyer(db)
    seats = [uuid4(), uuid4()]
    booking = buyer.booking()
    for seat in seats:
        buyer.spend(booking, seat_id=seat)
    assert not buyer.give_back(booking)
    assert buyer.give_back(booking, seat_id=seats[1])
    assert not buyer.give_back(buyer.booking(), seat_id=seats[0])
    assert buyer.present().remaining_sessions == 1


def test_nothing_comes_back_where_none_was_spent(db: Connection) -> None:
    buyer = Buyer(db)
    assert not buyer.give_back(buyer.booking())
    assert buyer.ledger() == [("purchase", 2, 2, None)]


@pytest.mark.parametrize(
    ("when", "usable"), [(timedelta(days=30) - TICK, True), (timedelta(days=30), False), (timedelta(days=31), False)]
)
def test_a_bundle_is_usable_until_its_end(db: Connection, when: timedelta, usable: bool) -> None:
    buyer = Buyer(db, {"valid_days": 30})
    if usable:
        buyer.spend(now=NOW + when)
    else:
        with pytest.raises(Conflict) as refused:
            buyer.spend(now=NOW + when)
        assert reason_of(refused.value) == ("bundle_unusable", ["expired"])
    assert buyer.present().remaining_sessions == (1 if usable else 2)


def test_a_bundle_of_another_course_is_refused(db: Connection) -> None:
    buyer = Buyer(db)
    for course_id in (factories.make_course(db).id, None):
        with pytest.raises(Conflict) as refused:
            buyer.spend(course_id=course_id)
        assert reason_of(refused.value) == ("bundle_unusable", ["other_course"])


@pytest.mark.parametrize(("of_bundle", "usable"), [(None, True), (60, True), (30, False)])
def test_a_bundle_may_be_for_one_duration(db: Connection, of_bundle: int | None, usable: bool) -> None:
    buyer = Buyer(db, {"duration_minutes": of_bundle})
    if usable:
        buyer.spend()
        return
    with pytest.raises(Conflict, match="30 minutes") as refused:
        buyer.spend()
    assert reason_of(refused.value) == ("bundle_unusable", ["wrong_duration"])


def test_an_empty_bundle_is_refused(db: Connection) -> None:
    buyer = Buyer(db, {"session_count": 1})
    buyer.spend()
    with pytest.raises(Conflict) as refused:
        buyer.spend()
    assert reason_of(refused.value) == ("bundle_unusable", ["empty"])
    assert buyer.happened() == ["bundle.purchased", "bundle.exhausted"]


def test_an_unknown_bundle_and_another_persons_are_not_found(db: Connection) -> None:
    buyer = Buyer(db)
    for changed in ({"bundle_purchase_id": uuid4()}, {"mentee_user_id": factories.make_user(db).id}):
        with pytest.raises(NotFound, match="There is no such bundle"):
            buyer.spend(**changed)
    assert buyer.present().remaining_sessions == 2


def test_a_credit_is_spent_once_per_booking(db: Connection) -> None:
    buyer = Buyer(db)
    booking = buyer.spend()
    with pytest.raises(Exception, match="uq_bundle_entries_booking_id_kind"), db.begin_nested():
        buyer.spend(booking)
    assert buyer.present().remaining_sessions == 1
