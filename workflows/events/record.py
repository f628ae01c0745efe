"""Records events with one delivery per effect and target, in the transaction of the change that they report."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.base import sql
from models.events import DELIVERY_ID, DeliveryState, deliveries
from models.prepared import PreparedStatement
from workflows.events.audit_entry import INSERT_ENTRIES, NewEntry, Origin
from workflows.events.event import Event
from workflows.events.subscriptions import AnyOutboundEffect, Effect, FanOut, active_subscriptions

_RECORDED = "tutelage.recorded"
# The span in which this thread records events, as a traceparent (W3C Trace Context); None while nothing is traced.
TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)

Item = TypeVar("Item")
# Writes all items of a transaction at once: `(db, items)`.
DeferredWrite = Callable[[Connection, list[Any]], None]

# Due now means by the database's clock, which every claim goes by. For a fresh delivery its own process publishes a
# wake-up, so that the sweep looks 2 s later; a timer is woken up by the sweep alone, which looks on time.
_PLANNED = f"""
INSERT INTO deliveries (event_id, effect, target, endpoint_id, id, queue, due_at, nudge_at, state, last_error)
SELECT planned.event_id, planned.effect, planned.target, planned.endpoint_id,
       {DELIVERY_ID.format(of="planned")}, planned.queue,
       coalesce(planned.due_at, now()), coalesce(planned.due_at, now() + interval '2 seconds'),
       CAST(CASE WHEN planned.unsent IS NULL THEN 'pending' ELSE 'cancelled' END AS delivery_state), planned.unsent
FROM jsonb_to_recordset(:plans) AS planned(
    event_id uuid, effect text, target text, endpoint_id uuid, queue text, due_at timestamptz, unsent text
)
"""
_EVENTS = """
INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at, catalogue)
SELECT written.*, :catalogue
FROM jsonb_to_recordset(:events) AS written(
    id uuid, type text, subject_type text, subject_id uuid, actor text, data jsonb, occurred_at timestamptz
)
"""
_FANNED_OUT = f"""
WITH announced AS (
    SELECT * FROM jsonb_to_recordset(:announced) AS announced(event_id uuid, type text, mentor_profile_id uuid)
)
INSERT INTO deliveries (
    event_id, effect, target, endpoint_id, queue, state, last_error, cancel_reason, id, due_at, nudge_at
)
SELECT webhook.*, {DELIVERY_ID.format(of="webhook")}, now(), now() + interval '2 seconds'
FROM ({{rows}}) AS webhook
ON CONFLICT DO NOTHING
RETURNING id, event_id, target, endpoint_id, state, cancel_reason
"""
_FANNED_OUT_COLUMNS = deliveries.c["id", "event_id", "target", "endpoint_id", "state", "cancel_reason"]
# One JSON document for each relation: the driver writes arrays element by element, in Python.
_JSON = {name: bindparam(name, type_=JSONB) for name in ("plans", "events", "announced")}
_ENTRIES = bindparam("entries", type_=JSONB)
_RECORD = sql(f"WITH event AS ({_EVENTS}) {_PLANNED}").bindparams(_JSON["plans"], _JSON["events"])
_RECORD_AUDITED = sql(f"WITH event AS ({_EVENTS}), entry AS ({INSERT_ENTRIES}) {_PLANNED}").bindparams(
    _JSON["plans"], _JSON["events"], _ENTRIES
)
_FOLLOW_UP = sql(f"{_PLANNED} ON CONFLICT DO NOTHING RETURNING id, event_id, effect, target").bindparams(_JSON["plans"])


@cache
def _fan_out(rows: str) -> PreparedStatement:
    statement = sql(_FANNED_OUT.format(rows=rows))
    return PreparedStatement(statement.bindparams(_JSON["announced"]).columns(*_FANNED_OUT_COLUMNS))


@cache
def recording(rows: str, *, audited: bool = False) -> PreparedStatement:
    """The statement of `record`, where `rows` selects the webhook deliveries of the events in `announced`.

    Args:
        audited: whether it writes an audit entry too.
    """
    fanned_out = _FANNED_OUT.format(rows=rows)
    entry = f"entry AS ({INSERT_ENTRIES})," if audited else ""
    statement = sql(
        f"WITH event AS ({_EVENTS}), {entry} planned AS ({_PLANNED}), fanned_out AS ({fanned_out})"
        " SELECT * FROM fanned_out"
    )
    parameters = [*_JSON.values(), *([_ENTRIES] if audited else [])]
    return PreparedStatement(statement.bindparams(*parameters).columns(*_FANNED_OUT_COLUMNS))


@dataclass(frozen=True, kw_only=True)
class Wakeup:
    """One delivery of a wake-up, with the subject of its event for operators to read."""

    event_id: UUID
    effect: str
    target: str
    queue: str
    subject: str
    subject_id: UUID

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The wake-up for a row of a delivery's key and queue, with its event's subject."""
        key = {name: getattr(row, name) for name in ("event_id", "effect", "target", "queue", "subject_id")}
        return cls(subject=row.subject_type, **key)


@dataclass
class Recorded:
    """The records of a transaction, to be logged, counted and published after its commit."""

    events: list[Event] = field(default_factory=list)
    wakeups: list[Wakeup] = field(default_factory=list)
    deferred: list[tuple[DeferredWrite, Any]] = field(default_factory=list)
    # The log fields of the deliveries that were cancelled as they were recorded.
    cancelled: list[dict[str, Any]] = field(default_factory=list)
    # The audit entries that were written; and of a request, from where it came, and the entry that is to be written
    # with its first event that is about the same kind of subject.
    audited: list[NewEntry] = field(default_factory=list)
    origin: Origin | None = None
    expected: NewEntry | None = None

    def mark(self) -> tuple[int, ...]:
        """The present lengths, to `cut_back` to when a savepoint is rolled back."""
        return tuple(map(len, self._lists()))

    def cut_back(self, mark: tuple[int, ...]) -> None:
        """Forget what was recorded since the mark: the savepoint that held it was rolled back."""
        for items, length in zip(self._lists(), mark, strict=True):
            del items[length:]

    def _lists(self) -> tuple[list[Any], ...]:
        return self.events, self.wakeups, self.deferred, self.cancelled, self.audited


@dataclass(frozen=True)
class Unsent:
    """A message that is not sent: its delivery is written as cancelled, with the reason for operators."""

    effect: AnyOutboundEffect
    event: Event
    target: str
    reason: str


@dataclass(frozen=True)
class _Plan:
    """A delivery to be written; cancelled where `unsent` tells why."""

    event: Event
    effect: Effect | AnyOutboundEffect
    target: str = ""
    due_at: datetime | None = None
    endpoint_id: UUID | None = None
    unsent: str | None = None

    @property
    def wakeup(self) -> Wakeup:
        return Wakeup(
            event_id=self.event.id,
            effect=self.effect.name,
            target=self.target,
            queue=self.effect.queue,
            subject=self.event.subject,
            subject_id=self.event.subject_id,
        )

    def as_json(self) -> dict[str, object]:
        return {
            "event_id": str(self.event.id),
            "effect": self.effect.name,
            "target": self.target,
            "endpoint_id": self.endpoint_id and str(self.endpoint_id),
            "queue": self.effect.queue,
            "due_at": self.due_at and self.due_at.isoformat(),
            "unsent": self.unsent,
        }

    def cancelled_fields(self, delivery_id: UUID, **more: object) -> dict[str, Any]:
        """The log fields of its delivery, which is cancelled as it is written."""
        return {
            "delivery_id": delivery_id,
            "effect": self.effect.name,
            "event_id": self.event.id,
            "event_type": self.event.type,
            "attempt": 0,
            "actor": self.event.actor,
            **more,
        }


def record(db: Connection, *events: Event, held_back: bool = False) -> None:
    """Write the events and a pending delivery per effect and target that follows from each, in one statement.

    The same statement finds the webhook endpoints that listen, and writes their deliveries; and it writes the audit
    entry of the request.

    Args:
        held_back: whether endpoints hear of none of them now; `fan_out` announces one later.
    """
    known = active_subscriptions()
    plans = [plan for event in events for effect in known.of(type(event)) for plan in _plans(effect, event)]
    announced = [event for event in events if event.announced and not held_back and known.fan_out is not None]
    if known.fan_out is not None:
        plans += [plan for event in events for plan in _direct(known.fan_out, event)]
    trace = TRACEPARENT.get()
    values = {
        "events": [_event_as_json(event, trace) for event in events],
        "plans": [plan.as_json() for plan in plans],
        "catalogue": known.effect_catalogue.id,
    }
    kept = recorded(db)
    entry = kept.expected.about_event(events) if kept.expected is not None and not kept.audited else None
    if entry is not None:
        values["entries"] = [entry.as_json()]
        kept.audited.append(entry)
    if known.fan_out is not None and announced:
        statement = recording(known.fan_out.rows, audited=entry is not None)
        rows = statement.all(db, values | {"announced": _announced_as_json(announced)})
        _keep_fanned_out(db, rows, known.fan_out.effect, announced)
    else:
        db.execute(_RECORD if entry is None else _RECORD_AUDITED, values)
    kept.events += events
    kept.wakeups += [plan.wakeup for plan in plans if plan.due_at is None]


def fan_out(db: Connection, event: Event) -> None:
    """Add the deliveries to the endpoints that listen for an event recorded before; existing ones stay."""
    how = active_subscriptions().fan_out
    if how is None:
        return
    _add(db, _direct(how, event))
    if event.announced:
        rows = _fan_out(how.rows).all(db, {"announced": _announced_as_json([event])})
        _keep_fanned_out(db, rows, how.effect, [event])


def follow_up(db: Connection, event: Event, effect: AnyOutboundEffect, targets: Iterable[str]) -> None:
    """Add a delivery of `effect` per target to an event recorded before; existing ones stay."""
    follow_up_all(db, [(effect, event, target) for target in targets])


def follow_up_all(
    db: Connection, what: Iterable[tuple[AnyOutboundEffect, Event, str]], unsent: Iterable[Unsent] = ()
) -> None:
    """Add a delivery per outbound effect, event and target, as `follow_up` does, all in one statement."""
    plans = [_Plan(event, effect, target) for effect, event, target in what]
    plans += [_Plan(each.event, each.effect, each.target, unsent=each.reason) for each in unsent]
    _add(db, plans)


def fill_in(db: Connection, event: Event, effect: Effect) -> int:
    """Add the deliveries of one effect that an older process did not know to write; returns how many were missing."""
    return _add(db, _plans(effect, event))


def recorded(db: Connection) -> Recorded:
    """The records of this connection's transaction by now; they travel with it through any number of callers."""
    found: Recorded = db.info.setdefault(_RECORDED, Recorded())
    return found


@contextmanager
def savepoint(db: Connection) -> Iterator[None]:
    """A part of a transaction that an error undoes alone, with the events it recorded and the locks it took."""
    mark = recorded(db).mark()
    try:
        with db.begin_nested():
            yield
    except BaseException:
        recorded(db).cut_back(mark)
        raise


def drain_recorded(db: Connection) -> Recorded:
    """The records on this connection since the last call; called at the end of each transaction."""
    drained: Recorded = db.info.pop(_RECORDED, None) or Recorded()
    return drained


def enqueue_wakeups(db: Connection, wakeups: Iterable[Wakeup]) -> None:
    """Have wake-ups published right after the commit, for deliveries that are due."""
    recorded(db).wakeups += wakeups


def defer_write(db: Connection, write: Callable[[Connection, list[Item]], None], item: Item) -> None:
    """Have `write` called once at the end of the transaction, with all items that were deferred to it.

    Many effects run in one transaction. Rows that several of them change, such as counters, are so written by one
    statement in key order: written one after the other, in the order of the events, two such transactions deadlock.

    Args:
        write: a function of a module. It merges its items and locks its rows in the order of their keys.
    """
    recorded(db).deferred.append((write, item))


def flush_deferred(db: Connection) -> None:
    """Write what was deferred, each writer once and in the order of their names; called before each commit."""
    deferred, recorded(db).deferred = recorded(db).deferred, []
    items: dict[DeferredWrite, list[Any]] = {}
    for write, item in deferred:
        items.setdefault(write, []).append(item)
    for write in sorted(items, key=lambda each: f"{each.__module__}.{each.__qualname__}"):
        write(db, items[write])


def _plans(effect: Effect, event: Event) -> list[_Plan]:
    due_at = effect.due(event) if effect.due else None
    return [_Plan(event, effect, target, due_at) for target in (effect.targets(event) if effect.targets else ("",))]


def _direct(how: FanOut, event: Event) -> list[_Plan]:
    endpoint_id = how.directly_to(event)
    return [] if endpoint_id is None else [_Plan(event, how.effect, str(endpoint_id), None, endpoint_id)]


def _add(db: Connection, plans: list[_Plan]) -> int:
    if not plans:
        return 0
    rows = db.execute(_FOLLOW_UP, {"plans": [plan.as_json() for plan in plans]})
    added = {(row.event_id, row.effect, row.target): row.id for row in rows}
    kept = recorded(db)
    for plan in plans:
        delivery_id = added.get((plan.event.id, plan.effect.name, plan.target))
        if delivery_id is not None and plan.unsent is not None:
            kept.cancelled.append(plan.cancelled_fields(delivery_id, error=plan.unsent))
        elif delivery_id is not None and plan.due_at is None:
            kept.wakeups.append(plan.wakeup)
    return len(added)


def _event_as_json(event: Event, trace: str | None) -> dict[str, object]:
    trace = event.traceparent or trace
    return {
        "id": str(event.id),
        "type": event.type,
        "subject_type": event.subject,
        "subject_id": str(event.subject_id),
        "actor": event.actor,
        "data": event.data() if trace is None else event.data() | {"traceparent": trace},
        "occurred_at": event.occurred_at.isoformat(),
    }


def _announced_as_json(announced: Sequence[Event]) -> list[dict[str, object]]:
    mentors = [getattr(event, "mentor_profile_id", None) for event in announced]
    return [
        {"event_id": str(event.id), "type": event.type, "mentor_profile_id": mentor and str(mentor)}
        for event, mentor in zip(announced, mentors, strict=True)
    ]


def _keep_fanned_out(
    db: Connection, rows: Iterable[Mapping[str, Any]], effect: AnyOutboundEffect, events: Sequence[Event]
) -> None:
    by_id = {event.id: event for event in events}
    kept = recorded(db)
    for row in rows:
        plan = _Plan(by_id[row["event_id"]], effect, row["target"])
        if row["state"] == DeliveryState.PENDING:
            kept.wakeups.append(plan.wakeup)
        else:
            about = {"endpoint_id": row["endpoint_id"], "error_class": row["cancel_reason"]}
            kept.cancelled.append(plan.cancelled_fields(row["id"], **about))
