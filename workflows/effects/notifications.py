"""The queue `notifications`: who is notified of which event, in the application, by mail and by push."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from models.catalog import courses
from models.payments import PaidFor
from models.sessions import CancelledBy, OutcomeType, ProposalStatus
from workflows.bundles.expiry import expiry_of, is_long, is_superseded, notice_of_expiry
from workflows.bundles.records import Bundle, bundle_query
from workflows.events.event import Event
from workflows.events.event_types import (
    BookingAccepted,
    BookingCancelled,
    BookingDeclined,
    BookingRequested,
    BookingUndecided,
    BundleEvent,
    BundleExhausted,
    BundleExpired,
    BundlePurchased,
    BundleValiditySet,
    EmailChangeRequested,
    PaymentAwaiting,
    PaymentEvent,
    PaymentLapsed,
    PaymentPaid,
    PaymentRefunded,
    ProposalEvent,
    ReviewUnlocked,
    SeatJoined,
    SeatLeft,
    SeatRefunded,
    SessionCancelled,
    SessionCompleted,
    SessionCreated,
    SessionFeeWaived,
    SessionOverdue,
    SessionReminderSet,
    SessionRescheduled,
    SessionRescheduleEnded,
    SessionRescheduleProposed,
    SessionStarted,
    WaitlistDropped,
    WaitlistEvent,
    WaitlistOffered,
    WebhookEndpointDisabled,
    WebhookEndpointEvent,
    WebhookEndpointExhausted,
    WebhookEndpointFailing,
)
from workflows.events.record import follow_up
from workflows.events.subscriptions import subscribe
from workflows.groups.seats import reason_for_leaving
from workflows.identity.actor import SYSTEM, is_operators
from workflows.kernel.language import gettext_noop, language_of
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.notifications.endpoint_news import news_of
from workflows.notifications.kinds import OPERATOR_NOTICES
from workflows.notifications.mails import FORMER_ADDRESS, NEW_ADDRESS, OPERATORS, SEND_MAIL, SEND_NOTICE
from workflows.notifications.notify import BookingNotification, notify, notify_people
from workflows.notifications.recipients import Parties, Person, parties_of, person_of
from workflows.notifications.reminders import require_asked_for, words_about_seat
from workflows.notifications.texts import Quotation, compose
from workflows.payments.records import PAID_FOR
from workflows.terms.cancellation import end_of_free_time, end_of_free_time_after_move


def _all(_event: Event, parties: Parties, _now: datetime) -> Sequence[Person]:
    return parties.all


def _mentor(_event: Event, parties: Parties, _now: datetime) -> Sequence[Person]:
    return [parties.mentor]


def _mentees(_event: Event, parties: Parties, _now: datetime) -> Sequence[Person]:
    return parties.mentees


def _mentees_who_waited(event: BookingAccepted, parties: Parties, _now: datetime) -> Sequence[Person]:
    """None for an instant listing: the mentee has just booked it. An operator's booking is news to them."""
    return [mentee for mentee in parties.mentees if event.actor not in mentee.acts_as]


def _others(event: SessionStarted, parties: Parties, _now: datetime) -> Sequence[Person]:
    return parties.others(event.actor)


def _parties_of_end(event: BookingCancelled, parties: Parties, _now: datetime) -> Sequence[Person]:
    """All but who cancelled it; the mentor, unless the request was withdrawn before they were notified.

    A mentee who has not paid has a notification of the payment.
    """
    knows = parties.request_notified or not parties.mentor.channels_for("booking_requested")
    mentor = [parties.mentor] if knows and event.actor not in parties.mentor.acts_as else []
    if event.actor == SYSTEM.name and event.awaited_payment:
        return mentor
    return [*mentor, *(mentee for mentee in parties.mentees if event.actor not in mentee.acts_as)]


def _without_seat(_event: SessionCreated, parties: Parties, _now: datetime) -> Sequence[Person]:
    """Every seat has a notification of its own."""
    return [person for person in parties.all if person.seat_price is None]


def _permitted(event: ReviewUnlocked, parties: Parties, _now: datetime) -> Sequence[Person]:
    """The owner of the permit; every participant of a group has an event of their own."""
    return [mentee for mentee in parties.mentees if mentee.user_id == event.mentee_user_id]


def _booked_by(event: BookingAccepted, _parties: Parties, _now: datetime) -> Mapping[str, Any]:
    return {"by_operator": is_operators(event.actor)}


def _expired(event: BookingCancelled, parties: Parties, _now: datetime) -> Mapping[str, Any]:
    """The mentee's reason is for the mentor, so that the event does not hold it."""
    expired = event.actor == SYSTEM.name
    by_mentor = event.actor in parties.mentor.acts_as
    return {
        "expired": expired,
        # A group is cancelled by its mentor alone.
        "who": parties.mentor.name if by_mentor else " ".join(each.name for each in parties.mentees[:1]),
        "by_operator": is_operators(event.actor),
        "reason": None if expired else _quoted(parties.cancel_reason),
    }


def _decline_reason(_event: BookingDeclined, parties: Parties, _now: datetime) -> Mapping[str, Any]:
    """The mentor's reason is for the mentee alone, so that the event does not hold it."""
    return {"reason": _quoted(parties.decline_reason)}


def _cancellation(event: SessionCancelled, parties: Parties, _now: datetime) -> Mapping[str, Any]:
    """The reason is for both parties alone, so that the event does not hold it; some types are their own reason."""
    said = event.cancellation_type not in (OutcomeType.NO_SHOW, OutcomeType.NOT_HELD)
    return {
        "reason": _quoted(parties.cancellation.get("reason")) if said else None,
        "refund_requested": bool(parties.cancellation.get("refundRequested")),
    }


def _answering(event: ProposalEvent, parties: Parties, _now: datetime) -> Sequence[Person]:
    """The party to whom another time was proposed."""
    return parties.mentees if event.by == CancelledBy.MENTOR else [parties.mentor]


def _left_without(event: SessionRescheduleEnded, parties: Parties, now: datetime) -> Sequence[Person]:
    """Who proposed the time; of a proposal that was withdrawn, the other party."""
    answering = _answering(event, parties, now)
    if event.outcome == ProposalStatus.WITHDRAWN:
        return answering
    return [person for person in parties.all if person not in answering]


def _move(event: SessionRescheduled | ProposalEvent, parties: Parties, _now: datetime) -> Mapping[str, Any]:
    """The reason is for both parties alone, so that the event does not hold it."""
    moved = isinstance(event, SessionRescheduled)
    hours = parties.fee_window_hours
    return {
        "reason": _quoted(parties.move_reason if moved else parties.proposal_reason),
        "free_until": end_of_free_time_after_move(event.occurred_at, event.to, window_hours=hours),
    }


def _free_until(event: SessionCreated, parties: Parties, _now: datetime) -> Mapping[str, Any]:
    """Until when the mentee can cancel without a fee; None for a group, of whose seats the mail does not speak."""
    hours = parties.fee_window_hours if event.mentee_user_id is not None else None
    if hours is None:
        return {"free_until": None}
    return {"free_until": end_of_free_time(event.start_time, window_hours=hours, accepted_at=event.occurred_at)}


def _time_left(event: SessionReminderSet, _parties: Parties, now: datetime) -> Mapping[str, Any]:
    """The time that is left, which a late reminder names."""
    return {"time_left": event.start_time - now}


def _quoted(words: str | None) -> Quotation | None:
    return Quotation(str(words)) if words and str(words).strip() else None


# Each effect is named `notifications.<kind>`.
BOOKING_NOTIFICATIONS = (
    BookingNotification(BookingRequested, "booking_requested", _mentor),
    BookingNotification(BookingUndecided, "booking_reminder", _mentor),
    BookingNotification(BookingAccepted, "booking_accepted", _mentees_who_waited, _booked_by),
    BookingNotification(BookingDeclined, "booking_declined", _mentees, _decline_reason),
    BookingNotification(
        BookingCancelled,
        "booking_cancelled",
        _parties_of_end,
        _expired,
        follows=(BookingRequested, "notifications.booking_requested"),
    ),
    BookingNotification(SessionCreated, "session_created", _without_seat, _free_until),
    BookingNotification(SessionReminderSet, "session_reminder", _all, _time_left),
    # Who moved it as well: the mail changes the time in their calendar.
    BookingNotification(SessionRescheduled, "session_rescheduled", _all, _move),
    BookingNotification(SessionRescheduleProposed, "reschedule_proposed", _answering, _move),
    BookingNotification(SessionRescheduleEnded, "reschedule_ended", _left_without),
    BookingNotification(SessionStarted, "session_started", _others),
    BookingNotification(SessionCompleted, "session_completed", _all),
    # The one who cancelled as well: the mail states the fee, and removes the session from their calendar.
    BookingNotification(SessionCancelled, "session_cancelled", _all, _cancellation),
    BookingNotification(SessionFeeWaived, "session_fee_waived", _all),
    BookingNotification(SessionOverdue, "session_overdue", _mentor),
    BookingNotification(ReviewUnlocked, "review_unlocked", _permitted),
)
DUE: dict[type[Event], Callable[[Any], datetime]] = {SessionReminderSet: lambda event: event.remind_at}


def _subscribe(notification: BookingNotification) -> None:
    event_type, name = notification.event, f"notifications.{notification.kind}"

    @subscribe(event_type, name=name, queue="notifications", due=DUE.get(event_type), deferred=True)
    def notify_parties(db: Connection, event: Event, *, now: datetime) -> None:
        notify(db, event, notification, now=now)


for _row in BOOKING_NOTIFICATIONS:
    _subscribe(_row)


@subscribe(SeatJoined, name="notifications.seat_joined", queue="notifications")
@subscribe(SeatLeft, name="notifications.seat_left", queue="notifications")
def notify_both(db: Connection, event: SeatJoined | SeatLeft, *, now: datetime) -> None:
    """Notify the mentor, and the person who took or left the seat, who may be no participant by now."""
    parties, person = parties_of(db, event.booking_id), person_of(db, event.user_id)
    reason = reason_for_leaving(db, event.seat_id) if isinstance(event, SeatLeft) else None
    about = {"who": person.name, "reason": _quoted(reason)}
    words = [(reader, words_about_seat(event, parties, reader, **about)) for reader in (parties.mentor, person)]
    notify_people(db, event, kind=_kind_of(event), words=words)


def _kind_of(event: Event) -> str:
    return event.type.replace(".", "_")


def _once_if_waived(event: SeatRefunded) -> Sequence[str]:
    """None for a cancelled group, whose notification of the cancellation tells participants of their refund."""
    return ("",) if event.waived else ()


@subscribe(SeatRefunded, name="notifications.seat_refunded", queue="notifications", targets=_once_if_waived)
@subscribe(WaitlistOffered, name="notifications.waitlist_offered", queue="notifications")
@subscribe(WaitlistDropped, name="notifications.waitlist_dropped", queue="notifications")
def notify_one(db: Connection, event: SeatRefunded | WaitlistEvent, _target: str = "", *, now: datetime) -> None:
    """Notify the person of the event alone, who may be no participant."""
    parties, person = parties_of(db, event.booking_id), person_of(db, event.user_id)
    words = words_about_seat(event, parties, person)
    notify_people(db, event, kind=_kind_of(event), words=[(person, words)])


def _notify_owner(db: Connection, event: BundleEvent, kind: str, **variables: Any) -> None:
    """Notify the mentee, unless the account is deleted; a bundle has no mentor."""
    mentee = person_of(db, event.mentee_user_id)
    if mentee.erased:
        return
    course = db.scalar(select(courses.c.title).where(courses.c.id == event.course_id))
    course = course or language_of(mentee.locale).gettext("sessions")
    words = compose(kind, event=event, reader=mentee, course=course, **variables)
    notify_people(db, event, kind=kind, words=[(mentee, words)])


@subscribe(BundlePurchased, name="notifications.bundle_purchased", queue="notifications")
@subscribe(BundleExhausted, name="notifications.bundle_exhausted", queue="notifications")
@subscribe(BundleExpired, name="notifications.bundle_expired", queue="notifications")
def notify_owner(db: Connection, event: BundleEvent, *, now: datetime) -> None:
    """Notify the owner; of an expiry only when sessions were left."""
    if not isinstance(event, BundleExpired) or event.expired_sessions:
        _notify_owner(db, event, _kind_of(event))


def _once_if_long(event: BundleValiditySet) -> Sequence[str]:
    return ("",) if is_long(event) else ()


@subscribe(
    BundleValiditySet,
    name="notifications.bundle_expiring",
    queue="notifications",
    due=notice_of_expiry,
    targets=_once_if_long,
)
def notify_before_expiry(db: Connection, event: BundleValiditySet, _target: str, *, now: datetime) -> None:
    """Notify the owner a week before, while sessions are left and the validity is still that."""
    bundle = Bundle.of(db.execute(bundle_query(event.bundle_purchase_id)).one())
    time_left = expiry_of(event) - now
    if bundle.remaining_sessions and time_left > timedelta(0) and not is_superseded(db, event, bundle):
        variables = {"left": bundle.remaining_sessions, "time_left": time_left}
        _notify_owner(db, event, "bundle_expiring", **variables)


def _subscribe_payment(event_type: type[PaymentEvent], kind: str) -> None:
    @subscribe(event_type, name=f"notifications.{kind}", queue="notifications")
    def notify_payer(db: Connection, event: PaymentEvent, *, now: datetime) -> None:
        """Notify the person who owes it; that it is due only while it is awaited."""
        payer, about = person_of(db, event.user_id), db.execute(PAID_FOR, {"id": event.payment_id}).one()
        if payer.erased:
            return
        if isinstance(event, PaymentAwaiting):
            require_asked_for(event, about)
        named = about.course or about.mentor
        what = language_of(payer.locale).gettext(_WHAT[PaidFor(event.paid_for)], named=named)
        words = compose(
            kind,
            event=event,
            reader=payer,
            what=what,
            start_time=about.start_time,
            moved_from=about.moved_from,
            came_late=about.is_given is False,
        )
        notify_people(db, event, kind=kind, words=[(payer, words)])


# After the word `for`.
_WHAT = {
    PaidFor.BOOKING: gettext_noop("the session with %(named)s"),
    PaidFor.SERIES: gettext_noop("the sessions with %(named)s"),
    PaidFor.SEAT: gettext_noop("your seat in the group session with %(named)s"),
    PaidFor.BUNDLE: gettext_noop("your bundle for %(named)s"),
}
_subscribe_payment(PaymentAwaiting, "payment_due")
_subscribe_payment(PaymentPaid, "payment_received")
_subscribe_payment(PaymentLapsed, "payment_lapsed")
_subscribe_payment(PaymentRefunded, "refund_sent")


@subscribe(EmailChangeRequested, name="notifications.email_change_requested", queue="notifications")
def notify_addresses(db: Connection, event: EmailChangeRequested, *, now: datetime) -> None:
    """Mail the new address a link to confirm it, and the former one a notice; neither can be switched off."""
    follow_up(db, event, SEND_MAIL, [NEW_ADDRESS, FORMER_ADDRESS])


@subscribe(WebhookEndpointExhausted, name="notifications.webhook_endpoint_exhausted", queue="notifications")
@subscribe(WebhookEndpointFailing, name="notifications.webhook_endpoint_failing", queue="notifications")
@subscribe(WebhookEndpointDisabled, name="notifications.webhook_endpoint_disabled", queue="notifications")
def notify_endpoints_owner(db: Connection, event: WebhookEndpointEvent, *, now: datetime) -> None:
    """Notify a mentor on their channels, the operators by mail; nothing for an endpoint that is deleted."""
    news = news_of(db, event)
    if news is None:
        return
    if news.owner_user_id is None:
        follow_up(db, event, SEND_MAIL, [OPERATORS])
    else:
        notify_people(db, event, kind=news.kind, words=[(person_of(db, news.owner_user_id), news.words)])


def _subscribe_channels(kind: str, event_type: type[Event]) -> None:
    def is_wanted(policy: OperatorPolicy) -> bool:
        return bool(policy.notice_channels) and kind in policy.notice_kinds

    @subscribe(event_type, name=f"channels.{kind}", queue="notifications", uses_operator_policy=True, wanted=is_wanted)
    def notify_operators(
        db: Connection, event: Event, *, now: datetime, policy: OperatorPolicy = DEFAULT_POLICY
    ) -> None:
        """One notice for each channel of the operators."""
        if is_wanted(policy):
            follow_up(db, event, SEND_NOTICE, policy.notice_channels)


for _kind, _event in OPERATOR_NOTICES.items():
    _subscribe_channels(_kind, _event)
