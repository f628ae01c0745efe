"""Webhook messages: their bodies, and of each event type the JSON Schema and an example."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from inspect import getdoc
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID

from workflows.events.event import Event, own_fields
from workflows.events.event_types import WebhookExampleAsked, announced_types, event_types
from workflows.kernel.errors import Invalid

MAX_BODY_BYTES = 256 * 1024
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID: dict[str, Any] = {"type": "string", "format": "uuid"}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_SCHEMAS: dict[Any, dict[str, Any]] = {
    UUID: _ID,
    datetime: _TIME,
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}
# Of examples: one booking of one mentee with one mentor, and its session.
_START = datetime(2030, 5, 4, 9, tzinfo=UTC)
_END = datetime(2030, 5, 4, 10, tzinfo=UTC)
_VALUES: dict[str, Any] = {
    "booking_id": UUID("01a1fd8d-6e38-77e6-8589-437e5aa80e96"),
    "session_id": UUID("b2ed299d-cda2-59c4-87d7-2669f75892ab"),
    "listing_id": UUID("01a1fd8d-6e20-7a0c-9d3b-51c0a8f4d216"),
    "mentor_profile_id": UUID("01a1fd8d-6e18-743e-8127-181028f42b67"),
    "mentee_user_id": UUID("01a1fd8d-6e04-779d-8b29-918da6b1a40c"),
    "webhook_endpoint_id": UUID("01a1fd8d-6e10-7c1e-8f02-6d1b0b7e4a55"),
    "course_id": None,
    "user_id": UUID("01a1fd8d-6e04-779d-8b29-918da6b1a40c"),
    "seat_id": UUID("01a1fd8d-6e40-7d3a-9c51-6f0b2f8e4a71"),
    "capacity": 6,
    "seats_taken": 4,
    "kind": "individual",
    "start_time": _START,
    "end_time": _END,
}
_BUNDLE: dict[str, Any] = {
    "bundle_purchase_id": UUID("01a1fd8d-6e40-7b3a-9c51-0f6f2d1c8e77"),
    "course_id": UUID("01a1fd8d-6e0c-7d19-b4a2-6a1e5b9c3f08"),
    "product_id": UUID("01a1fd8d-6e30-7f64-8e0d-24c7a9b15d3e"),
    "total_sessions": 5,
    "valid_from": datetime(2030, 4, 1, 8, tzinfo=UTC),
    "valid_to": datetime(2030, 6, 30, 8, tzinfo=UTC),
}
_MOVE: dict[str, Any] = {
    "from_": _START,
    "to": _START + timedelta(days=1),
    "by": "mentee",
    "expires_at": _START - timedelta(days=1),
}
# The values that differ by event type.
_STEPS: dict[str, dict[str, Any]] = {
    "booking.requested": {"status": "draft", "version": 1, "session_id": None},
    "booking.accepted": {"status": "accepted", "version": 2},
    "booking.declined": {"status": "declined", "version": 2, "session_id": None},
    "booking.cancelled": {"status": "cancelled", "version": 2, "session_id": None},
    "session.created": {"status": "scheduled", "version": 1},
    "session.started": {"status": "in_progress", "version": 2},
    "session.completed": {"status": "completed", "version": 3},
    "session.cancelled": {
        "status": "cancelled",
        "version": 2,
        "cancelled_by": "mentee",
        "cancellation_type": "client_request",
        "late": True,
        "fee_amount": 2000,
        "refund_amount": 2000,
        "currency": "USD",
        "started": False,
    },
    "session.rescheduled": {
        "status": "scheduled",
        "version": 2,
        **_MOVE,
        "start_time": _MOVE["to"],
        "end_time": _END + timedelta(days=1),
        "reschedule_count": 1,
    },
    "session.reschedule_proposed": {"status": "scheduled", "version": 1, **_MOVE},
    "session.reschedule_ended": {"status": "scheduled", "version": 1, **_MOVE, "outcome": "declined"},
    "session.fee_waived": {
        "status": "cancelled",
        "version": 3,
        "waived_fee_amount": 2000,
        "refund_amount": 4000,
        "currency": "USD",
        "no_show_reverted": False,
    },
    "bundle.purchased": {**_BUNDLE, "status": "active", "remaining_sessions": 5},
    "bundle.exhausted": {**_BUNDLE, "status": "exhausted", "remaining_sessions": 0},
    "bundle.expired": {**_BUNDLE, "status": "expired", "remaining_sessions": 0, "expired_sessions": 2},
    "seat.joined": {"currency": "USD", "price_amount": 1500},
    "seat.left": {"currency": "USD", "late": True, "fee_amount": 750, "refund_amount": 750, "credit_returned": None},
    "seat.refunded": {"currency": "USD", "refund_amount": 1500, "credit_returned": None},
    "availability.changed": {"changed": "hours", "version": 3},
    "mentor.approved": {"state": "active", "version": 2, "external_id": None},
    "mentor.rejected": {"state": "rejected", "version": 2, "external_id": None},
    "review.unlocked": {"expires_at": datetime(2030, 6, 3, 10, tzinfo=UTC)},
}
# For the fields of events that packages outside the project bring along.
_OF_KIND: dict[type, object] = {
    UUID: UUID("01a1fd8d-6f00-7000-8000-000000000000"),
    datetime: _START,
    str: "example",
    int: 1,
    bool: True,
    float: 1.0,
}


def message_of(event: Event) -> dict[str, Any]:
    """The message of an event: what happened to which ids when, with no names, addresses or notes."""
    event_type, data = _type_and_data(event)
    return {
        "id": str(event.id),
        "type": event_type,
        "timestamp": utc(event.occurred_at),
        "sequence": event.sequence,
        "data": data_of(data),
    }


def body_of(event: Event, *, max_bytes: int | None = None) -> bytes:
    """The message of an event as it is sent.

    Raises:
        Invalid: the message would be larger than 256 kB, which only an event of a plug-in can be.
    """
    body = json.dumps(message_of(event), separators=(",", ":")).encode()
    most = max_bytes or MAX_BODY_BYTES
    if len(body) > most:
        raise Invalid(f"The message of {event.type} would have {len(body)} bytes; {most} are the most.")
    return body


def _type_and_data(event: Event) -> tuple[str, dict[str, Any]]:
    if isinstance(event, WebhookExampleAsked):
        return event.example_type, example_of(event.example_type)
    return event.type, {name: getattr(event, name) for name in event.data()}


def data_of(data: dict[str, Any]) -> dict[str, Any]:
    """An event's own fields as a message holds them."""
    return {camel(name): _as_json(value) for name, value in data.items()}


def utc(moment: datetime) -> str:
    """The moment in UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def camel(name: str) -> str:
    """`start_time` as `startTime`; a field has the name that the API's answers have for it."""
    if name == "cancellation_type":
        # In an event, `type` is the event's own.
        return "type"
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return utc(value)
    return str(value) if isinstance(value, UUID) else value


@dataclass(frozen=True, kw_only=True)
class EventType:
    """An event type, with the JSON Schema and an example of its messages."""

    type: str
    description: str
    schema: dict[str, Any]
    example: dict[str, Any]


@cache
def described_event_types() -> tuple[EventType, ...]:
    """The types that endpoints can ask for, in the order of event_types.py."""
    return tuple(
        EventType(
            type=name,
            description=(getdoc(event_types()[name]) or name).partition("\n")[0],
            schema=schema_of(name),
            example=example_message(name),
        )
        for name in announced_types()
    )


def schema_of(event_type: str) -> dict[str, Any]:
    """The JSON Schema of the messages of that type. Fields may be added: readers ignore those that they do not know."""
    data = {camel(name): _schema(kind) for name, kind in own_fields(event_types()[event_type]).items()}
    properties = {
        "id": _ID,
        "type": {"const": event_type},
        "timestamp": _TIME,
        "sequence": {"type": "integer"},
        "data": {"type": "object", "properties": data, "required": list(data)},
    }
    return {
        "$schema": DIALECT,
        "title": event_type,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def example_message(event_type: str) -> dict[str, Any]:
    """A message of that type, the very one that `…/example` sends but for its id, time and number."""
    example = WebhookExampleAsked(
        id=UUID("01a1fd8d-6ec2-7010-8a44-97ab5cf5cfd6"),
        actor="system",
        occurred_at=datetime(2030, 5, 4, 10, 1, 40, tzinfo=UTC),
        sequence=4711,
        webhook_endpoint_id=UUID(int=0),
        example_type=event_type,
    )
    message: dict[str, Any] = json.loads(body_of(example))
    return message


def _schema(kind: Any) -> dict[str, Any]:
    kinds = get_args(kind) if get_origin(kind) in (UnionType, Union) else (kind,)
    several = [{"type": "null"} if each is NoneType else _SCHEMAS.get(each, {}) for each in kinds]
    if len(several) == 1:
        return several[0]
    types = [each["type"] for each in several if "type" in each]
    whole = {name: value for each in several for name, value in each.items()}
    return {**whole, "type": types} if len(types) == len(several) else {}


def example_of(event_type: str) -> dict[str, Any]:
    """The fields of an example of that type of event; the same every time."""
    values = _VALUES | _STEPS.get(event_type, {})
    kinds = own_fields(event_types()[event_type])
    return {name: values.get(name, _OF_KIND.get(kind)) for name, kind in kinds.items()}
