"""Every event that endpoints can ask for: what it means, the JSON Schema of its message, and an example."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from inspect import getdoc
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID

from workflows.events.catalogue import WebhookExampleAsked, announced_types, event_types, own_fields
from workflows.webhooks.messages import body_of, camel

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


@dataclass(frozen=True, kw_only=True)
class EventType:
    """One type of event, for whoever builds the side that hears of it."""

    type: str
    description: str
    schema: dict[str, Any]
    example: dict[str, Any]


@cache
def catalogue() -> tuple[EventType, ...]:
    """The types that endpoints can ask for, in the order of the events' own catalogue."""
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
    """The JSON Schema of the messages of that type. Messages may grow: whoever reads them leaves alone what is new."""
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
    asked = WebhookExampleAsked(
        id=UUID("01a1fd8d-6ec2-7010-8a44-97ab5cf5cfd6"),
        actor="system",
        occurred_at=datetime(2030, 5, 4, 10, 1, 40, tzinfo=UTC),
        sequence=4711,
        webhook_endpoint_id=UUID(int=0),
        example_type=event_type,
    )
    message: dict[str, Any] = json.loads(body_of(asked))
    return message


def _schema(kind: Any) -> dict[str, Any]:
    kinds = get_args(kind) if get_origin(kind) in (UnionType, Union) else (kind,)
    several = [{"type": "null"} if each is NoneType else _SCHEMAS.get(each, {}) for each in kinds]
    if len(several) == 1:
        return several[0]
    types = [each["type"] for each in several if "type" in each]
    whole = {name: value for each in several for name, value in each.items()}
    return {**whole, "type": types} if len(types) == len(several) else {}
