"""What a webhook says: the body of an event's message, and of an example that its owner asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from workflows.errors import Invalid
from workflows.events.catalogue import Event, WebhookExampleAsked
from workflows.webhooks.examples import example_of

LARGEST_BODY = 256 * 1024  # bytes


def body_of(event: Event) -> bytes:
    """The message of an event: what happened to which ids when, with no names, addresses or notes.

    Raises:
        Invalid: the message would be larger than 256 kB, which only an event of a plug-in can be.
    """
    event_type, told = _told(event)
    message = {
        "id": str(event.id),
        "type": event_type,
        "timestamp": utc(event.occurred_at),
        "sequence": event.sequence,
        "data": data_of(told),
    }
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > LARGEST_BODY:
        raise Invalid(f"The message of {event.type} would have {len(body)} bytes; {LARGEST_BODY} are the most.")
    return body


def _told(event: Event) -> tuple[str, dict[str, Any]]:
    if isinstance(event, WebhookExampleAsked):
        return event.example_type, example_of(event.example_type)
    return event.type, {name: getattr(event, name) for name in event.data()}


def data_of(told: dict[str, Any]) -> dict[str, Any]:
    """An event's own fields as a message holds them."""
    return {camel(name): _as_json(value) for name, value in told.items()}


def utc(moment: datetime) -> str:
    """The moment in UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def camel(name: str) -> str:
    """`start_time` as partners know it: `startTime`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc(value)
    return str(value) if isinstance(value, UUID) else value
