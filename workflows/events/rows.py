"""Parts shared by all statements on `deliveries`: columns, keys, and the conversion of rows into deliveries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Integer, Interval, Text, Uuid, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from models.base import Timestamp
from models.events import deliveries
from workflows.events.delivery import Delivery, DeliveryKey
from workflows.events.event import Event
from workflows.events.event_types import event_types
from workflows.events.record import Wakeup

log = structlog.get_logger(__name__)

NIL = UUID(int=0)
MAX_ERROR_CHARACTERS = 2_000
# Before anything was due.
ALWAYS = datetime.min.replace(tzinfo=UTC)

KEYS = "unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]))"
SAME_KEY = "d.event_id = {0}.event_id AND d.effect = {0}.effect AND d.target = {0}.target"
# Rows that are named are found by their primary key. The planner must not know that the partial indexes over what is
# pending would do: a plan made while nothing was pending would read a whole backlog for each name.
PENDING = "CAST(d.state AS text) = 'pending'"
ROW = (
    "d.event_id, d.effect, d.target, d.id, d.endpoint_id, d.nudges, d.attempts, d.forgiven, d.lease_until,"
    " now() - d.due_at AS late"
)
EVENT_COLUMNS = "e.type, e.actor, e.sequence, e.data, e.occurred_at"
EVENT = f"{EVENT_COLUMNS}, now() AS now"
# Literal, so that the index over these deliveries alone is known to be enough.
IS_WEBHOOK = deliveries.c.effect == literal_column("'webhooks.send'")
KEY_TYPES: dict[str, TypeEngine[Any]] = {"event_id": Uuid(), "effect": Text(), "target": Text()}
ROW_TYPES: dict[str, TypeEngine[Any]] = {
    **KEY_TYPES,
    "id": Uuid(),
    "endpoint_id": Uuid(),
    "nudges": Integer(),
    "attempts": Integer(),
    "forgiven": Integer(),
    "lease_until": Timestamp,
    "late": Interval(),
}
EVENT_TYPES: dict[str, TypeEngine[Any]] = {
    "type": Text(),
    "actor": Text(),
    "sequence": BigInteger(),
    "data": JSONB(),
    "occurred_at": Timestamp,
    "now": Timestamp,
}
TYPES = ROW_TYPES | EVENT_TYPES
# Literal, so that the index over these deliveries alone serves.
TO_ENDPOINTS = "d.effect = 'webhooks.send' AND d.state = 'pending'"
# Turns that were not taken in time are not made up for: after an hour's stop, an hour's messages would go at once.
TURN_LASTS = "interval '2 seconds'"


def cut(words: str | None, limit: int) -> str | None:
    """The first so many characters; None where there are none. PostgreSQL's text holds no NUL."""
    return words[:limit].replace("\x00", "") if words else None


def deliveries_of(rows: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    """The rows as deliveries, but for event types that this process does not know."""
    return [delivery for row in rows if (delivery := delivery_of(row)) is not None]


def delivery_of(row: Mapping[str, Any]) -> Delivery | None:
    """A row as a delivery; None where this process does not know its event."""
    if row["type"] not in event_types():
        # A newer process recorded it; a newer worker will run what follows from it.
        log.warning("delivery.unknown_event", effect=row["effect"], event_id=row["event_id"], type=row["type"])
        return None
    return Delivery(
        key=DeliveryKey(event_id=row["event_id"], effect=row["effect"], target=row["target"]),
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event=event_of(row),
        nudges=row["nudges"],
        attempt=row["attempts"] + 1,
        fence=row["attempts"],
        attempts_reset=row["forgiven"],
        was_leased=row["lease_until"] is not None,
        now=row["now"],
        late=row["late"],
        turn_at=row.get("turn_at"),
    )


def event_of(row: Mapping[str, Any]) -> Event:
    return event_types()[row["type"]].read(
        id=row["event_id"],
        actor=row["actor"],
        occurred_at=row["occurred_at"],
        sequence=row["sequence"],
        data=row["data"],
    )


def keys_of(rows: Iterable[Mapping[str, Any]]) -> set[DeliveryKey]:
    return {DeliveryKey(event_id=row["event_id"], effect=row["effect"], target=row["target"]) for row in rows}


def keys_as_arrays(keys: Iterable[DeliveryKey | Wakeup]) -> dict[str, Any]:
    named = list(keys)
    return {
        "event_ids": text_array(key.event_id for key in named),
        "effects": text_array(key.effect for key in named),
        "targets": text_array(key.target for key in named),
    }


def text_array(values: Iterable[object]) -> str:
    """Ids, names, numbers or times as PostgreSQL writes an array: the driver's own way is Python for each element."""
    return f"{{{','.join('NULL' if value is None else _quoted(str(value)) for value in values)}}}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def fenced_keys_as_arrays(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """The keys of deliveries, and the attempts that were counted when each was claimed."""
    return {**keys_as_arrays(each.key for each in deliveries), "fences": text_array(each.fence for each in deliveries)}
