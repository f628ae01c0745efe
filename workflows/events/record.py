"""Record what happened, with one delivery for everything that must follow: in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.events import delivery_id_of
from workflows.events.event import Event
from workflows.events.subscriptions import AnyOutboundEffect, Effect, load

_NOTES = "tutelage.notes"

Item = TypeVar("Item")
# Writes all items of a transaction at once: `(db, items)`.
DeferredWrite = Callable[[Connection, list[Any]], None]

# Due now means by the database's clock, which is the one that every claim goes by. A fresh delivery is nudged by its
# own process, so that the sweep looks only 2 s later; a timer is nudged by nobody else, so that it looks on time.
_PLAN = """
INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at)
SELECT {event}, planned.effect, planned.target, planned.id, planned.queue,
       coalesce(planned.due_at, now()), coalesce(planned.due_at, now() + interval '2 seconds')
FROM {source} unnest(
    CAST(:effects AS text[]), CAST(:targets AS text[]), CAST(:ids AS uuid[]),
    CAST(:queues AS text[]), CAST(:dues AS timestamptz[])
) AS planned(effect, target, id, queue, due_at)
"""

_RECORD = text(
    """
WITH event AS (
    INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
    VALUES (:id, :type, :subject_type, :subject_id, :actor, :data, :occurred_at)
    RETURNING id
)
"""
    + _PLAN.format(event="event.id", source="event,")
).bindparams(bindparam("data", type_=JSONB))

_FOLLOW_UP = text(
    _PLAN.format(event="CAST(:id AS uuid)", source="") + "ON CONFLICT DO NOTHING RETURNING effect, target"
)


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
class Notes:
    """What a transaction recorded, for whoever commits it to log and to nudge."""

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
    effect: Effect | AnyOutboundEffect
    target: str
    due_at: datetime | None


def record(db: Connection, event: Event) -> None:
    """Write the event and a pending delivery per effect and target that follows from it, in one statement."""
    plans = [plan for effect in load().of(type(event)) for plan in _plans(effect, event)]
    values = {
        "type": event.type,
        "subject_type": event.subject,
        "subject_id": event.subject_id,
        "actor": event.actor,
        "data": event.data(),
        "occurred_at": event.occurred_at,
    }
    db.execute(_RECORD, values | _arrays(event, plans))
    notes = _notes(db)
    notes.events.append(event)
    notes.nudges += [_nudge(event, plan) for plan in plans if plan.due_at is None]


def follow_up(db: Connection, event: Event, effect: AnyOutboundEffect, targets: Sequence[str]) -> None:
    """Add a delivery of `effect` per target to an event recorded before; those that are there already stay."""
    _add(db, event, [_Plan(effect, target, None) for target in targets])


def call_for(db: Connection, nudges: Iterable[Nudge]) -> None:
    """Have deliveries that are due looked at right after the commit, without waiting for the sweep."""
    _notes(db).nudges += nudges


def fill_in(db: Connection, event: Event, effect: Effect) -> int:
    """Add the deliveries of one effect that an older process did not know to write; returns how many were missing."""
    return _add(db, event, _plans(effect, event))


def take_notes(db: Connection) -> Notes:
    """What has been recorded on this connection since the last call; called at the end of each transaction."""
    notes: Notes = db.info.pop(_NOTES, None) or Notes()
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
    return [_Plan(effect, target, due_at) for target in targets]


def _add(db: Connection, event: Event, plans: list[_Plan]) -> int:
    if not plans:
        return 0
    added = {(row.effect, row.target) for row in db.execute(_FOLLOW_UP, _arrays(event, plans))}
    fresh = [plan for plan in plans if plan.due_at is None and (plan.effect.name, plan.target) in added]
    _notes(db).nudges += [_nudge(event, plan) for plan in fresh]
    return len(added)


def _arrays(event: Event, plans: list[_Plan]) -> dict[str, object]:
    return {
        "id": event.id,
        "effects": [plan.effect.name for plan in plans],
        "targets": [plan.target for plan in plans],
        "ids": [delivery_id_of(event.id, plan.effect.name, plan.target) for plan in plans],
        "queues": [plan.effect.queue for plan in plans],
        "dues": [plan.due_at for plan in plans],
    }


def _nudge(event: Event, plan: _Plan) -> Nudge:
    return Nudge(
        event_id=event.id,
        effect=plan.effect.name,
        target=plan.target,
        queue=plan.effect.queue,
        subject=event.subject,
        subject_id=event.subject_id,
    )


def _notes(db: Connection) -> Notes:
    # The connection's own note pad: it goes wherever the transaction goes, through any number of callers.
    notes: Notes = db.info.setdefault(_NOTES, Notes())
    return notes
