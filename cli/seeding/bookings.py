"""Seeded bookings in the past and future: planned, then carried out by the workflows as people and workers would."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cli.seeding.dating import date_booking
from cli.seeding.people import (
    ACTION_ITEMS,
    ANSWERS,
    COMMENTS,
    NOTES,
    REASONS_TO_CANCEL,
    REASONS_TO_DECLINE,
    SESSION_NOTES,
    TOPICS,
    PlannedMentor,
)
from config.sealing import seal_text
from models.bookings import BookingStatus
from models.catalog import BookingMode
from models.payments import PaymentMode
from workflows.bookings.actions import accept, cancel, decline
from workflows.bookings.records import Booking, booking_query
from workflows.bookings.request import request
from workflows.events.claim import claim
from workflows.events.delivery import DeliveryKey
from workflows.events.event import Event
from workflows.events.record import drain_recorded, flush_deferred
from workflows.events.settle import mark_done
from workflows.events.subscriptions import Effect, load
from workflows.identity.actor import SYSTEM, Actor
from workflows.reviews.actions import ReviewableSession, answer_review, reviewable_query, submit
from workflows.sessions.actions import complete, start
from workflows.sessions.records import Session, session_query
from workflows.settlements.actions import confirm

MAX_BOOKINGS = 2
MAX_ATTEMPTS = 40
START_HOURS = (8, 19)
# In days from today; two at least, so that no time zone turns the past into the future or the other way round.
PAST_DAYS = (-60, -2)
FUTURE_DAYS = (2, 30)
# After the decision; less than a payment is awaited.
PAID_AFTER_MINUTES = (1, 25)


class Outcome(StrEnum):
    DRAFT = "draft"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    AWAITING_PAYMENT = "awaiting_payment"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


# Each mentee's first booking takes its turn, so that even a few mentees show every state.
_DONE, _AHEAD, _DRAFT = Outcome.COMPLETED, Outcome.SCHEDULED, Outcome.DRAFT
TURNS = (
    *(_DONE, _AHEAD, _DRAFT, Outcome.IN_PROGRESS, Outcome.DECLINED, Outcome.CANCELLED, Outcome.EXPIRED),
    *(_DONE, _AHEAD, _DONE, _DRAFT, _DONE, _AHEAD, _DONE),
    *(Outcome.DECLINED, _DONE, _AHEAD, _DRAFT, _DONE, Outcome.CANCELLED, Outcome.AWAITING_PAYMENT),
)
WITH_SESSION = (Outcome.SCHEDULED, Outcome.IN_PROGRESS, Outcome.COMPLETED)


@dataclass(frozen=True)
class PlannedBooking:
    """One booking; `mentor` is the place in the list of mentors, `offer` a listing's title, times are UTC."""

    outcome: Outcome
    mentor: int
    offer: str
    start: datetime
    end: datetime
    requested_at: datetime
    decided_at: datetime
    words: int

    @property
    def random(self) -> Random:
        return Random(self.words)


@dataclass
class Planner:
    """Finds times at which no person is in two places, mentee by mentee."""

    seed: int
    mentors: list[PlannedMentor]
    now: datetime  # the present, UTC
    _taken: dict[object, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def bookings_of(self, mentee: int) -> list[PlannedBooking]:
        """The bookings of the mentee of this number, from 1; to be asked for in the order of the numbers."""
        random = Random(f"{self.seed}/stories/{mentee}")
        outcomes = [TURNS[(mentee - 1) % len(TURNS)], *random.choices(TURNS, k=random.randint(0, MAX_BOOKINGS - 1))]
        plans = [self._plan(random, mentee, outcome) for outcome in outcomes]
        return [plan for plan in plans if plan is not None]

    def _plan(self, random: Random, mentee: int, outcome: Outcome) -> PlannedBooking | None:
        for _ in range(MAX_ATTEMPTS):
            mentor = random.randrange(len(self.mentors))
            offers = [offer for offer in self.mentors[mentor].offers if _suits(offer, outcome)]
            offer = random.choice(offers)
            start = self._start(random, mentor, outcome)
            end = start + timedelta(minutes=offer["duration_minutes"])
            if self._take(mentor, mentee, start, end + timedelta(minutes=offer["buffer_minutes"])):
                requested_at, decided_at = self._decision(random, outcome, start)
                words = random.getrandbits(32)
                return PlannedBooking(outcome, mentor, offer["title"], start, end, requested_at, decided_at, words)
        return None

    def _start(self, random: Random, mentor: int, outcome: Outcome) -> datetime:
        if outcome is Outcome.IN_PROGRESS:
            return self.now.replace(minute=self.now.minute // 30 * 30, second=0, microsecond=0)
        past = outcome in (Outcome.COMPLETED, Outcome.EXPIRED)
        ahead = outcome in (Outcome.DRAFT, Outcome.SCHEDULED, Outcome.AWAITING_PAYMENT)
        days = PAST_DAYS if past or (not ahead and random.random() < 0.6) else FUTURE_DAYS
        day = (self.now + timedelta(days=random.randint(*days))).date()
        hour = time(
            random.randint(*START_HOURS), random.choice((0, 30)), tzinfo=ZoneInfo(self.mentors[mentor].person.time_zone)
        )
        return datetime.combine(day, hour).astimezone(UTC)

    def _take(self, mentor: int, mentee: int, start: datetime, end: datetime) -> bool:
        calendars = [self._taken.setdefault(key, []) for key in (("mentor", mentor), ("mentee", mentee))]
        if any(start < other_end and other_start < end for each in calendars for other_start, other_end in each):
            return False
        for each in calendars:
            each.append((start, end))
        return True

    def _decision(self, random: Random, outcome: Outcome, start: datetime) -> tuple[datetime, datetime]:
        """The moments of the request and the decision: before the start and before now, within 72 hours."""
        if start > self.now:
            requested_at = self.now - timedelta(hours=random.uniform(1, 70))
            if outcome is Outcome.AWAITING_PAYMENT:
                return requested_at, self.now - timedelta(minutes=random.uniform(*PAID_AFTER_MINUTES))
            return requested_at, requested_at + (self.now - requested_at) * random.uniform(0.1, 0.9)
        shortest = 96 if outcome is Outcome.EXPIRED else 36
        requested_at = start - timedelta(hours=random.uniform(shortest, 240))
        return requested_at, requested_at + timedelta(hours=random.uniform(0.2, 30))


def _suits(offer: dict[str, Any], outcome: Outcome) -> bool:
    """An instant listing is accepted as it is booked, so that only a session can come of it."""
    if outcome is Outcome.AWAITING_PAYMENT:
        return offer["payment_mode"] is PaymentMode.BEFORE
    return offer["booking_mode"] is BookingMode.REQUEST or outcome in WITH_SESSION


REVIEWED_SHARE, ANSWERED_SHARE = 0.7, 0.5
REVIEWED_AFTER_HOURS, ANSWERED_AFTER_HOURS = (2, 40), (1, 30)


def review(db: Connection, session_id: UUID, *, mentee: Actor, mentor: Actor, words: int, now: datetime) -> bool:
    """Let most mentees review their session and some mentors answer, never later than `now`.

    Args:
        session_id: a completed session whose review is unlocked.
        words: chooses the text; the same number, the same review.

    Returns:
        Whether a review was written.
    """
    random = Random(f"review/{words}")
    if random.random() >= REVIEWED_SHARE:
        return False
    session = ReviewableSession.of(db.execute(reviewable_query(session_id)).one())
    said_at = min(session.end_time + timedelta(hours=random.uniform(*REVIEWED_AFTER_HOURS)), now)
    rating = random.choice(tuple(COMMENTS))
    submit(db, actor=mentee, session=session, rating=rating, comment=random.choice(COMMENTS[rating]), now=said_at)
    if random.random() < ANSWERED_SHARE:
        answered_at = min(said_at + timedelta(hours=random.uniform(*ANSWERED_AFTER_HOURS)), now)
        answer_review(db, actor=mentor, session=session, answer=random.choice(ANSWERS), now=answered_at)
    return True


@dataclass
class EffectRunner:
    """Runs the effects of one booking's events."""

    db: Connection
    now: datetime  # the present, UTC; a timer that is due later stays pending
    _timers: list[tuple[datetime, Effect, Event]] = field(default_factory=list)

    def run_immediate(self) -> None:
        """Run the immediate effects of all events since the last call, and of the events that they record."""
        while events := drain_recorded(self.db).events:
            for event in events:
                for effect in load().of(type(event)):
                    self._run_or_remember(effect, event)
            flush_deferred(self.db)

    def run_timers(self) -> None:
        """At the end: run those timers whose time has come meanwhile, in their order."""
        for due, effect, event in sorted(self._timers, key=lambda timer: timer[0]):
            if due <= self.now:
                self._run(effect, event, due)
        self._timers.clear()
        self.run_immediate()

    def _run_or_remember(self, effect: Effect, event: Event) -> None:
        if effect.due is None:
            self._run(effect, event, event.occurred_at)
        else:
            self._timers.append((effect.due(event), effect, event))

    def _run(self, effect: Effect, event: Event, at: datetime) -> None:
        for target in effect.targets(event) if effect.targets else ("",):
            (delivery,) = claim(self.db, [DeliveryKey(event_id=event.id, effect=effect.name, target=target)])
            arguments = (target,) if effect.targets else ()
            effect.run(self.db, delivery.event, *arguments, now=at)
            mark_done(self.db, [delivery])


@dataclass(frozen=True)
class Parties:
    mentee: Actor
    mentor: Actor
    listing_id: UUID


def carry_out(db: Connection, plan: PlannedBooking, parties: Parties, *, now: datetime) -> bool:
    """Make the booking and take it as far as its plan goes, and return whether a review was written.

    Raises:
        DomainError: a rule refuses it, e.g. since a calendar was filled meanwhile.
    """
    effects, random, reviewed = EffectRunner(db, now), plan.random, False
    title, notes = random.choice(TOPICS), random.choice(NOTES)
    booking = request(
        db,
        actor=parties.mentee,
        listing_id=parties.listing_id,
        start_time=plan.start,
        title=title,
        notes=seal_text(notes) if notes else None,
        now=plan.requested_at,
    )
    effects.run_immediate()
    if plan.outcome is Outcome.AWAITING_PAYMENT:
        _accepted(db, plan, parties, booking)
    elif plan.outcome in WITH_SESSION:
        booking = _paid(db, plan, _accepted(db, plan, parties, booking), effects)
        effects.run_immediate()
        reviewed = _hold(db, plan, parties, booking, effects)
    elif plan.outcome is Outcome.DECLINED:
        reason = random.choice(REASONS_TO_DECLINE)
        decline(db, actor=parties.mentor, booking=booking, reason=reason, now=plan.decided_at)
    elif plan.outcome is Outcome.CANCELLED:
        reason = random.choice(REASONS_TO_CANCEL)
        cancel(db, actor=parties.mentee, booking=booking, reason=reason, now=plan.decided_at)
    effects.run_immediate()
    effects.run_timers()
    date_booking(db, booking.id, requested_at=plan.requested_at, decided_at=plan.decided_at)
    return reviewed


def _accepted(db: Connection, plan: PlannedBooking, parties: Parties, booking: Booking) -> Booking:
    if booking.status is BookingStatus.ACCEPTED:
        return booking
    return accept(db, actor=parties.mentor, booking=booking, now=plan.decided_at)


def _paid(db: Connection, plan: PlannedBooking, booking: Booking, effects: EffectRunner) -> Booking:
    payment = booking.payment
    if payment is None:
        return booking
    effects.run_immediate()
    paid_at = min(plan.decided_at + timedelta(minutes=plan.random.uniform(*PAID_AFTER_MINUTES)), effects.now)
    money: dict[str, Any] = {"amount": payment.amount, "currency": payment.currency}
    confirm(db, actor=SYSTEM, payment=payment, reference=f"seed_{payment.id}", **money, now=paid_at)
    return Booking.of(db.execute(booking_query(booking.id)).one())


def _hold(db: Connection, plan: PlannedBooking, parties: Parties, booking: Booking, effects: EffectRunner) -> bool:
    if plan.outcome is Outcome.SCHEDULED or booking.session_id is None:
        return False
    random = plan.random
    session = Session.of(db.execute(session_query(booking.session_id)).one())
    started_at = min(plan.start + timedelta(minutes=random.uniform(-4, 5)), effects.now)
    opener = random.choice((parties.mentee, parties.mentor))
    session = start(db, actor=opener, session=session, early_start_minutes=None, now=started_at)
    effects.run_immediate()
    if plan.outcome is not Outcome.COMPLETED:
        return False
    complete(
        db,
        actor=parties.mentor,
        session=session,
        notes=seal_text(random.choice(SESSION_NOTES)),
        rating=random.choice((3, 4, 4, 5, 5)),
        action_items=[seal_text(item) for item in random.sample(ACTION_ITEMS, random.randint(0, 3))],
        now=plan.end + timedelta(minutes=random.uniform(-5, 10)),
    )
    effects.run_immediate()
    return review(db, session.id, mentee=parties.mentee, mentor=parties.mentor, words=plan.words, now=effects.now)
