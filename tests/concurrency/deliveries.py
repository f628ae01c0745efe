"""Every effect there is, delivered by tests: a life to play, a transport that counts, and what is due."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Engine, func, select, update

from infrastructure.transactions import Transactions, WakeupSink
from models.events import DeliveryState, deliveries
from models.sessions import session_id_of
from models.webhooks import webhook_endpoints
from tests import factories
from tests.integration.browsers import SubscribedBrowser
from tests.integration.harness import CallersThread
from workers.outbound import Route
from workers.runner import DeliveryRunner
from workers.transports import Renew, Transport, no_lease
from workflows.accounts.email_change import request_email_change
from workflows.accounts.records import User
from workflows.bookings.actions import cancel, decline
from workflows.bookings.records import Booking
from workflows.catalog.courses import Course
from workflows.events.delivery import DeliveryKey, SendResult
from workflows.events.event import own_fields
from workflows.events.event_types import (
    BookingAccepted,
    BundleExhausted,
    PaymentSurplus,
    ReviewSubmitted,
    SeatJoined,
    SeatLeft,
    SeatRefunded,
    WebhookEndpointDisabled,
    WebhookEndpointExhausted,
    WebhookEndpointFailing,
)
from workflows.events.record import Wakeup, record
from workflows.events.subscriptions import Subscriptions, load
from workflows.groups.place import read_group
from workflows.groups.seats import leave
from workflows.groups.waitlist import join_waitlist
from workflows.identity.actor import STRIPE, SYSTEM, Actor
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.notifications.kinds import OPERATOR_NOTICES
from workflows.notifications.mails import Mail, Notice
from workflows.notifications.push_subscriptions import subscribe_browser
from workflows.notifications.pushes import PushMessage
from workflows.payments.checkout import keep_page
from workflows.payments.news import tell
from workflows.payments.records import PAYMENT, Payment, PaymentOfRefund, refund_query
from workflows.payments.refunds import PageMessage, RefundMessage
from workflows.sessions.actions import complete
from workflows.sessions.cancel import cancel as call_off
from workflows.sessions.moving import accept_proposal, reschedule
from workflows.sessions.outcomes import remind_to_complete, waive_fee
from workflows.sessions.records import Session, SessionWithTerms, session_query, session_with_terms_query
from workflows.settlements.actions import complete_refund, confirm
from workflows.webhooks.actions import create_endpoint


class Deaf:
    """Takes wakeups and does nothing about them: these tests look at the rows."""

    def put(self, wakeups: Iterable[Wakeup]) -> None:
        """Drop them."""


@dataclass
class CountingTransport(Transport[Any]):
    """A transport that counts what it is given, by the id that the receiver sees."""

    sent: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def send(self, message: Any, _renew: Renew = no_lease) -> SendResult:
        match message:
            case Mail() | Notice():
                name = str(message.delivery_id)
            case PushMessage():
                name = str(message.notification_id)
            case RefundMessage():
                name = str(message.refund_id)
            case PageMessage():
                name = message.page
            case _:
                name = str(message.webhook_id)
        with self._lock:
            self.sent[name] += 1
        return SendResult()


@cache
def every_effect() -> Subscriptions:
    """All that there is, with an operator's channel that gets every notice."""
    return load().with_policy(OperatorPolicy(notice_channels=("chat",), notice_kinds=frozenset(OPERATOR_NOTICES)))


@dataclass
class Harness:
    """A deliverer on a database, and what it has sent outside."""

    engine: Engine
    transport: CountingTransport = field(default_factory=CountingTransport)
    wakeups: WakeupSink = field(default_factory=Deaf)  # gets the wake-ups after each commit; drops them by default

    @property
    def transactions(self) -> Transactions:
        return Transactions(self.engine, self.wakeups)

    @property
    def deliverer(self) -> DeliveryRunner:
        names = ("mail", "http", "push", "channels", "stripe")
        all_routes = dict.fromkeys(names, Route(self.transport, CallersThread()))
        return DeliveryRunner(self.transactions, every_effect(), all_routes)

    def due(self) -> list[DeliveryKey]:
        return self.keys(deliveries.c.state == DeliveryState.PENDING, deliveries.c.due_at <= func.now())

    def keys(self, *conditions: ColumnElement[bool]) -> list[DeliveryKey]:
        with self.transactions() as db:
            rows = db.execute(
                select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).where(*conditions)
            )
            return [DeliveryKey(event_id=row.event_id, effect=row.effect, target=row.target) for row in rows]

    def row(self, key: DeliveryKey) -> Any:
        with self.transactions() as db:
            return db.execute(
                select(deliveries).where(
                    deliveries.c.event_id == key.event_id,
                    deliveries.c.effect == key.effect,
                    deliveries.c.target == key.target,
                )
            ).one()

    def call_again(self) -> None:
        """Pretend that the sweep had to call for all that is pending."""
        with self.transactions() as db:
            db.execute(update(deliveries).where(deliveries.c.state == DeliveryState.PENDING).values(nudges=1))

    def let_time_pass(self, effect: str | None = None) -> None:
        waiting = update(deliveries).where(deliveries.c.state == DeliveryState.PENDING)
        if effect is not None:
            waiting = waiting.where(deliveries.c.effect == effect)
        with self.transactions() as db:
            db.execute(waiting.values(due_at=func.now()))


@dataclass
class Life:
    """Five requests of one mentee: accepted and held or called off, declined, taken back, and left to expire."""

    held: Booking
    called_off: Booking
    declined: Booking
    taken_back: Booking
    expiring: Booking


def listen(db: Connection) -> None:
    """Make an endpoint for every event type, active once it has answered its ping."""
    owner, url = factories.OPERATOR, "https://partner.example/hooks"
    create_endpoint(db, actor=owner, url=url, event_types=["*"], seal=str, now=datetime.now(UTC))


def begin(db: Connection) -> Life:
    """Make the requests; the mentee's browser shows what comes of them."""
    listing, mentee = factories.make_listing(db), factories.make_user(db)
    keys = SubscribedBrowser("https://push.example/x").subscription
    actor = factories.acting_user(mentee)
    subscribe_browser(db, actor=actor, endpoint=keys["endpoint"], seal=str, allowed=[], **keys["keys"])
    return Life(*(factories.make_booking(db, listing=listing, mentee=mentee) for _ in range(5)))


def decide(db: Connection, life: Life) -> None:
    now = datetime.now(UTC)
    factories.accept_booking(db, life.held)
    factories.accept_booking(db, life.called_off)
    decline(db, actor=factories.mentor_of(life.declined), booking=life.declined, reason=None, now=now)
    assert life.taken_back.mentee_user_id is not None
    mentee = Actor.person(life.taken_back.mentee_user_id, None)
    cancel(db, actor=mentee, booking=life.taken_back, reason=None, now=now)


def hold(db: Connection, life: Life) -> None:
    """The sessions of the accepted ones: one from its start to its end, the other as far as its cancellation."""
    now = datetime.now(UTC)
    session = Session.of(db.execute(session_query(session_id_of(life.held.id))).one())
    off = SessionWithTerms.of(db.execute(session_with_terms_query(session_id_of(life.called_off.id))).one())
    call_off(db, actor=factories.mentor_of(off), session=off, reason="On holiday", now=now)
    started = factories.start_session(db, session)
    complete(db, actor=factories.mentor_of(started), session=started, now=now)


def join_and_leave(db: Connection, life: Life) -> None:
    """The events of a group's seats, of a bundle's last session, and of a review."""
    held = life.held
    assert held.mentee_user_id is not None
    now = datetime.now(UTC)
    known: dict[str, Any] = {"booking_id": held.id, "mentor_profile_id": held.mentor_profile_id}
    known |= {"seat_id": uuid4(), "user_id": held.mentee_user_id, "capacity": 8, "seats_taken": 1, "currency": "USD"}
    known |= {"start_time": held.start_time, "end_time": held.end_time, "price_amount": 4000}
    known |= {"late": False, "fee_amount": 0, "refund_amount": 4000, "credit_returned": False, "credit_valid_to": None}
    known |= {"bundle_purchase_id": uuid4(), "course_id": uuid4(), "product_id": uuid4(), "status": "exhausted"}
    known |= {"total_sessions": 5, "remaining_sessions": 0, "valid_from": now, "valid_to": None}
    known |= {"session_id": session_id_of(held.id), "mentee_user_id": held.mentee_user_id, "review_id": uuid4()}
    for kind in (SeatJoined, SeatLeft, BundleExhausted, ReviewSubmitted):
        of_it = {name: value for name, value in known.items() if name in own_fields(kind)}
        record(db, kind(actor=f"user:{held.mentee_user_id}", occurred_at=now, **of_it))


@dataclass
class CourseLife:
    """A course, two groups of it in which Ada and Lin take part and for whose first Ben and Eve wait, and a session."""

    course: Course
    left: Booking
    held: Booking
    single: Session
    ada: User
    lin: User


# The effects of bundles, groups, sessions after the fact and a changed address: from the life of a course.
OF_COURSES = {
    "notifications.email_change_requested",
    "notifications.seat_refunded",
    *("bundles.expire", "notifications.bundle_expired", "notifications.bundle_expiring"),
    *("notifications.bundle_purchased", "notifications.session_fee_waived", "notifications.session_overdue"),
    *("notifications.waitlist_dropped", "notifications.waitlist_offered"),
    *("seats.refund", "waitlist.close", "waitlist.close_started", "waitlist.expire"),
}


def teach(db: Connection) -> CourseLife:
    """Sell a bundle, schedule the groups, and book the session; Ada changes her mail address."""
    now = datetime.now(UTC)
    course, mentor = factories.make_course(db), factories.make_mentor(db)
    ada, lin = factories.make_user(db), factories.make_user(db)
    listing = factories.make_listing(db, mentor, course_id=course.id)
    factories.make_bundle(db, course=course, mentee=ada, valid_days=30)
    begin = factories.this_hour()
    left, held = (
        factories.make_group(db, [ada, lin], listing=listing, start_time=begin + timedelta(days=days), capacity=2)
        for days in (5, 6)
    )
    record(db, *(BookingAccepted.about(group, actor=factories.OPERATOR, now=now) for group in (left, held)))
    single = factories.make_session(db, mentee=ada)
    address = "ada.new@example.org"
    request_email_change(db, actor=factories.acting_user(ada), user_id=ada.id, email=address, now=now)
    for group in (left, held):
        for waiting in (factories.make_user(db), factories.make_user(db)):
            actor = factories.acting_user(waiting)
            join_waitlist(db, actor=actor, group=read_group(db, group.id), now=now, policy=DEFAULT_POLICY)
    return CourseLife(course, left, held, single, ada, lin)


def leave_group(db: Connection, life: CourseLife) -> None:
    """Ada leaves the first group, whose seat is offered to the waiting list, and a fee of hers is waived."""
    now, group = datetime.now(UTC), read_group(db, life.left.id)
    leave(
        db,
        actor=factories.acting_user(life.ada),
        group=group,
        mentee_user_id=life.ada.id,
        reason=None,
        now=now,
        policy=DEFAULT_POLICY,
    )
    seat: dict[str, Any] = {"user_id": life.ada.id, "seat_id": uuid4(), "bundle_purchase_id": None}
    fee: dict[str, Any] = {"refund_amount": 2000, "currency": "USD", "credit_returned": None, "credit_valid_to": None}
    record(db, SeatRefunded.about(group, actor=factories.OPERATOR, now=now, **seat, **fee, waived=True))


def end_groups(db: Connection, life: CourseLife) -> None:
    """The first group is cancelled; the second is started early and never completed; Ada cancels late, for no fee."""
    now = datetime.now(UTC)
    call_off(db, actor=factories.OPERATOR, session=terms_of(db, session_id_of(life.left.id)), reason="Ill", now=now)
    factories.start_session(db, terms_of(db, session_id_of(life.held.id)))
    remind_to_complete(db, now=life.held.end_time + timedelta(hours=25))
    single = terms_of(db, life.single.id)
    call_off(db, actor=factories.acting_user(life.ada), session=single, reason="Ill", now=single.start_time)
    waive_fee(db, actor=factories.OPERATOR, session=terms_of(db, single.id), reason="Goodwill", now=now)


def terms_of(db: Connection, session_id: UUID) -> SessionWithTerms:
    return SessionWithTerms.of(db.execute(session_with_terms_query(session_id)).one())


@dataclass
class PaidLife:
    """Two bookings of one mentee that await their payments: one is paid, the other lapses."""

    paid: Booking
    lapsing: Booking

    @property
    def payment_id(self) -> UUID:
        """The id of the payment that arrives."""
        assert self.paid.payment is not None
        return self.paid.payment.id


# The effects of payments: from the life of two prepaid bookings.
OF_PAYMENTS = {
    *("payments.lapse", "payments.start_refund", "payments.refund", "payments.return_surplus"),
    *("payments.start_closing", "payments.close_page"),
    *("notifications.payment_due", "notifications.payment_lapsed"),
    *("notifications.payment_received", "notifications.refund_sent"),
}


def await_payments(db: Connection) -> PaidLife:
    listing, mentee = factories.make_listing(db), factories.make_user(db)
    return PaidLife(*(factories.make_prepaid_booking(db, listing=listing, mentee=mentee) for _ in range(2)))


def pay(db: Connection, life: PaidLife) -> None:
    """It arrives at the bank, and a second time at Stripe, whose page was still open."""
    now, payment = datetime.now(UTC), Payment.of(db.execute(PAYMENT, {"id": life.payment_id}).one())
    keep_page(db, payment, id="cs_1", url="https://pay.example", expires_at=now + timedelta(hours=1), now=now)
    arrived: dict[str, Any] = {"reference": "pi_1", "amount": payment.amount, "currency": payment.currency}
    confirm(db, actor=factories.OPERATOR, payment=payment, now=now, **arrived)
    surplus: dict[str, Any] = {"reference": "pi_2", "surplus_amount": payment.amount, "surplus_currency": "USD"}
    tell(db, PaymentSurplus, payment, actor=STRIPE, now=now, failed=None, **surplus)


def refund(db: Connection, life: PaidLife) -> None:
    """The mentor cancels the paid session, and its whole price goes back."""
    now, session = datetime.now(UTC), terms_of(db, session_id_of(life.paid.id))
    call_off(db, actor=factories.mentor_of(session), session=session, reason="Ill", now=now)
    (due,) = Payment.of(db.execute(PAYMENT, {"id": life.payment_id}).one()).refunds
    payment = PaymentOfRefund.of(db.execute(refund_query(life.payment_id, due.id)).one())
    complete_refund(db, actor=factories.OPERATOR, payment=payment, reference="re_1", now=now)


@dataclass
class MovedLife:
    """Two sessions whose mentees propose another time: one mentor accepts, the other does not answer."""

    moved: Session
    unanswered: Session


# The effects of moves and of proposals: from the life of two sessions.
OF_MOVES = {
    *("sessions.expire_proposal", "sessions.remind_moved", "notifications.session_rescheduled"),
    *("notifications.reschedule_proposed", "notifications.reschedule_ended"),
}


def schedule(db: Connection) -> MovedLife:
    return MovedLife(factories.make_session(db), factories.make_session(db))


def propose(db: Connection, life: MovedLife) -> None:
    for each in (life.moved, life.unanswered):
        session = terms_of(db, each.id)
        assert session.mentee_user_id is not None
        mentee, start = Actor.person(session.mentee_user_id, None), session.start_time + timedelta(days=1)
        reschedule(db, actor=mentee, session=session, start_time=start, now=datetime.now(UTC))


def answer(db: Connection, life: MovedLife) -> None:
    session = terms_of(db, life.moved.id)
    assert session.proposal is not None
    mentor = factories.mentor_of(session)
    accept_proposal(db, actor=mentor, session=session, proposal=session.proposal, now=datetime.now(UTC))


def fare_badly(db: Connection) -> None:
    """Every event that notifies an endpoint's owner of its health."""
    endpoint_id = db.scalars(select(webhook_endpoints.c.id)).one()
    for event in (WebhookEndpointExhausted, WebhookEndpointFailing, WebhookEndpointDisabled):
        record(
            db,
            event(
                actor=SYSTEM.name,
                occurred_at=datetime.now(UTC),
                webhook_endpoint_id=endpoint_id,
                mentor_profile_id=None,
            ),
        )
