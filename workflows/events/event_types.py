"""The types of events, and their list.

Webhooks carry all fields of a type: none is private. `credit_returned` is whether the credit that paid went back to its
bundle, or null where none paid. The bundle ends at `credit_valid_to`; a credit of a bundle that has ended is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from workflows.events.event import FOUND_TYPES, Event


@dataclass(frozen=True, kw_only=True)
class BookingEvent(Event, subject="booking"):
    """The fields of every event about a booking."""

    booking_id: UUID
    listing_id: UUID | None
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    course_id: UUID | None = None
    kind: str
    status: str
    start_time: datetime
    end_time: datetime
    session_id: UUID | None
    version: int


class BookingRequested(BookingEvent, type="booking.requested"):
    """A mentee has requested a session."""


@dataclass(frozen=True, kw_only=True)
class BookingAccepted(BookingEvent, type="booking.accepted"):
    """The mentor has accepted the request, or an instant listing has accepted it at once.

    `awaited_payment`: whether it is accepted by its payment, for which it waited since then.
    """

    awaited_payment: bool = False


@dataclass(frozen=True, kw_only=True)
class BookingDeclined(BookingEvent, type="booking.declined"):
    """The mentor has declined the request."""

    credit_returned: bool | None = None
    credit_valid_to: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class BookingCancelled(BookingEvent, type="booking.cancelled"):
    """The mentee has cancelled the request, or it has expired; or it has ended while it awaited its payment."""

    awaited_payment: bool = False
    credit_returned: bool | None = None
    credit_valid_to: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class BookingUndecided(BookingEvent, type="booking.undecided", announced=False):
    """A request is undecided after a day; it expires at `expires_at`."""

    expires_at: datetime


class BookingAwaitingPayment(BookingEvent, type="booking.awaiting_payment", announced=False):
    """A booking waits for its payment, and blocks its time; for live updates."""


class BookingTimeFreed(BookingEvent, type="booking.time_freed", announced=False):
    """A booking was cancelled that had waited for its payment, and its time is free; for live updates."""


@dataclass(frozen=True, kw_only=True)
class PaymentEvent(Event, subject="payment"):
    """The fields of every event about a payment; money in minor units of `currency`.

    `paid_for` is booking, series, seat or bundle, and has its id; a seat has its group's booking. What is charged goes
    back by `refund_due` and has gone back by `refunded`. An `…external_id` is the marketplace's own id of what has the
    `…id`.
    """

    payment_id: UUID
    paid_for: str
    booking_id: UUID | None
    series_id: UUID | None
    seat_id: UUID | None
    bundle_purchase_id: UUID | None
    user_id: UUID
    mentor_profile_id: UUID | None
    amount: int
    currency: str
    status: str
    due_at: datetime
    charged: int
    refund_due: int
    refunded: int
    version: int
    # Events of earlier releases lack them.
    booking_external_id: str | None = None
    bundle_purchase_external_id: str | None = None
    user_external_id: str | None = None
    mentor_profile_external_id: str | None = None


class PaymentAwaiting(PaymentEvent, type="payment.awaiting"):
    """A payment is due until `due_at`; what it is for waits for it."""


@dataclass(frozen=True, kw_only=True)
class PaymentPaid(PaymentEvent, type="payment.paid"):
    """The amount of a payment has arrived. If it arrived too late, the whole of it is to go back."""

    reference: str


class PaymentPageOutdated(PaymentEvent, type="payment.page_outdated", announced=False):
    """Nobody waits any longer for a payment whose page at the payment provider is still open."""


@dataclass(frozen=True, kw_only=True)
class PaymentSurplus(PaymentEvent, type="payment.surplus", announced=False):
    """Money has arrived at the payment provider for what was paid otherwise or waived; all of it is to go back.

    Recorded again where its return has failed, with the provider's name of that return as `failed`.
    """

    reference: str
    surplus_amount: int
    surplus_currency: str
    failed: str | None = None


class PaymentLapsed(PaymentEvent, type="payment.lapsed"):
    """Nothing arrived in time: what waited for the payment is free again."""


class PaymentCancelled(PaymentEvent, type="payment.cancelled"):
    """What waited for the payment was cancelled first."""


@dataclass(frozen=True, kw_only=True)
class PaymentRefundDue(PaymentEvent, type="payment.refund_due"):
    """A part of a payment, or all of it, is to go back: `refund_amount`. Told again where it was sent and failed."""

    refund_id: UUID
    refund_amount: int


@dataclass(frozen=True, kw_only=True)
class PaymentRefunded(PaymentEvent, type="payment.refunded"):
    """A refund has gone back, under the reference of who sent it."""

    refund_id: UUID
    refund_amount: int
    refund_reference: str


@dataclass(frozen=True, kw_only=True)
class SessionEvent(Event, subject="session"):
    """The fields of every event about a session."""

    session_id: UUID
    booking_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    course_id: UUID | None = None
    status: str
    start_time: datetime
    end_time: datetime
    version: int


class SessionCreated(SessionEvent, type="session.created"):
    """An accepted booking has become a session."""


class SessionStarted(SessionEvent, type="session.started"):
    """The mentor or the mentee has started the session."""


class SessionCompleted(SessionEvent, type="session.completed"):
    """The mentor has completed the session."""


@dataclass(frozen=True, kw_only=True)
class SessionCancelled(SessionEvent, type="session.cancelled"):
    """The session has been cancelled, by the policy of its booking; money in minor units.

    `cancelled_by` is mentee, mentor, operator or system; `late`: inside the policy's window. `started`: whether
    it had begun.
    """

    cancelled_by: str
    cancellation_type: str
    late: bool
    fee_amount: int
    refund_amount: int
    currency: str
    credit_returned: bool | None = None
    credit_valid_to: datetime | None = None
    started: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionFeeWaived(SessionEvent, type="session.fee_waived"):
    """An operator has waived the fee of a cancelled session; money in minor units.

    `waived_fee_amount` was the fee; `refund_amount` is now the whole price. `credit_returned`: true where the credit
    was the fee. `no_show_reverted`: whether the session no longer counts as a no-show.
    """

    waived_fee_amount: int = 0
    refund_amount: int
    currency: str
    credit_returned: bool | None = None
    credit_valid_to: datetime | None = None
    no_show_reverted: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionRescheduled(SessionEvent, type="session.rescheduled"):
    """The session has moved to another time, by an operator, a party alone, or both.

    From `from` to `to`, its present start. `by` is mentee, mentor or operator: who moved or proposed it. `proposal_id`
    holds what was agreed.
    """

    from_: datetime
    to: datetime
    by: str
    reschedule_count: int
    proposal_id: UUID


@dataclass(frozen=True, kw_only=True)
class ProposalEvent(SessionEvent):
    """The fields of every event about a proposal of another time, `from` the present one `to` another; `by` is mentee
    or mentor: who made it."""

    proposal_id: UUID
    from_: datetime
    to: datetime
    by: str
    expires_at: datetime


class SessionRescheduleProposed(ProposalEvent, type="session.reschedule_proposed"):
    """A party has proposed another time, which the other one can accept until `expires_at`."""


@dataclass(frozen=True, kw_only=True)
class SessionRescheduleEnded(ProposalEvent, type="session.reschedule_ended"):
    """A proposal of another time was declined, withdrawn or not answered; the session keeps its time.

    `outcome` is declined, withdrawn or expired.
    """

    outcome: str


class SessionTimeFreed(SessionEvent, type="session.time_freed", announced=False):
    """A session has moved, or was ended by an import, and its former time is free; for live updates."""


class SessionOverdue(SessionEvent, type="session.overdue", announced=False):
    """A session is still in progress a day after its end."""


@dataclass(frozen=True, kw_only=True)
class SessionReminderSet(SessionEvent, type="session.reminder_set", announced=False):
    """A reminder of a session to both parties, due at `remind_at` and of no use from `useful_until` on."""

    minutes_before: int
    remind_at: datetime
    useful_until: datetime


@dataclass(frozen=True, kw_only=True)
class SessionImported(SessionEvent, type="session.imported", announced=False):
    """A session has been brought over by an import, as it stands since."""

    import_id: UUID


@dataclass(frozen=True, kw_only=True)
class ImportContinued(Event, type="import.continued", subject="import", announced=False):
    """Lines of an import wait to be carried out."""

    import_id: UUID


@dataclass(frozen=True, kw_only=True)
class GroupEvent(Event, subject="booking"):
    """The fields of every event about the seats of a group session, as they are after it."""

    booking_id: UUID
    mentor_profile_id: UUID
    course_id: UUID | None = None
    start_time: datetime
    end_time: datetime
    capacity: int
    seats_taken: int


class GroupSessionFull(GroupEvent, type="group_session.full"):
    """The last free seat of a group session has been taken."""


class GroupSessionChanged(GroupEvent, type="group_session.changed", announced=False):
    """The number of seats has changed, or someone has left the waiting list; for live updates."""


@dataclass(frozen=True, kw_only=True)
class SeatEvent(GroupEvent):
    """The fields of every event about one seat; `bundle_purchase_id` is the bundle that paid for it. Money in minor
    units of `currency`."""

    user_id: UUID
    seat_id: UUID
    currency: str
    bundle_purchase_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class SeatJoined(SeatEvent, type="seat.joined"):
    """A participant has joined a group session, for the price or with a bundle."""

    price_amount: int
    product_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class SeatLeft(SeatEvent, type="seat.left"):
    """A participant has left a group session, by its policy at that moment; money in minor units.

    `late`: inside the policy's window.
    """

    late: bool
    fee_amount: int
    refund_amount: int
    credit_returned: bool | None
    credit_valid_to: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SeatRefunded(SeatEvent, type="seat.refunded"):
    """The price of a group's seat is refunded: the session was cancelled, or the fee for leaving late is waived.

    `refund_amount` comes back now. `waived`: it is the fee of a seat that was left late.
    """

    refund_amount: int
    credit_returned: bool | None
    credit_valid_to: datetime | None = None
    waived: bool = False


@dataclass(frozen=True, kw_only=True)
class WaitlistEvent(GroupEvent, announced=False):
    """The fields of every event about one person on the waiting list of a group session."""

    user_id: UUID


@dataclass(frozen=True, kw_only=True)
class WaitlistOffered(WaitlistEvent, type="waitlist.offered"):
    """A seat is kept for the first in line until `expires_at`."""

    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class WaitlistDropped(WaitlistEvent, type="waitlist.dropped"):
    """A person is no longer on the waiting list.

    `reason`: the offer has `lapsed`, the session has `begun`, or it is `cancelled`.
    """

    reason: str


@dataclass(frozen=True, kw_only=True)
class BundleEvent(Event, subject="bundle_purchase"):
    """The fields of every event about a bundle.

    `status` is active, exhausted or expired; `valid_to` is exclusive, and None for no end.
    """

    bundle_purchase_id: UUID
    mentee_user_id: UUID
    course_id: UUID
    product_id: UUID
    status: str
    total_sessions: int
    remaining_sessions: int
    valid_from: datetime
    valid_to: datetime | None


class BundleAwaitingPayment(BundleEvent, type="bundle.awaiting_payment", announced=False):
    """A mentee buys a bundle, and its payment is awaited."""


class BundlePurchased(BundleEvent, type="bundle.purchased"):
    """A mentee has bought a bundle, and paid it where it is paid before."""


class BundleExhausted(BundleEvent, type="bundle.exhausted"):
    """The last session of a bundle has been used."""


@dataclass(frozen=True, kw_only=True)
class BundleExpired(BundleEvent, type="bundle.expired"):
    """The validity of a bundle has ended; the sessions that were left in it can no longer be used."""

    expired_sessions: int


class BundleValiditySet(BundleEvent, type="bundle.validity_set", announced=False):
    """A bundle is valid until `valid_to` from now on: by its purchase, an operator, or a credit that came back."""


@dataclass(frozen=True, kw_only=True)
class ReviewUnlocked(Event, type="review.unlocked", subject="session"):
    """A mentee of a completed session may review it, until `expires_at`."""

    session_id: UUID
    booking_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class ReviewSubmitted(Event, type="review.submitted", subject="review"):
    """A mentee has reviewed a session; the text is among the mentor's reviews."""

    review_id: UUID
    session_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID


@dataclass(frozen=True, kw_only=True)
class MentorEvent(Event, subject="mentor_profile"):
    """The fields of every event about a decision of staff on a mentor profile."""

    mentor_profile_id: UUID
    user_id: UUID
    external_id: str | None
    state: str
    version: int


class MentorApproved(MentorEvent, type="mentor.approved"):
    """Staff have approved a mentor profile, or ended its pause: the mentor can be booked."""


class MentorRejected(MentorEvent, type="mentor.rejected"):
    """Staff have rejected a mentor profile: the mentor cannot be booked."""


@dataclass(frozen=True, kw_only=True)
class AvailabilityChanged(Event, type="availability.changed", subject="mentor_profile"):
    """A mentor's bookable times have changed: `changed` is `hours`, `dates`, `time_off`, `rules` or `calendars`."""

    mentor_profile_id: UUID
    changed: str
    version: int


@dataclass(frozen=True, kw_only=True)
class AvailabilityAnnouncementSet(
    Event, type="availability.announcement_set", subject="mentor_profile", announced=False
):
    """A mentor's bookable times keep changing: all changes are announced at `announce_at`."""

    mentor_profile_id: UUID
    announce_at: datetime


@dataclass(frozen=True, kw_only=True)
class CalendarFeedScheduled(Event, type="calendar_feed.scheduled", subject="calendar_feed", announced=False):
    """A mentor's outside calendar is to be read at `fetch_at`, and again and again from then on."""

    calendar_feed_id: UUID
    mentor_profile_id: UUID
    fetch_at: datetime


@dataclass(frozen=True, kw_only=True)
class HoldEvent(Event, subject="hold", announced=False):
    """The fields of every event about a hold: the time that it blocks, with the listing's buffers; never whose it is.

    The database records these events (`record_hold`) for live updates; no effect follows from them.
    """

    hold_id: UUID
    mentor_profile_id: UUID
    start_time: datetime
    end_time: datetime


class CalendarTaken(HoldEvent, type="calendar.taken"):
    """A mentee holds a time of a mentor."""


class CalendarFreed(HoldEvent, type="calendar.freed"):
    """A hold has ended: released, consumed by a booking, replaced, expired, or by time off."""


@dataclass(frozen=True, kw_only=True)
class EmailChangeEvent(Event, subject="user", announced=False):
    """The fields of every event about a change of a user's mail address; the addresses are in no event."""

    user_id: UUID
    email_change_id: UUID


class EmailChangeRequested(EmailChangeEvent, type="user.email_change_requested"):
    """A user has entered another mail address, which is theirs once they confirm it."""


class EmailChanged(EmailChangeEvent, type="user.email_changed"):
    """A user has confirmed another mail address."""


@dataclass(frozen=True, kw_only=True)
class WebhookPinged(Event, type="webhook.ping", subject="webhook_endpoint", announced=False):
    """A test message to one endpoint, to see whether it answers."""

    webhook_endpoint_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookExampleAsked(Event, type="webhook.example", subject="webhook_endpoint", announced=False):
    """An example of a message, sent to one endpoint at its owner's request."""

    webhook_endpoint_id: UUID
    example_type: str


@dataclass(frozen=True, kw_only=True)
class WebhookEndpointEvent(Event, subject="webhook_endpoint"):
    """The fields of every event about an endpoint's health; mentors are sent the events of their own endpoints."""

    webhook_endpoint_id: UUID
    mentor_profile_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class WebhookEndpointExhausted(WebhookEndpointEvent, type="webhook_endpoint.exhausted", announced=False):
    """A message to the endpoint has used up its attempts, the first one since the endpoint's last success."""

    last_error: str | None = None


@dataclass(frozen=True, kw_only=True)
class WebhookEndpointFailing(WebhookEndpointEvent, type="webhook_endpoint.failing", announced=False):
    """The endpoint has accepted nothing for three days or longer; it is disabled after five at the earliest."""

    last_error: str | None = None


class WebhookEndpointDisabled(WebhookEndpointEvent, type="webhook_endpoint.disabled"):
    """The endpoint is sent nothing until it answers a ping that its owner requests."""


def event_types() -> Mapping[str, type[Event]]:
    """Every event by its type's name, in the order of this file."""
    if not FOUND_TYPES:
        FOUND_TYPES.update({event.type: event for event in _below(Event) if event.type != "*"})
    return FOUND_TYPES


def known_types() -> str:
    """The names of all types as PostgreSQL writes an array: the driver would write each of them in Python."""
    return f"{{{','.join(event_types())}}}"


def announced_types() -> tuple[str, ...]:
    """The types that webhook endpoints can subscribe to."""
    return tuple(name for name, event in event_types().items() if event.announced)


def _below(event: type[Event]) -> list[type[Event]]:
    return [kind for child in event.__subclasses__() for kind in (child, *_below(child))]
