"""Every event as a typed class: how it is stored and read back, and the catalogue of event types.

The fields of a type are what webhooks carry: nothing private.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Self, get_type_hints
from uuid import UUID

from uuid_utils.compat import uuid7

from workflows.identity.actor import Actor
from workflows.records import Record

ENVELOPE = frozenset({"id", "actor", "occurred_at", "sequence"})
# Largest difference expected between the clocks of two machines.
CLOCK_SKEW = timedelta(minutes=1)


def smallest_event_id(moment: datetime) -> UUID:
    """Lower bound of the ids of events made at that moment or later: a UUIDv7 begins with its millisecond."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to one subject. Subclasses add the data; times are UTC.

    `announced` says whether webhook endpoints can subscribe to the type. `sequence` is the database's, and None until
    the event has been read back.
    """

    type: ClassVar[str] = "*"
    subject: ClassVar[str] = ""
    announced: ClassVar[bool] = True

    id: UUID = field(default_factory=uuid7)
    actor: str
    occurred_at: datetime
    sequence: int | None = None

    @property
    def subject_id(self) -> UUID:
        """The id of the row that the event is about."""
        identifier: UUID = getattr(self, f"{self.subject}_id")
        return identifier

    def data(self) -> dict[str, Any]:
        """The event's own fields, as JSON can hold them."""
        return {name: _as_json(getattr(self, name)) for name in own_fields(type(self))}

    @classmethod
    def about(cls, record: Record, *, actor: Actor, now: datetime, **besides: Any) -> Self:
        """The event that has happened to `record`, which holds its row as it stands after the step.

        The record's own id is the event's `…_id`; whatever else the event tells, the record calls by the same name.

        Args:
            besides: what the event tells and the record does not hold, by the event's names.
        """
        subject_id = f"{cls.subject}_id"
        of_record = [name for name in own_fields(cls) if name not in besides]
        told = {name: getattr(record, "id" if name == subject_id else name) for name in of_record}
        return cls(actor=actor.name, occurred_at=now, **told, **besides)

    @classmethod
    def read(cls, *, id: UUID, actor: str, occurred_at: datetime, sequence: int, data: dict[str, Any]) -> Self:
        """The event that was stored; fields that a newer writer added are left alone."""
        own = {name: _from_json(kind, data.get(name)) for name, kind in own_fields(cls).items() if name in data}
        return cls(id=id, actor=actor, occurred_at=occurred_at, sequence=sequence, **own)


def own_fields(event: type[Event]) -> dict[str, Any]:
    """The types of an event's own fields by name."""
    # To mypy, a class whose instances are hashed by their fields cannot be hashed itself.
    return _own_fields(event)  # type: ignore[arg-type]


@cache
def _own_fields(event: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(event)
    return {each.name: hints[each.name] for each in fields(event) if each.name not in ENVELOPE}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _from_json(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if kind in (UUID, UUID | None):
        return UUID(value)
    return datetime.fromisoformat(value) if kind is datetime else value


@dataclass(frozen=True, kw_only=True)
class BookingEvent(Event):
    """What every event about a booking tells."""

    subject: ClassVar[str] = "booking"

    booking_id: UUID
    listing_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    course_id: UUID | None = None
    kind: str
    status: str
    start_time: datetime
    end_time: datetime
    session_id: UUID | None
    version: int


@dataclass(frozen=True, kw_only=True)
class BookingRequested(BookingEvent):
    """A mentee asks for a mentor's time."""

    type: ClassVar[str] = "booking.requested"


@dataclass(frozen=True, kw_only=True)
class BookingAccepted(BookingEvent):
    """The mentor, or an instant listing, says yes."""

    type: ClassVar[str] = "booking.accepted"


@dataclass(frozen=True, kw_only=True)
class BookingDeclined(BookingEvent):
    """The mentor says no."""

    type: ClassVar[str] = "booking.declined"


@dataclass(frozen=True, kw_only=True)
class BookingCancelled(BookingEvent):
    """The mentee takes a draft back, or it expired."""

    type: ClassVar[str] = "booking.cancelled"


@dataclass(frozen=True, kw_only=True)
class BookingUndecided(BookingEvent):
    """Nobody has decided a request for a day; it expires at `expires_at`."""

    type: ClassVar[str] = "booking.undecided"
    announced: ClassVar[bool] = False

    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SessionEvent(Event):
    """What every event about a session tells."""

    subject: ClassVar[str] = "session"

    session_id: UUID
    booking_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    course_id: UUID | None = None
    status: str
    start_time: datetime
    end_time: datetime
    version: int


@dataclass(frozen=True, kw_only=True)
class SessionCreated(SessionEvent):
    """An accepted booking has become a session."""

    type: ClassVar[str] = "session.created"


@dataclass(frozen=True, kw_only=True)
class SessionStarted(SessionEvent):
    """One of the parties has opened the meeting."""

    type: ClassVar[str] = "session.started"


@dataclass(frozen=True, kw_only=True)
class SessionCompleted(SessionEvent):
    """The mentor has closed the meeting."""

    type: ClassVar[str] = "session.completed"


@dataclass(frozen=True, kw_only=True)
class SessionCancelled(SessionEvent):
    """The meeting is called off, by the policy that its listing had at that moment; money in minor units.

    `cancelled_by` is mentee, mentor or operator; `late` says that the mentee was inside the policy's window.
    """

    type: ClassVar[str] = "session.cancelled"

    cancelled_by: str
    cancellation_type: str
    late: bool
    fee_amount: int
    refund_amount: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class SessionReminderSet(SessionEvent):
    """Both sides are to be reminded of a session at `remind_at`, or a little later: before `useful_until`."""

    type: ClassVar[str] = "session.reminder_set"
    announced: ClassVar[bool] = False

    minutes_before: int
    remind_at: datetime
    useful_until: datetime


@dataclass(frozen=True, kw_only=True)
class SeatEvent(Event):
    """What every event about a seat of a group tells; `seats_taken` is how many were then."""

    subject: ClassVar[str] = "booking"
    # Not offered to endpoints until groups record it.
    announced: ClassVar[bool] = False

    booking_id: UUID
    listing_id: UUID
    mentor_profile_id: UUID
    course_id: UUID | None = None
    user_id: UUID
    start_time: datetime
    end_time: datetime
    capacity: int
    seats_taken: int


@dataclass(frozen=True, kw_only=True)
class SeatJoined(SeatEvent):
    """Somebody has taken a seat of a group session."""

    type: ClassVar[str] = "seat.joined"


@dataclass(frozen=True, kw_only=True)
class SeatLeft(SeatEvent):
    """Somebody has given their seat of a group session back."""

    type: ClassVar[str] = "seat.left"


@dataclass(frozen=True, kw_only=True)
class BundleExhausted(Event):
    """The last session of a bundle has been spent."""

    type: ClassVar[str] = "bundle.exhausted"
    subject: ClassVar[str] = "bundle_purchase"
    # Not offered to endpoints until bundles record it.
    announced: ClassVar[bool] = False

    bundle_purchase_id: UUID
    mentee_user_id: UUID
    course_id: UUID
    product_id: UUID


@dataclass(frozen=True, kw_only=True)
class ReviewUnlocked(Event):
    """A mentee of a completed session may review it, until `expires_at`."""

    type: ClassVar[str] = "review.unlocked"
    subject: ClassVar[str] = "session"

    session_id: UUID
    booking_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class ReviewSubmitted(Event):
    """A mentee has reviewed a session; what they wrote stands at the mentor's reviews."""

    type: ClassVar[str] = "review.submitted"
    subject: ClassVar[str] = "review"

    review_id: UUID
    session_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID


@dataclass(frozen=True, kw_only=True)
class AvailabilityChanged(Event):
    """A mentor can be booked at other times than before; `changed` says by what of theirs: `hours`."""

    type: ClassVar[str] = "availability.changed"
    subject: ClassVar[str] = "mentor_profile"

    mentor_profile_id: UUID
    changed: str
    version: int


@dataclass(frozen=True, kw_only=True)
class WebhookPinged(Event):
    """An endpoint is asked whether it listens; only that endpoint hears of it."""

    type: ClassVar[str] = "webhook.ping"
    subject: ClassVar[str] = "webhook_endpoint"
    announced: ClassVar[bool] = False

    webhook_endpoint_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookExampleAsked(Event):
    """An endpoint's owner wants to see an example of a message; only that endpoint hears of it."""

    type: ClassVar[str] = "webhook.example"
    subject: ClassVar[str] = "webhook_endpoint"
    announced: ClassVar[bool] = False

    webhook_endpoint_id: UUID
    example_type: str


@dataclass(frozen=True, kw_only=True)
class WebhookEndpointEvent(Event):
    """What every event about an endpoint's health tells; a mentor hears of their own endpoints alone."""

    subject: ClassVar[str] = "webhook_endpoint"

    webhook_endpoint_id: UUID
    mentor_profile_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class WebhookEndpointExhausted(WebhookEndpointEvent):
    """A message to the endpoint used up its attempts, the first one since the endpoint last took anything."""

    type: ClassVar[str] = "webhook_endpoint.exhausted"
    announced: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class WebhookEndpointFailing(WebhookEndpointEvent):
    """The endpoint has taken nothing for three days or longer; in two at the earliest it is disabled."""

    type: ClassVar[str] = "webhook_endpoint.failing"
    announced: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class WebhookEndpointDisabled(WebhookEndpointEvent):
    """The endpoint is told nothing any more, until a ping that its owner asks for is answered."""

    type: ClassVar[str] = "webhook_endpoint.disabled"


def event_types() -> dict[str, type[Event]]:
    """Every event by its type's name, in the order of this file."""
    return {event.type: event for event in _below(Event) if event.type != "*"}


def announced_types() -> tuple[str, ...]:
    """The types that webhook endpoints can ask for."""
    return tuple(name for name, event in event_types().items() if event.announced)


def _below(event: type[Event]) -> list[type[Event]]:
    return [kind for child in event.__subclasses__() for kind in (child, *_below(child))]
