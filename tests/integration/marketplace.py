"""A small marketplace under random use, and beside it what must have come of every action.

Each action is a workflow at a moment of the test's own clock. Its outcome is predicted by the rules, and afterwards the
tables must agree with what people should have. What the workflows compute is computed here once more, in another way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update

from api.schemas.sessions import shown_quote, shown_session
from models.catalog import ProductKind
from models.engine import driver_of
from models.events import events
from models.sessions import session_id_of, sessions
from tests import factories
from workflows.accounts.records import Mentor, User
from workflows.bookings.actions import accept, decline
from workflows.bookings.actions import cancel as withdraw
from workflows.bookings.actions import expire as expire_draft
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bookings.records import Booking, booking_query
from workflows.bundles.adjust import adjust
from workflows.bundles.expiry import expire as expire_bundle
from workflows.bundles.purchase import purchase
from workflows.bundles.records import Bundle, bundle_query
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.catalog.products import Product
from workflows.events.event_types import BundleValiditySet
from workflows.events.record import flush_deferred, savepoint
from workflows.groups.capacity import change_capacity
from workflows.groups.place import lock_group, read_group, read_place
from workflows.groups.schedule import schedule
from workflows.groups.seats import join, leave, quote_seat, refund_all
from workflows.groups.templates import create_template
from workflows.groups.waitlist import join_waitlist, leave_waitlist, offer_seats
from workflows.identity.actor import Actor
from workflows.invariants import check_all
from workflows.kernel.errors import DomainError
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel as cancel_session
from workflows.sessions.cancel import quote_for
from workflows.sessions.records import Session, accepted_session
from workflows.terms.cancellation import Quote

DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
MINUTES = 60
POLICY = DEFAULT_POLICY
DAYS = 60
EVENT_COLUMNS = ("id", "actor", "occurred_at", "sequence", "data")
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

# What goes back for a booking, or for a seat: as it is kept with it, as it was announced, and as the ledger has it.
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
ANSWERED = ("cancelledBy", "late", "fee", "creditReturned", "policy")

Times = tuple[datetime, datetime]
Action = Callable[[Any], None]
Subjects = Callable[[Any], object]


class Disagreement(AssertionError):
    """An answer, or what is in the tables, is not what the rules make of the actions so far."""


def require_equal(what: str, found: object, expected: object) -> None:
    """Raise Disagreement unless both are equal."""
    if found != expected:
        raise Disagreement(f"{what}: {found!r} instead of {expected!r}")


@dataclass
class Promise:
    """What a booking or seat was quoted: its price, what of it goes back, and whether the credit does that paid."""

    price: int
    refund: int
    credit: bool | None
    waived: bool = False

    @property
    def keeps(self) -> bool:
        """Whether something does not go back."""
        return self.refund < self.price or self.credit is False

    def waive(self) -> None:
        """Let everything go back."""
        self.waived = self.waived or self.keeps
        self.refund, self.credit = self.price, None if self.credit is None else True


@dataclass
class ExpectedBundle:
    """A bundle as it should stand; until it is `closed`, no other one of its product can be bought.

    `ended` is whether the timer at the end of its validity has run.
    """

    owner: User
    product: Product
    valid_to: datetime | None
    total: int
    left: int
    closed: bool = False
    ended: bool = False

    def pays(self, course_id: UUID, now: datetime) -> bool:
        """Whether a credit can be spent on an hour of that course."""
        fits = self.product.course_id == course_id and self.product.duration_minutes in (None, MINUTES)
        return fits and self.left > 0 and not self.expired(now)

    def expired(self, now: datetime) -> bool:
        """Whether its validity has ended."""
        return self.valid_to is not None and self.valid_to <= now

    def move(self, credits: int) -> None:
        """Let credits come or go."""
        self.left += credits
        self.closed = self.closed or self.left == 0


@dataclass(kw_only=True)
class Terms:
    """What is fixed when a session is booked; `blocked` is the time that its mentor's calendar holds."""

    mentor_id: UUID
    start: datetime
    end: datetime
    blocked: Times
    window: int | None
    percent: int
    currency: str


@dataclass(kw_only=True)
class ExpectedBooking(Terms):
    """A person's draft, session or seat, and how it was paid."""

    mentee: User
    price: int
    bundle_id: UUID | None
    # When its session was made; None for a draft and for a seat, which nobody accepts.
    accepted: datetime | None = None

    def free_until(self) -> datetime:
        """Until when its mentee cancels without a fee: before the window, or within an hour of the acceptance."""
        before_window = self.start - timedelta(hours=self.window or 0)
        return before_window if self.accepted is None else min(self.start, max(before_window, self.accepted + HOUR))

    def cost(self, now: datetime, *, by_mentee: bool) -> tuple[bool, int, bool]:
        """Whether a cancellation is late, its fee, and whether a credit returns, by rules 4 and 5."""
        late = by_mentee and self.window is not None and now > self.free_until()
        fee = (Decimal(self.price) * self.percent / 100).quantize(Decimal(1), ROUND_HALF_UP) if late else Decimal(0)
        return late, int(fee), self.bundle_id is not None and (not late or self.percent == 0)

    def keeps(self, now: datetime) -> bool:
        """Whether its mentee would lose something by a cancellation."""
        _late, fee, returned = self.cost(now, by_mentee=True)
        return fee > 0 or (self.bundle_id is not None and not returned)


@dataclass(kw_only=True)
class ExpectedGroup(Terms):
    """A group as it should stand: its seats, and its waiting list with the ends of offers, both by person."""

    course_id: UUID
    capacity: int
    price: int
    seats: dict[UUID, ExpectedBooking] = field(default_factory=dict)
    left: list[tuple[UUID, ExpectedBooking]] = field(default_factory=list)
    line: dict[UUID, datetime | None] = field(default_factory=dict)
    cancelled: bool = False
    begun: bool = False

    def held(self, line: dict[UUID, datetime | None]) -> int:
        """How many seats are taken, or offered in that line."""
        return len(self.seats) + sum(until is not None for until in line.values())

    def offered(
        self, now: datetime, is_free: Callable[[UUID], bool], *, without: UUID | None = None
    ) -> dict[UUID, datetime | None]:
        """The line, without that person, after lapsed offers have ended and free seats were offered to who is free."""
        line = {who: until for who, until in self.line.items() if who != without and (until is None or until > now)}
        free = self.capacity - self.held(line)
        if self.start > now and not self.cancelled:
            for who in [who for who, until in line.items() if until is None and is_free(who)][: max(free, 0)]:
                line[who] = min(self.start, now + timedelta(minutes=POLICY.waitlist_offer_minutes))
        return line


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
        """The moments at which something changes by itself."""
        kept = [*self.sessions.values(), *(seat for group in self.groups.values() for seat in group.seats.values())]
        edges = [each.free_until() for each in kept]
        edges += [bundle.valid_to for bundle in self.bundles.values() if bundle.valid_to is not None]
        return edges + [until for group in self.groups.values() for until in group.line.values() if until is not None]

    def actions(self) -> list[tuple[Action, Subjects | None]]:
        """What may be done, each as often as it is to be among the others."""
        return ACTIONS

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

    # Bundles

    def purchase(self) -> None:
        """A mentee buys a bundle."""
        mentee, product = self.random.choice(self.mentees), self.random.choice(self.for_sale)
        same = [b for b in self.bundles.values() if (b.owner, b.product, b.closed) == (mentee, product, False)]
        followed = [bundle for bundle in same if bundle.expired(self.now)]
        arguments: dict[str, Any] = {
            "course_id": product.course_id,
            "product_id": product.id,
            "mentee_user_id": mentee.id,
        }
        bundle = self._expect(
            "purchase",
            "already_purchased" if len(same) > len(followed) else None,
            lambda: purchase(self.db, actor=factories.acting_user(mentee), now=self.now, **arguments),
        )
        if bundle is None:
            return
        for before in followed:
            before.closed = True
        valid_to = None if product.valid_days is None else self.now + product.valid_days * DAY
        count = product.session_count
        self.bundles[bundle.id] = ExpectedBundle(mentee, product, valid_to, count, count)

    def adjust(self) -> None:
        """An operator gives or takes a credit, or extends the validity as well."""
        bundle_id, bundle = self.random.choice(list(self.bundles.items()))
        credits, extended = self.random.choice([-1, 1]), self.random.random() < 0.3
        expected = "invalid_request" if bundle.left + credits < 0 else None
        if credits > 0 and bundle.expired(self.now) and not extended:
            expected = "bundle_unusable"
        changes = {"valid_to": self.now + 2 * DAY} if extended else {}
        adjusted = self._expect(
            "adjust",
            expected,
            lambda: adjust(
                self.db,
                actor=factories.OPERATOR,
                bundle=self._bundle(bundle_id),
                reason="Goodwill",
                credits=credits,
                changes=changes,
                now=self.now,
            ),
        )
        if adjusted is None:
            return
        bundle.move(credits)
        bundle.total += max(credits, 0)
        if extended:
            bundle.valid_to, bundle.ended = changes["valid_to"], False

    def end_bundles(self) -> None:
        """The timers of all bundles whose validity has ended."""
        for bundle_id, bundle in self.ended_bundles():
            of_bundle = select(events).where(events.c.subject_id == bundle_id, events.c.type == BundleValiditySet.type)
            row = self.db.execute(of_bundle.order_by(events.c.sequence.desc()).limit(1)).one()
            event = BundleValiditySet.read(**{name: getattr(row, name) for name in EVENT_COLUMNS})
            expire_bundle(self.db, event=event, now=self.now)
            bundle.move(-bundle.left)
            bundle.ended = True
            self.outcomes["end bundles", "done"] += 1

    def ended_bundles(self) -> list[tuple[UUID, ExpectedBundle]]:
        """The bundles whose validity has ended, and whose timer has not run."""
        return [each for each in self.bundles.items() if each[1].expired(self.now) and not each[1].ended]

    def _payment(self, mentee: User) -> UUID | None:
        """A bundle that the person tries to pay with, or None for money."""
        own = [key for key, bundle in self.bundles.items() if bundle.owner == mentee]
        return self.random.choice(own) if own and self.random.random() < 0.6 else None

    def _refusal_of_payment(self, bundle_id: UUID | None, course_id: UUID) -> str | None:
        usable = bundle_id is None or self.bundles[bundle_id].pays(course_id, self.now)
        return None if usable else "bundle_unusable"

    # Individual bookings

    def book(self) -> None:
        """A mentee books a mentor of a course, named or to be chosen, at once."""
        mentee, course = self.random.choice(self.mentees), self.random.choice(self.courses)
        start, bundle_id = self._any_start(), self._payment(mentee)
        named = self.random.choice([None, *self.listings[course.id]])
        product = self.random.choice(self.products[course.id])
        listing, expected = self._choice(mentee, course, named, start)
        wanted = IndividualRequest(
            course_id=course.id,
            start_time=start,
            duration_minutes=MINUTES,
            mentor_profile_id=named.mentor_profile_id if named else None,
            product_id=None if bundle_id else product.id,
            bundle_purchase_id=bundle_id,
        )
        booking = self._expect(
            "book",
            expected or self._refusal_of_payment(bundle_id, course.id),
            lambda: book_individual(self.db, actor=factories.acting_user(mentee), wanted=wanted, now=self.now)[0],
        )
        if booking is None:
            return
        assert listing is not None
        price = 0 if bundle_id else product.price_amount
        require_equal("The mentor", booking.mentor_profile_id, listing.mentor_profile_id)
        require_equal("The price", booking.price_amount, price)
        kept = self._booked(mentee, listing, start, price, bundle_id)
        self._spend(bundle_id)
        self._create(booking.id, kept)

    def _choice(
        self, mentee: User, course: Course, named: Listing | None, start: datetime
    ) -> tuple[Listing | None, str | None]:
        """Whose listing is booked, by rule 7 unless it is named; or with which code none is."""
        if start <= self.now:
            return None, "invalid_request"

        def is_free(listing: Listing) -> bool:
            return not any(
                overlaps(each.blocked, blocked_by(listing, start))
                for each in self._mentors_time()
                if each.mentor_id == listing.mentor_profile_id
            )

        offers = self.listings[course.id] if named is None else [named]
        free = [listing for listing in offers if is_free(listing)]
        if not free:
            return None, "slot_taken" if named else "no_mentor_free"
        if not self._has_time(mentee.id, start):
            return None, "slot_taken"
        return min(free, key=lambda each: (self._hours_in_week(each, start), each.mentor_profile_id)), None

    def _hours_in_week(self, listing: Listing, start: datetime) -> int:
        booked = [each for each in self._mentors_time() if each.mentor_id == listing.mentor_profile_id]
        return sum(each.start.isocalendar()[:2] == start.isocalendar()[:2] for each in booked)

    def request(self) -> None:
        """A mentee asks a mentor, and a credit is kept for that where a bundle is to pay."""
        mentee, course = self.random.choice(self.mentees), self.random.choice(self.courses)
        listing, start = self.random.choice(self.listings[course.id]), self._any_start()
        bundle_id = self._payment(mentee)
        if bundle_id is None or start <= self.now:
            return
        booking = self._expect(
            "request",
            self._refusal_of_payment(bundle_id, course.id),
            lambda: factories.make_paid_booking(
                self.db, self._bundle(bundle_id), listing=listing, start_time=start, accepted=False, at=self.now
            ),
        )
        if booking is not None:
            self.drafts[booking.id] = self._booked(mentee, listing, start, 0, bundle_id)
            self._spend(bundle_id)

    def accept(self) -> None:
        """A mentor accepts a draft."""
        booking_id, draft = self.random.choice(list(self.drafts.items()))
        taken = any(
            overlaps(each.blocked, draft.blocked) for each in self._mentors_time() if each.mentor_id == draft.mentor_id
        )
        expected = "slot_taken" if taken or not self._has_time(draft.mentee.id, draft.start) else None
        if draft.start <= self.now:
            expected = "invalid_transition"
        booking = self._booking(booking_id)
        actor = factories.mentor_of(booking)
        accepted = self._expect("accept", expected, lambda: accept(self.db, actor=actor, booking=booking, now=self.now))
        if accepted is not None:
            self._create(booking_id, self.drafts.pop(booking_id))

    def _create(self, booking_id: UUID, kept: ExpectedBooking) -> None:
        """The session of an accepted booking, by the marketplace's clock."""
        create(self.db, booking_id=booking_id)
        made = update(sessions).where(sessions.c.booking_id == booking_id).values(created_at=self.now)
        self.db.execute(made)
        kept.accepted = self.now
        self.sessions[booking_id] = kept

    def end_draft(self) -> None:
        """A draft is declined, withdrawn, or expires; its credit comes back."""
        booking_id, draft = self.random.choice(list(self.drafts.items()))
        booking = self._booking(booking_id)
        mentee, mentor = factories.acting_user(draft.mentee), factories.mentor_of(booking)
        how = {
            "decline": lambda: decline(self.db, actor=mentor, booking=booking, reason=None, now=self.now),
            "withdraw": lambda: withdraw(self.db, actor=mentee, booking=booking, reason=None, now=self.now),
            "expire": lambda: expire_draft(self.db, booking=booking, now=self.now),
        }
        action = self.random.choice(list(how))
        self._expect(action, None, how[action])
        del self.drafts[booking_id]
        self._give_back(draft.bundle_id, by_mentee=action == "withdraw")

    def cancel(self) -> None:
        """A mentee, a mentor or an operator cancels a session."""
        booking_id, kept = self.random.choice(list(self.sessions.items()))
        by = self.random.choice(["mentee", "mentee", "mentor", "operator"])
        # By chance alone, few cancellations would cost anything.
        costly = [each for each in self.sessions.items() if each[1].keeps(self.now)]
        if costly and self.random.random() < 0.5:
            (booking_id, kept), by = self.random.choice(costly), "mentee"
        refund_requested = self.random.random() < 0.5
        booking = self._booking(booking_id)
        assert booking.session_id is not None
        actor = {
            "mentee": factories.acting_user(kept.mentee),
            "mentor": factories.mentor_of(booking),
            "operator": factories.OPERATOR,
        }[by]
        session = accepted_session(self.db, booking.session_id)
        quote = quote_for(actor, session, now=self.now)
        cancelled: Session | None = self._expect(
            f"cancel as {by}",
            "not_cancellable" if by == "mentee" and kept.window is None else None,
            lambda: cancel_session(
                self.db, actor=actor, session=session, reason=None, refund_requested=refund_requested, now=self.now
            ),
        )
        if cancelled is None:
            return
        late, fee, returned = kept.cost(self.now, by_mentee=by == "mentee")
        cost = cancelled.cancellation
        assert cost is not None
        require_equal("Lateness", cost["late"], late)
        require_equal("The fee", cost["fee"], {"amount": fee, "currency": booking.price_currency})
        refund = kept.price - fee if refund_requested or by != "mentee" else 0
        require_equal("The refund", cost["refund"]["amount"], refund)
        self._promise(booking_id, kept, quote, refund=quote.refund_amount if refund_requested or by != "mentee" else 0)
        answer, quoted = shown_session(cancelled)["cancellation"], shown_quote(session, quote)
        require_equal("The answer", [answer[name] for name in ANSWERED], [quoted[name] for name in ANSWERED])
        require_equal("The credit's return", cost["creditReturned"] or False, returned)
        self.cancelled[booking_id] = self.sessions.pop(booking_id)
        if returned:
            self._give_back(kept.bundle_id, by_mentee=by == "mentee", valid_to=quote.credit_valid_to)

    # Groups

    def schedule(self) -> None:
        """A mentor schedules a group for one date."""
        course = self.random.choice(self.courses)
        listing, start = self.random.choice(self.listings[course.id]), self._any_start()
        policy = self.random.choice(OFFERS)
        columns = {
            "course_id": course.id,
            "title": "Together",
            "weekday": start.weekday(),
            "start_time": start.time(),
            "time_zone": "UTC",
            "duration_minutes": MINUTES,
            "capacity": self.random.choice([1, 1, 2]),
            "price_amount": self.random.choice(PRICES),
            **{name: value for name, value in policy.items() if name != "buffer_before_minutes"},
        }
        actor = factories.acting_mentor(self.mentors[listing.mentor_profile_id])
        template = create_template(self.db, actor=actor, columns=columns)
        blocked = (start, start + HOUR + timedelta(minutes=columns.get("buffer_minutes", 0)))
        taken = any(
            overlaps(each.blocked, blocked)
            for each in self._mentors_time()
            if each.mentor_id == listing.mentor_profile_id
        )
        made = schedule(self.db, actor=actor, template=template, first=start.date(), last=start.date(), now=self.now)
        outcome = "past" if start <= self.now else "slot_taken" if taken else "done"
        codes = [each.code for each in made.conflicts] + [each.code for each in made.skipped]
        require_equal("The outcome of schedule", codes or ["done"], [outcome])
        self.outcomes["schedule", outcome] += 1
        for each in made.made:
            self.groups[each.booking_id] = ExpectedGroup(
                mentor_id=listing.mentor_profile_id,
                course_id=course.id,
                start=start,
                end=start + HOUR,
                blocked=blocked,
                window=template.cancellation_window_hours,
                percent=template.late_fee_percent,
                currency=template.price_currency,
                capacity=template.capacity,
                price=template.price_amount,
            )
            create(self.db, booking_id=each.booking_id)

    def join(self, *, offered_only: bool = False) -> None:
        """A mentee joins a group, or accepts the seat that is offered to them."""
        group_id, group = self._any_group(lambda group: not offered_only or any(group.line.values()))
        mentee = self._any_of([who for who, until in group.line.items() if until and offered_only])
        bundle_id = self._payment(mentee)
        line = self._offered(group)
        expected = self._closed(group) or self._seated(group, mentee)
        if expected is None and not line.get(mentee.id):
            full = group.held(line) >= group.capacity
            expected = "no_offer" if offered_only else "group_full" if full else None
        if expected is None:
            has_time = self._has_time(mentee.id, group.start)
            expected = self._refusal_of_payment(bundle_id, group.course_id) if has_time else "slot_taken"
        joined = self._expect(
            "accept offer" if offered_only else "join",
            expected,
            lambda: join(
                self.db,
                actor=factories.acting_user(mentee),
                group=read_group(self.db, group_id),
                mentee_user_id=mentee.id,
                bundle_purchase_id=bundle_id,
                now=self.now,
                policy=POLICY,
                offered_only=offered_only,
            ),
        )
        if joined is None:
            return
        line.pop(mentee.id, None)
        group.line = line
        terms = {name: getattr(group, name) for name in Terms.__dataclass_fields__}
        price = 0 if bundle_id else group.price
        group.seats[mentee.id] = ExpectedBooking(mentee=mentee, price=price, bundle_id=bundle_id, **terms)
        self._spend(bundle_id)

    def accept_offer(self) -> None:
        """A mentee accepts the seat that is offered to them."""
        self.join(offered_only=True)

    def leave(self) -> None:
        """A mentee leaves a group, or an operator takes their seat away."""
        group_id, group = self._any_group(lambda group: group.seats and (group.line or self.random.random() < 0.5))
        self._leave(group_id, group, self._any_of(group.seats), by_mentee=self.random.random() < 0.8)

    def _leave(self, group_id: UUID, group: ExpectedGroup, mentee: User, *, by_mentee: bool) -> None:
        seat = group.seats.get(mentee.id)
        expected = "not_found" if seat is None else self._closed(group)
        if expected is None and by_mentee and group.window is None:
            expected = "not_cancellable"
        actor = factories.acting_user(mentee) if by_mentee else factories.OPERATOR
        present, place = read_group(self.db, group_id), read_place(self.db, group_id, mentee.id)
        quote = quote_seat(present, place, actor=actor, now=self.now)
        left = self._expect(
            "leave",
            expected,
            lambda: leave(
                self.db,
                actor=actor,
                group=present,
                mentee_user_id=mentee.id,
                reason=None,
                now=self.now,
                policy=POLICY,
            ),
        )
        if left is None:
            return
        assert seat is not None
        assert place.seat_id is not None
        cost: Quote = left[1]
        require_equal("The answer", cost, quote)
        self._promise(place.seat_id, seat, quote)
        late, fee, returned = seat.cost(self.now, by_mentee=by_mentee)
        found = (cost.late, cost.fee_amount, cost.refund_amount, bool(cost.credit_returned))
        require_equal("What leaving costs", found, (late, fee, seat.price - fee, returned))
        del group.seats[mentee.id]
        group.line = self._offered(group)
        group.left.append((place.seat_id, seat))
        if returned:
            self._give_back(seat.bundle_id, by_mentee=by_mentee, valid_to=quote.credit_valid_to)

    def wait(self) -> None:
        """A mentee joins the waiting list."""
        group_id, group = self._any_group(lambda group: group.held(group.line) >= group.capacity)
        mentee = self._any_of([mentee.id for mentee in self.mentees if mentee.id not in group.seats])
        line = self._offered(group)
        expected = self._closed(group) or self._seated(group, mentee)
        if expected is None and mentee.id not in line:
            has_time = self._has_time(mentee.id, group.start)
            expected = "seats_free" if group.held(line) < group.capacity else None if has_time else "slot_taken"
        queue = partial(join_waitlist, actor=factories.acting_user(mentee), now=self.now, policy=POLICY)
        entry = self._expect("wait", expected, lambda: queue(self.db, group=read_group(self.db, group_id)))
        if entry is not None:
            group.line = line
            line.setdefault(mentee.id, None)
            require_equal("The position", entry[0].position, list(line).index(mentee.id) + 1)

    def stop_waiting(self) -> None:
        """A mentee leaves a waiting list, on which they may not be."""
        group_id, group = self._any_group(lambda group: group.line)
        mentee = self._any_of(group.line)
        give_up = partial(leave_waitlist, actor=factories.acting_user(mentee), now=self.now, policy=POLICY)
        give_up(self.db, group=read_group(self.db, group_id))
        group.line = self._offered(group, without=mentee.id)
        self.outcomes["stop waiting", "done"] += 1

    def end_offers(self) -> None:
        """The timers of all offers that have lapsed."""
        for group_id, group in self.lapsed_groups():
            lock_group(self.db, group_id)
            offer_seats(self.db, group=read_group(self.db, group_id), now=self.now, policy=POLICY)
            group.line = self._offered(group)
            self.outcomes["end offers", "done"] += 1

    def lapsed_groups(self) -> list[tuple[UUID, ExpectedGroup]]:
        """The groups with an offer that has lapsed."""
        lapsed = [each for each in self.groups.items() if any(u and u <= self.now for u in each[1].line.values())]
        return [(group_id, group) for group_id, group in lapsed if not group.cancelled]

    def cancel_group(self) -> None:
        """A mentor or an operator cancels a group: all of it goes back to everyone."""
        group_id, group = self._any_group()
        present, session = read_group(self.db, group_id), accepted_session(self.db, session_id_of(group_id))
        actor = self.random.choice([factories.mentor_of(present), factories.OPERATOR])
        quote = quote_for(actor, session, now=self.now)
        cancelled = self._expect(
            "cancel a group",
            "invalid_transition" if group.cancelled or group.begun else None,
            lambda: cancel_session(self.db, actor=actor, session=session, reason=None, now=self.now),
        )
        if cancelled is None:
            return
        require_equal("The refund of all seats", quote.refund_amount, sum(seat.price for seat in group.seats.values()))
        self._refund_group(group_id, group, actor)

    def _refund_group(self, group_id: UUID, group: ExpectedGroup, actor: Actor) -> None:
        """Everything goes back to everyone, by the effect of a cancellation."""
        refund_all(self.db, group=read_group(self.db, group_id), actor=actor, now=self.now)
        group.cancelled, group.line = True, {}
        for mentee_id, seat in group.seats.items():
            place = read_place(self.db, group_id, mentee_id)
            assert place.seat_id is not None
            self.promises[place.seat_id] = Promise(seat.price, seat.price, True if seat.bundle_id else None)
            self._give_back(seat.bundle_id, by_mentee=False)
        self._waive(group.left)

    def _waive(self, left: Iterable[tuple[UUID, ExpectedBooking]]) -> None:
        for seat_id, seat in left:
            promise = self.promises[seat_id]
            if promise.credit is False:
                self._give_back(seat.bundle_id, by_mentee=False)
            promise.waive()

    def change_capacity(self) -> None:
        """A mentor changes how many seats there are."""
        group_id, group = self._any_group()
        capacity = self.random.choice([1, 2, 3])
        expected = self._closed(group) or ("group_full" if group.held(group.line) > capacity else None)
        present = read_group(self.db, group_id)
        changed = self._expect(
            "change capacity",
            expected,
            lambda: change_capacity(
                self.db,
                actor=factories.mentor_of(present),
                group=present,
                capacity=capacity,
                now=self.now,
                policy=POLICY,
            ),
        )
        if changed is not None:
            group.capacity = capacity
            group.line = self._offered(group)

    # What is known

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
            (who, key, group.start, group.end) for key, group in open_groups.items() for who in group.seats
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
        groups = [group for group in self.groups.values() if mentee_id in group.seats and not group.cancelled]
        own += [(group.start, group.end) for group in groups]
        return not any(overlaps(times, (start, start + HOUR)) for times in own)

    def _closed(self, group: ExpectedGroup) -> str | None:
        return "invalid_transition" if group.cancelled or group.begun or group.start <= self.now else None

    def _seated(self, group: ExpectedGroup, mentee: User) -> str | None:
        return "already_joined" if mentee.id in group.seats else None

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
        """A mentee; most often one of these people."""
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


def overlaps(one: Any, other: Any) -> bool:
    """Whether two half-open times have a moment in common."""
    return bool(one[0] < other[1] and other[0] < one[1])


def blocked_by(listing: Listing, start: datetime) -> Times:
    """The time that an hour of that listing takes of its mentor's calendar."""
    before, after = timedelta(minutes=listing.buffer_before_minutes), timedelta(minutes=listing.buffer_minutes)
    return start - before, start + HOUR + after


def _often(times: int, action: Action, subjects: Subjects | None = None) -> list[tuple[Action, Subjects | None]]:
    return [(action, subjects)] * times


# Each with what there must be for it, and as often as it is to be done among the others.
ACTIONS = [
    *_often(2, Marketplace.purchase),
    *_often(3, Marketplace.schedule),
    *_often(4, Marketplace.book),
    *_often(3, Marketplace.request, lambda market: market.bundles),
    *_often(1, Marketplace.adjust, lambda market: market.bundles),
    *_often(4, Marketplace.end_bundles, Marketplace.ended_bundles),
    *_often(3, Marketplace.accept, lambda market: market.drafts),
    *_often(1, Marketplace.end_draft, lambda market: market.drafts),
    *_often(3, Marketplace.cancel, lambda market: market.sessions),
    *_often(5, Marketplace.join, Marketplace.groups_ahead),
    *_often(4, Marketplace.leave, Marketplace.groups_ahead),
    *_often(4, Marketplace.wait, Marketplace.groups_ahead),
    *_often(3, Marketplace.accept_offer, Marketplace.groups_ahead),
    *_often(1, Marketplace.stop_waiting, Marketplace.groups_ahead),
    *_often(2, Marketplace.end_offers, Marketplace.lapsed_groups),
    *_often(1, Marketplace.change_capacity, Marketplace.groups_ahead),
    *_often(1, Marketplace.cancel_group, lambda market: len(market.groups_ahead()) > 2),
]
