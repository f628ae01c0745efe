"""A small marketplace under random use, and beside it what must have come of every action.

Each action is a workflow at a moment of the test's own clock. Its outcome is predicted by the rules, and afterwards the
tables must agree with what people should have. What the workflows compute is computed here once more, in another way.
"""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from models.catalog import ProductKind
from models.engine import driver_of
from tests import factories
from tests.integration.expectations import (
    DAY,
    HOUR,
    TICK,
    ExpectedBooking,
    ExpectedBundle,
    ExpectedGroup,
    Promise,
    Terms,
    blocked_by,
    overlaps,
    require_equal,
)
from workflows.accounts.records import Mentor, User
from workflows.bookings.records import Booking, booking_query
from workflows.bundles.records import Bundle, bundle_query
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.catalog.products import Product
from workflows.events.record import flush_deferred, savepoint
from workflows.invariants import check_all
from workflows.kernel.errors import DomainError
from workflows.terms.cancellation import Quote

DAYS = 60
# Prices that do not halve evenly, in currencies with two, no and three decimals, under policies of every kind.
OFFERS: list[dict[str, Any]] = [
    {"price_currency": "EUR", "cancellation_window_hours": 24, "late_fee_percent": 50, "buffer_minutes": 15},
    {"price_currency": "JPY", "cancellation_window_hours": 2, "late_fee_percent": 100, "buffer_before_minutes": 10},
    {"price_currency": "KWD", "cancellation_window_hours": 24, "late_fee_percent": 0},
    {"price_currency": "EUR", "cancellation_window_hours": None, "late_fee_percent": 50},
]
PRICES = [0, 1, 3333, 4005]
BUNDLES: list[dict[str, Any]] = [
    {"session_count": 2, "valid_days": 1},
    {"session_count": 1},
    {"session_count": 3, "duration_minutes": 90},
]

_BUNDLES = b"""
SELECT b.id, b.total_sessions, b.remaining_sessions, sum(e.credits) AS credits,
       (array_agg(e.balance ORDER BY e.sequence DESC))[1] AS balance, b.valid_to
FROM bundle_purchases b LEFT JOIN bundle_entries e ON e.bundle_purchase_id = b.id GROUP BY b.id
"""
_GROUPS = b"SELECT booking_id, capacity, seats_taken, seats_offered FROM group_sessions"
_SEATS = b"SELECT booking_id, user_id, price_amount FROM booking_participants WHERE seat_id IS NOT NULL"
_LINES = b"SELECT booking_id, user_id, offered_until FROM waitlist_entries ORDER BY id"
_MENTORS_TIME = b"""
SELECT mentor_profile_id, booking_id, lower(busy), upper(busy) FROM person_busy WHERE mentor_profile_id IS NOT NULL
"""
_MENTEES_TIME = b"SELECT user_id, booking_id, lower(busy), upper(busy) FROM person_busy WHERE mentor_profile_id IS NULL"

# The refund of a booking or of a seat: as its row has it, as it was announced, and as the ledger has it.
_KEPT = b"""
SELECT booking_id, (cancellation -> 'refund' ->> 'amount')::int FROM sessions
WHERE status = 'cancelled' AND mentee_user_id IS NOT NULL
UNION ALL SELECT seat_id, refund_amount FROM seat_cancellations
"""
_ANNOUNCED = b"""
SELECT (data ->> 'booking_id')::uuid, (array_agg((data ->> 'refund_amount')::int ORDER BY sequence DESC))[1],
       bool_or((data ->> 'credit_returned')::boolean)
FROM events WHERE type IN ('session.cancelled', 'session.fee_waived') AND data ->> 'mentee_user_id' IS NOT NULL
GROUP BY 1
UNION ALL
SELECT (data ->> 'seat_id')::uuid, sum((data ->> 'refund_amount')::int),
       bool_or((data ->> 'credit_returned')::boolean)
FROM events WHERE type IN ('seat.left', 'seat.refunded') GROUP BY 1
"""
_RETURNED = b"""
SELECT coalesce(seat_id, booking_id), bool_or(kind = 'give_back') FROM bundle_entries
WHERE booking_id IS NOT NULL GROUP BY 1
"""

_PAID_SEATS = b"SELECT id, seat_id, charged, refund_due FROM payments WHERE seat_id IS NOT NULL"

Action = Callable[[Any], None]
Subjects = Callable[[Any], object]


class Marketplace:
    """People, offers and a clock; `play` lets chance decide what is done.

    Args:
        db: in a transaction that the caller rolls back.
        seed: decides everything but ids.
    """

    def __init__(self, db: Connection, seed: int) -> None:
        self.db, self.random = db, Random(seed)
        # The same hour whenever it is played: what can be reached within so many steps depends on it.
        self.now = datetime.now(UTC).replace(hour=20, minute=0, second=0, microsecond=0) + DAY
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.bundles: dict[UUID, ExpectedBundle] = {}
        self.drafts: dict[UUID, ExpectedBooking] = {}
        self.sessions: dict[UUID, ExpectedBooking] = {}
        # Started or completed: what takes its time, and can no longer be cancelled by its parties.
        self.begun: dict[UUID, ExpectedBooking] = {}
        self.cancelled: dict[UUID, ExpectedBooking] = {}
        # By booking, or by seat of a group.
        self.promises: dict[UUID, Promise] = {}
        self.groups: dict[UUID, ExpectedGroup] = {}
        # Payments of seats that came too late: all of it goes back.
        self.late_payments: set[UUID] = set()
        self.mentees = [factories.make_user(db) for _ in range(4)]
        self.mentors: dict[UUID, Mentor] = {}
        self.listings: dict[UUID, list[Listing]] = {}
        self.products: dict[UUID, list[Product]] = {}
        self.for_sale: list[Product] = []
        self.courses = [self._open_course() for _ in range(2)]
        morning = self.now.replace(hour=9, minute=0) + DAY
        # Each of a pair overlaps with the other.
        self.starts = [morning + day * DAY + late * HOUR / 2 for day in range(DAYS) for late in range(2)]

    def _open_course(self) -> Course:
        course = factories.make_course(self.db)
        mentors = [factories.make_mentor(self.db) for _ in range(3)]
        self.mentors |= {mentor.id: mentor for mentor in mentors}
        self.listings[course.id] = [
            factories.make_listing(self.db, mentor, course_id=course.id, **offer)
            for mentor, offer in zip(mentors, self.random.sample(OFFERS, 3), strict=True)
        ]
        self.products[course.id] = [
            factories.make_product(self.db, course, price_amount=price, price_currency="EUR")
            for price in self.random.sample(PRICES, 3)
        ]
        self.for_sale += [factories.make_product(self.db, course, ProductKind.BUNDLE, **sold) for sold in BUNDLES]
        return course

    def play(self, steps: int) -> None:
        """Do that many things by chance, and look at everything after each.

        Raises:
            Disagreement: an outcome, or what is in the tables, is not what it must be.
        """
        for _ in range(steps):
            self._pass_time()
            self.random.choice([action for action, subjects in self.actions() if not subjects or subjects(self)])(self)
            self.require_agreement()
        flush_deferred(self.db)
        self.require_promises_kept()
        broken = [finding for finding in check_all(self.db) if finding.violations]
        require_equal("Broken invariants", broken, [])

    def _pass_time(self) -> None:
        """A while, or until the very edge of something: a window, a validity, an offer, a start."""
        ahead = sorted(edge for edge in self.edges() if self.now < edge - TICK < self.now + 8 * HOUR)
        chance = self.random.random()
        if ahead and chance < 0.15:
            self.now = ahead[0] + self.random.choice([-TICK, 0 * TICK, TICK])
        elif chance < 0.4:
            self.now += self.random.random() * HOUR / 2

    def edges(self) -> list[datetime]:
        kept = [*self.sessions.values(), *(seat for group in self.groups.values() for seat in group.seats.values())]
        edges = [each.free_until() for each in kept]
        edges += [bundle.valid_to for bundle in self.bundles.values() if bundle.valid_to is not None]
        return edges + [until for group in self.groups.values() for until in group.line.values() if until is not None]

    def actions(self) -> list[tuple[Action, Subjects | None]]:
        """The possible steps, each as often as it is to be among the others, with its precondition."""
        return []

    def _any_start(self) -> datetime:
        """One of the next starts, or of those that have just passed."""
        return self.random.choice([start for start in self.starts if start > self.now - 2 * HOUR][:6])

    def _expect(self, action: str, expected: str | None, call: Callable[[], Any]) -> Any:
        """The action's result, None for a refusal; which of them it is must be as expected: None, or a code."""
        code, result = None, None
        try:
            with savepoint(self.db):
                result = call()
                flush_deferred(self.db)
        except DomainError as refusal:
            code = refusal.code
        require_equal(f"The refusal of {action}", code, expected)
        self.outcomes[action, code or "done"] += 1
        return result

    def require_agreement(self) -> None:
        """Compare every table with what it should hold.

        Raises:
            Disagreement: they differ, or a person's time is taken twice.
        """
        found: Any = {bundle_id: tuple(rest) for bundle_id, *rest in self._all(_BUNDLES)}
        expected: Any = {key: (each.total, *[each.left] * 3, each.valid_to) for key, each in self.bundles.items()}
        require_equal("Bundles: total, counter, sum and balance of the ledger, end", found, expected)
        found = {booking_id: tuple(rest) for booking_id, *rest in self._all(_GROUPS)}
        expected = {
            key: (group.capacity, len(group.seats), group.held(group.line) - len(group.seats))
            for key, group in self.groups.items()
        }
        require_equal("Groups: capacity, seats taken, seats offered", found, expected)
        self._require_agreement_of_places()
        self._require_agreement_of_times()

    def _all(self, query: bytes) -> list[tuple[Any, ...]]:
        # After every single step: SQLAlchemy would take three times as long.
        return driver_of(self.db).fetch(query, [])

    def require_promises_kept(self) -> None:
        """Compare what was quoted with what is kept of each cancellation, was announced, and stands in the ledger.

        Raises:
            Disagreement: they differ.
        """
        promised = self.promises.items()
        found: Any = {key: (refund, credit) for key, refund, credit in self._all(_ANNOUNCED)}
        require_equal("Announced", found, {key: (each.refund, each.credit) for key, each in promised})
        found = dict(self._all(_KEPT))
        require_equal("Kept", found, {key: each.refund for key, each in promised if key in found})
        cancelled = {key for key, _refund in self._all(_KEPT)} & self.promises.keys()
        require_equal("Kept of all that was cancelled", len(found), len(cancelled))
        found = dict(self._all(_RETURNED))
        expected = {key: bool(each.credit) for key, each in promised if each.credit is not None}
        require_equal("Credits that returned", {key: found.get(key) for key in expected}, expected)
        for payment_id, seat_id, charged, owed in self._all(_PAID_SEATS):
            promise = self.promises.get(seat_id)
            due = charged if payment_id in self.late_payments else promise.refund if promise else 0
            require_equal(f"What goes back of payment {payment_id}", owed, due)

    def _promise(self, key: UUID, kept: ExpectedBooking, quote: Quote, *, refund: int | None = None) -> None:
        paid = quote.refund_amount if refund is None else refund
        require_equal("A fee and its refund", quote.fee_amount + quote.refund_amount, kept.price)
        self.promises[key] = Promise(kept.price, paid, quote.credit_returned)

    def _require_agreement_of_places(self) -> None:
        groups = self.groups.items()
        expected = {(key, who, seat.price) for key, group in groups for who, seat in group.seats.items()}
        require_equal("Seats", set(self._all(_SEATS)), expected)
        found = self._all(_LINES)
        for key, group in groups:
            line = [(who, until) for booking_id, who, until in found if booking_id == key]
            require_equal("A waiting list", line, list(group.line.items()))

    def _require_agreement_of_times(self) -> None:
        open_groups = {key: group for key, group in self.groups.items() if not group.cancelled}
        own = self.sessions | self.begun
        mentors = {(each.mentor_id, key, *each.blocked) for key, each in [*own.items(), *open_groups.items()]}
        require_equal("Mentors' time", set(self._all(_MENTORS_TIME)), mentors)
        mentees = {(each.mentee.id, key, each.start, each.end) for key, each in own.items()} | {
            (who, key, group.start, group.end)
            for key, group in open_groups.items()
            for who in (*group.seats, *group.awaiting)
        }
        require_equal("Mentees' time", set(self._all(_MENTEES_TIME)), mentees)
        for taken in (mentors, mentees):
            twice = [
                (one, other)
                for one in taken
                for other in taken
                if one[0] == other[0] and one[1] < other[1] and overlaps(one[2:], other[2:])
            ]
            require_equal("Times taken twice", twice, [])

    def _mentors_time(self) -> list[Terms]:
        own = self.sessions | self.begun
        return [*own.values(), *(group for group in self.groups.values() if not group.cancelled)]

    def _offered(self, group: ExpectedGroup, *, without: UUID | None = None) -> dict[UUID, datetime | None]:
        return group.offered(self.now, lambda who: self._has_time(who, group.start), without=without)

    def _has_time(self, mentee_id: UUID, start: datetime) -> bool:
        booked = self.sessions | self.begun
        own = [(each.start, each.end) for each in booked.values() if each.mentee.id == mentee_id]
        groups = [group for group in self.groups.values() if self._seated(group, mentee_id) and not group.cancelled]
        own += [(group.start, group.end) for group in groups]
        return not any(overlaps(times, (start, start + HOUR)) for times in own)

    def _closed(self, group: ExpectedGroup) -> str | None:
        return "invalid_transition" if group.cancelled or group.begun or group.start <= self.now else None

    def _seated(self, group: ExpectedGroup, mentee_id: UUID) -> str | None:
        return "already_joined" if mentee_id in group.seats or mentee_id in group.awaiting else None

    def _any_group(self, is_wanted: Callable[[ExpectedGroup], object] = bool) -> tuple[UUID, ExpectedGroup]:
        """A group; most often one that is still ahead, and as wanted."""
        ahead = self.groups_ahead()
        wanted = [each for each in ahead if is_wanted(each[1])]
        chosen = self.random.choices([wanted, ahead, list(self.groups.items())], [8, 1, 1])[0]
        return self.random.choice(chosen or ahead)

    def groups_ahead(self) -> list[tuple[UUID, ExpectedGroup]]:
        """The groups that can be joined, or could be if there were a seat."""
        return [each for each in self.groups.items() if self._closed(each[1]) is None]

    def _any_of(self, people: Collection[UUID]) -> User:
        of_these = [mentee for mentee in self.mentees if mentee.id in people]
        return self.random.choice(of_these if of_these and self.random.random() < 0.8 else self.mentees)

    def _booked(
        self, mentee: User, listing: Listing, start: datetime, price: int, bundle_id: UUID | None
    ) -> ExpectedBooking:
        return ExpectedBooking(
            mentor_id=listing.mentor_profile_id,
            mentee=mentee,
            start=start,
            end=start + HOUR,
            blocked=blocked_by(listing, start),
            window=listing.cancellation_window_hours,
            percent=listing.late_fee_percent,
            currency=listing.price_currency,
            price=price,
            bundle_id=bundle_id,
        )

    def _spend(self, bundle_id: UUID | None) -> None:
        if bundle_id is not None:
            self.bundles[bundle_id].move(-1)

    def _give_back(self, bundle_id: UUID | None, *, by_mentee: bool, valid_to: datetime | None = None) -> None:
        """A credit returns, and with that an end of its bundle; `valid_to` is the one that was quoted, if any was."""
        if bundle_id is None:
            return
        bundle = self.bundles[bundle_id]
        bundle.move(1)
        if bundle.expired(self.now) and not by_mentee:
            bundle.valid_to, bundle.ended = self.now + 30 * DAY, False
            self.outcomes["extend a bundle", "done"] += 1
        if valid_to is not None:
            require_equal("The end of a bundle", bundle.valid_to, valid_to)

    def _booking(self, booking_id: UUID) -> Booking:
        return Booking.of(self.db.execute(booking_query(booking_id)).one())

    def _bundle(self, bundle_id: UUID) -> Bundle:
        return Bundle.of(self.db.execute(bundle_query(bundle_id)).one())


def often(times: int, action: Action, subjects: Subjects | None = None) -> list[tuple[Action, Subjects | None]]:
    return [(action, subjects)] * times
