"""An example of every event that can be announced: one booking of one mentee with one mentor, and its session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from workflows.events.catalogue import event_types, own_fields

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
    "kind": "individual",
    "start_time": _START,
    "end_time": _END,
}
# What differs from one step to the next.
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
    },
    "availability.changed": {"changed": "hours", "version": 3},
    "review.unlocked": {"expires_at": datetime(2030, 6, 3, 10, tzinfo=UTC)},
}
# For the fields of events that packages outside the project bring along.
_OF_KIND: dict[Any, Any] = {
    UUID: UUID("01a1fd8d-6f00-7000-8000-000000000000"),
    datetime: _START,
    str: "example",
    int: 1,
    bool: True,
    float: 1.0,
}


def example_of(event_type: str) -> dict[str, Any]:
    """The fields of an example of that type of event; the same every time.

    Raises:
        KeyError: there is no such type.
    """
    values = _VALUES | _STEPS.get(event_type, {})
    kinds = own_fields(event_types()[event_type])
    return {name: values.get(name, _OF_KIND.get(kind)) for name, kind in kinds.items()}
