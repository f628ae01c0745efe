"""Record what happened, with one delivery for everything that must follow: in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.events import DELIVERY_ID, DeliveryState
from workflows.events.catalogue import Event
from workflows.events.subscriptions import AnyOutboundEffect, Effect, FanOut, in_use

_NOTES = "tutelage.notes"

Item = TypeVar("Item")
# Writes all items of a transaction at once: `(db, items)`.
DeferredWrite = Callable[[Connection, list[Any]], None]

# Due now means by the database's clock, which is the one that every claim goes by. A fresh delivery is nudged by its
# own process, so that the sweep looks only 2 s later; it alone wakes workers up for a timer, and looks on time.
_PLANNED = f"""
INSERT INTO deliveries (event_id, effect, target, endpoint_id, resend, id, queue, due_at, nudge_at)
SELECT planned.event_id, planned.effect, planned.target, planned.endpoint_id, planned.resend,
       {DELIVERY_ID.format(of="planned")}, planned.queue,
       coalesce(planned.due_at, now()), coalesce(planned.due_at, now() + interval '2 seconds')
FROM jsonb_to_recordset(:plans) AS planned(
    event_id uuid, effect text, target text, endpoint_id uuid, resend int, queue text, due_at timestamptz
)
"""
_EVENTS = """
INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at, catalogue)
SELECT told.*, :catalogue
FROM jsonb_to_recordset(:events) AS told(
    id uuid, type text, subject_type text, subject_id uuid, actor text, data jsonb, occurred_at timestamptz
)
"""
_FANNED_OUT = f"""
WITH heard AS (
    SELECT * FROM jsonb_to_recordset(:heard) AS heard(event_id uuid, type text, mentor_profile_id uuid)
)
INSERT INTO deliveries (
    event_id, effect, target, endpoint_id, queue, state, last_error, cancel_reason, id, due_at, nudge_at
)
SELECT found.*, {DELIVERY_ID.format(of="found")}, now(), now() + interval '2 seconds'
FROM ({{rows}}) AS found
ON CONFLICT DO NOTHING
RETURNING event_id, target, state
"""
# One JSON document for each relation: the driver writes arrays element by element, in Python.
_PLANS, _TOLD, _HEARD = (bindparam(name, type_=JSONB) for name in ("plans", "events", "heard"))
_RECORD = text(f"WITH event AS ({_EVENTS}) {_PLANNED}").bindparams(_PLANS, _TOLD)
_FOLLOW_UP = text(f"{_PLANNED} ON CONFLICT DO NOTHING RETURNING event_id, effect, target").bindparams(_PLANS)


@cache
def _fan_out(rows: str) -> TextClause:
    return text(_FANNED_OUT.format(rows=rows)).bindparams(_HEARD)


@cache
def recording(rows: str) -> TextClause:
    """The statement of `record`, where `rows` selects the webhook deliveries of the events in `heard`."""
    fanned_out = _FANNED_OUT.format(rows=rows)
    return text(
        f"WITH event AS ({_EVENTS}), planned AS ({_PLANNED}), fanned_out AS ({fanned_out}) SELECT * FROM fanned_out"
    ).bindparams(_PLANS, _TOLD, _HEARD)


@dataclass(frozen=True, kw_only=True)
class Nudge:
    """Which delivery a worker is to look at now, and in which words an operator reads of it."""

    event_id: UUID
    effect: str
    target: str
    queue: str
    subject: str
    subject_id: UUID

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The nudge for a row of a delivery's key and queue, with its event's subject."""
        return cls(
            event_id=row.event_id,
            effect=row.effect,
            target=row.target,
            queue=row.queue,
            subject=row.subject_type,
            subject_id=row.subject_id,
        )


@dataclass
class Recorded:
    """What a transaction recorded, to be logged and named to the workers after its commit."""

    events: list[Event] = field(default_factory=list)
    nudges: list[Nudge] = field(default_factory=list)
    deferred: list[tuple[DeferredWrite, Any]] = field(default_factory=list)


class Mark(NamedTuple):
    """How much a transaction had recorded at some moment."""

    events: int
    nudges: int
    deferred: int


@dataclass(frozen=True)
class _Plan:
    event: Event
    effect: Effect | AnyOutboundEffect
    target: str = ""
    due_at: datetime | None = None
    endpoint_id: UUID | None = None
    resend: int = 0


def record(db: Connection, *events: Event) -> None:
    """Write the events and a pending delivery per effect and target that follows from each, in one statement.

    The same statement finds the webhook endpoints that listen, and writes their deliveries.
    """
    known = in_use()
    plans = [plan for event in events for effect in known.of(type(event)) for plan in _plans(effect, event)]
    heard = []
    if known.fan_out is not None:
        plans += [plan for event in events for plan in _direct(known.fan_out, event)]
        heard = [event for event in events if event.announced]
    told = [
        {
            "id": str(event.id),
            "type": event.type,
            "subject_type": event.subject,
            "subject_id": str(event.subject_id),
            "actor": event.actor,
            "data": event.data(),
            "occurred_at": event.occurred_at.isoformat(),
        }
        for event in events
    ]
    values = {"events": told, "plans": _as_json(plans), "catalogue": known.catalogue.id}
    nudges = [_nudge(plan) for plan in plans if plan.due_at is None]
    if known.fan_out is not None and heard:
        rows = db.execute(recording(known.fan_out.rows), values | {"heard": _heard(heard)})
        nudges += _nudges_of(rows, known.fan_out.effect, events)
    else:
        db.execute(_RECORD, values)
    notes = _notes(db)
    notes.events += events
    notes.nudges += nudges


def fan_out(db: Connection, event: Event) -> None:
    """Add the deliveries to those that listen for an event recorded before; those that are there already stay."""
    how = in_use().fan_out
    if how is None:
        return
    _add(db, _direct(how, event))
    if event.announced:
        rows = db.execute(_fan_out(how.rows), {"heard": _heard([event])})
        _notes(db).nudges += _nudges_of(rows, how.effect, [event])


def follow_up(
    db: Connection,
    event: Event,
    effect: AnyOutboundEffect,
    targets: Sequence[str],
    *,
    endpoint_id: UUID | None = None,
    resend: int = 0,
) -> None:
    """Add a delivery of `effect` per target to an event recorded before; those that are there already stay.

    Args:
        endpoint_id: of a webhook delivery, with which of the resends it is.
    """
    _add(db, [_Plan(event, effect, target, None, endpoint_id, resend) for target in targets])


def follow_up_all(db: Connection, what: Iterable[tuple[AnyOutboundEffect, Event, str]]) -> None:
    """Add a delivery per outbound effect, event and target, as `follow_up` does, all in one statement."""
    _add(db, [_Plan(event, effect, target) for effect, event, target in what])


def enqueue_wakeups(db: Connection, nudges: Iterable[Nudge]) -> None:
    """Have deliveries that are due looked at right after the commit, without waiting for the sweep."""
    _notes(db).nudges += nudges


def fill_in(db: Connection, event: Event, effect: Effect) -> int:
    """Add the deliveries of one effect that an older process did not know to write; returns how many were missing."""
    return _add(db, _plans(effect, event))


def drain_recorded(db: Connection) -> Recorded:
    """What has been recorded on this connection since the last call; called at the end of each transaction."""
    notes: Recorded = db.info.pop(_NOTES, None) or Recorded()
    return notes


def mark(db: Connection) -> Mark:
    """How much this transaction has recorded by now, to `cut_back` to when a savepoint is rolled back."""
    notes = _notes(db)
    return Mark(len(notes.events), len(notes.nudges), len(notes.deferred))


def cut_back(db: Connection, to: Mark) -> None:
    """Forget what was recorded since the mark: the savepoint that held it was rolled back."""
    notes = _notes(db)
    del notes.events[to.events :], notes.nudges[to.nudges :], notes.deferred[to.deferred :]


def defer_write(db: Connection, write: Callable[[Connection, list[Item]], None], item: Item) -> None:
    """Have `write` called once at the end of the transaction, with all items that were deferred to it.

    Many effects run in one transaction. Rows that several of them change, such as counters, are so written by one
    statement in key order: written one after the other, in the order of the events, two such transactions deadlock.

    Args:
        write: a function of a module. It merges its items and locks its rows in the order of their keys.
    """
    _notes(db).deferred.append((write, item))


def flush_deferred(db: Connection) -> None:
    """Write what was deferred, each writer once and in the order of their names; called before each commit."""
    deferred, _notes(db).deferred = _notes(db).deferred, []
    items: dict[DeferredWrite, list[Any]] = {}
    for write, item in deferred:
        items.setdefault(write, []).append(item)
    for write in sorted(items, key=lambda each: f"{each.__module__}.{each.__qualname__}"):
        write(db, items[write])


def _plans(effect: Effect, event: Event) -> list[_Plan]:
    due_at = effect.due(event) if effect.due else None
    targets: Iterable[str] = effect.targets(event) if effect.targets else ("",)
    return [_Plan(event, effect, target, due_at) for target in targets]


def _direct(how: FanOut, event: Event) -> list[_Plan]:
    endpoint_id = how.directly_to(event)
    return [] if endpoint_id is None else [_Plan(event, how.effect, str(endpoint_id), None, endpoint_id)]


def _add(db: Connection, plans: list[_Plan]) -> int:
    if not plans:
        return 0
    added = {(row.event_id, row.effect, row.target) for row in db.execute(_FOLLOW_UP, {"plans": _as_json(plans)})}
    fresh = [plan for plan in plans if plan.due_at is None and (plan.event.id, plan.effect.name, plan.target) in added]
    _notes(db).nudges += [_nudge(plan) for plan in fresh]
    return len(added)


def _as_json(plans: list[_Plan]) -> list[dict[str, object]]:
    return [
        {
            "event_id": str(plan.event.id),
            "effect": plan.effect.name,
            "target": plan.target,
            "endpoint_id": plan.endpoint_id and str(plan.endpoint_id),
            "resend": plan.resend,
            "queue": plan.effect.queue,
            "due_at": plan.due_at and plan.due_at.isoformat(),
        }
        for plan in plans
    ]


def _heard(announced: Sequence[Event]) -> list[dict[str, object]]:
    mentors = [getattr(event, "mentor_profile_id", None) for event in announced]
    return [
        {"event_id": str(event.id), "type": event.type, "mentor_profile_id": mentor and str(mentor)}
        for event, mentor in zip(announced, mentors, strict=True)
    ]


def _nudge(plan: _Plan) -> Nudge:
    return Nudge(
        event_id=plan.event.id,
        effect=plan.effect.name,
        target=plan.target,
        queue=plan.effect.queue,
        subject=plan.event.subject,
        subject_id=plan.event.subject_id,
    )


def _nudges_of(rows: Iterable[Row[Any]], effect: AnyOutboundEffect, events: Sequence[Event]) -> list[Nudge]:
    by_id = {event.id: event for event in events}
    pending = (row for row in rows if row.state == DeliveryState.PENDING)
    return [_nudge(_Plan(by_id[row.event_id], effect, row.target)) for row in pending]


def _notes(db: Connection) -> Recorded:
    # The connection's own note pad: it goes wherever the transaction goes, through any number of callers.
    notes: Recorded = db.info.setdefault(_NOTES, Recorded())
    return notes
