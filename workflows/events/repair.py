"""Run deliveries again, cancel them, and add missing ones; the backlog of webhook endpoints."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Connection, Executable, Uuid, bindparam, func, select

from models.base import sql
from models.events import DELIVERY_ID, DeliveryState, deliveries, states_before
from models.prepared import PreparedStatement
from workflows.events.claim import TURNS_PAGE
from workflows.events.delivery import DeliveryKey
from workflows.events.event import Event
from workflows.events.record import Wakeup, enqueue_wakeups
from workflows.events.rows import (
    EVENT,
    EVENT_TYPES,
    IS_WEBHOOK,
    MAX_ERROR_CHARACTERS,
    SAME_KEY,
    TO_ENDPOINTS,
    TURN_LASTS,
    cut,
    event_of,
)
from workflows.kernel.clock import CLOCK_SKEW, first_id_at
from workflows.kernel.expired import ExpiredRows

# By one request or one recovery, and of each effect in a second.
MAX_REQUEUED = 10_000
REQUEUED_PER_SECOND = 25

# The attempts stay counted, since each has its record: the retry policy counts those that follow.
_REQUEUED = (
    "state = 'pending', nudges = 0, lease_until = CASE WHEN d.state <> 'dead' THEN d.lease_until END,"
    " forgiven = CASE WHEN d.state = 'dead' THEN d.attempts ELSE d.forgiven END"
)
# A leased delivery is being sent at this moment. One that has a turn under its endpoint's rate limit keeps it: due now,
# it would be sent beside the others.
_REQUEUE = sql(f"""
UPDATE deliveries d SET due_at = CASE WHEN d.turn_rate IS NULL THEN now() ELSE d.due_at END,
    nudge_at = CASE WHEN d.turn_rate IS NULL THEN now() ELSE d.nudge_at END, {_REQUEUED}
FROM events e
WHERE d.id = :id AND d.state = ANY(CAST(:states AS delivery_state[])) AND e.id = d.event_id
  AND (d.state = 'dead' OR d.lease_until IS NULL OR d.lease_until <= now())
RETURNING d.event_id, d.effect, d.target, d.queue, e.subject_type, e.subject_id
""").columns(event_id=Uuid(), subject_id=Uuid())
# Many, one after the other, so that they do not run all at once; rows that another requeue holds are left to it.
_REQUEUE_PACED = """
WITH failed AS MATERIALIZED (
    SELECT d.event_id, d.effect, d.target, d.queue, d.state, d.endpoint_id
    FROM deliveries d JOIN events e ON e.id = d.event_id
    WHERE {failed}
    ORDER BY d.event_id, d.effect, d.target
    LIMIT CAST(:limit AS bigint)
    FOR NO KEY UPDATE OF d SKIP LOCKED
), paced AS (
    SELECT failed.*, now() + (row_number() OVER (PARTITION BY effect ORDER BY event_id, target) - 1)
           * interval '1 second' / :per_second AS due_at
    FROM failed
), requeued AS (
    UPDATE deliveries d SET due_at = p.due_at, nudge_at = p.due_at{values}
    FROM paced p WHERE {same} AND {which}
    RETURNING d.event_id, d.effect, d.target, d.queue, d.due_at
){added}
SELECT (SELECT count(*) FROM requeued){count_added} AS requeued, first.*
FROM (VALUES (1)) AS always LEFT JOIN (
    SELECT r.*, e.subject_type, e.subject_id FROM ({due}) AS r JOIN events e ON e.id = r.event_id
    WHERE r.due_at <= now()
) AS first ON true
"""
_DEAD_PACED = {"values": f", {_REQUEUED}", "same": SAME_KEY.format("p"), "which": "p.state = 'dead'"}
_NONE_ADDED = {"added": "", "count_added": "", "due": "SELECT * FROM requeued"}
_REQUEUE_DEAD = sql(
    _REQUEUE_PACED.format(
        **_DEAD_PACED,
        failed="""d.state = 'dead' AND d.effect = ANY(:effects) AND e.occurred_at >= :since
      AND (d.endpoint_id IS NULL OR e.type = 'webhook.ping' OR EXISTS (
          SELECT FROM webhook_endpoints w WHERE w.id = d.endpoint_id AND w.state = 'active'))""",
        **_NONE_ADDED,
    )
).columns(event_id=Uuid(), subject_id=Uuid())
# Another run of an event for its endpoint; of two transactions that add the same, the later one finds its key taken.
_ADD_RUNS = f"""
    INSERT INTO deliveries (event_id, effect, target, endpoint_id, resend, id, queue, due_at, nudge_at)
    SELECT n.*, {DELIVERY_ID.format(of="n")}, p.queue, p.due_at, p.due_at
    FROM {{source}} AS p CROSS JOIN LATERAL (
        SELECT p.event_id, p.effect, p.endpoint_id || ':' || 1 + max(d.resend) AS target, p.endpoint_id,
               1 + max(d.resend) AS resend
        FROM deliveries d
        WHERE d.event_id = p.event_id AND d.effect = 'webhooks.send' AND d.endpoint_id = p.endpoint_id
    ) AS n
"""
_ADDED = " ON CONFLICT DO NOTHING RETURNING event_id, effect, target, queue, due_at"
_ONE_RUN = "(SELECT event_id, effect, endpoint_id, queue, now() AS due_at FROM deliveries WHERE id = :id)"
_ADD_RUN = sql(f"""
WITH added AS ({_ADD_RUNS.format(source=_ONE_RUN)} RETURNING id, event_id, effect, target, queue)
SELECT added.*, e.subject_type, e.subject_id FROM added JOIN events e ON e.id = added.event_id
""").columns(event_id=Uuid(), id=Uuid(), subject_id=Uuid())
# The bounds of the ids keep the index scan short. A cancelled run stays cancelled, and one more run follows, unless one
# arrived or is pending.
_RECOVER = sql(
    _REQUEUE_PACED.format(
        **_DEAD_PACED,
        failed="""d.effect = 'webhooks.send' AND d.endpoint_id = :endpoint_id
      AND (d.state = 'dead' OR d.cancel_reason = 'not_listening')
      AND d.event_id BETWEEN :first AND :last AND e.occurred_at >= :since AND e.occurred_at < :until
      AND e.type NOT IN ('webhook.ping', 'webhook.example')
      AND CAST(:event_types AS text[]) && ARRAY[e.type, split_part(e.type, '.', 1) || '.*', '*']
      AND (d.state = 'dead' OR NOT EXISTS (
          SELECT FROM deliveries other
          WHERE other.event_id = d.event_id AND other.effect = 'webhooks.send'
            AND other.endpoint_id = d.endpoint_id AND (other.state <> 'cancelled' OR other.resend > d.resend)))""",
        added=f", added AS ({_ADD_RUNS.format(source='paced')} WHERE p.state = 'cancelled'{_ADDED})",
        count_added=" + (SELECT count(*) FROM added)",
        due="SELECT * FROM requeued UNION ALL SELECT * FROM added",
    )
).columns(event_id=Uuid(), subject_id=Uuid())

# A page of the messages that were postponed for their endpoint's sake; a failed one keeps its own pause, and what is
# recovered its pace. None is due later for that. While the endpoint's circuit breaker is open again, they wait for it.
_HASTEN = sql(f"""
WITH line AS MATERIALIZED (
    SELECT w.id, w.rate_limit, interval '1 second' / least(w.rate_limit, :per_second) AS step,
           greatest(w.next_send_at, now()) AS first
    FROM webhook_endpoints w WHERE w.id = :endpoint_id AND w.open_until IS NULL FOR NO KEY UPDATE
), page AS MATERIALIZED (
    SELECT d.ctid AS place, d.event_id, d.target FROM line JOIN deliveries d ON d.endpoint_id = line.id
    WHERE {TO_ENDPOINTS} AND d.due_at > line.first AND d.put_off_until = d.due_at
      AND (d.lease_until IS NULL OR d.lease_until <= now())
    ORDER BY d.due_at
    LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
), placed AS (
    SELECT place, rate_limit, step, first + step * (row_number() OVER (ORDER BY event_id, target) - 1) AS turn
    FROM page CROSS JOIN line
), hastened AS (
    UPDATE deliveries d SET due_at = turn, turn_rate = rate_limit,
        nudge_at = turn + CASE WHEN rate_limit IS NULL THEN interval '0' ELSE {TURN_LASTS} END,
        put_off_until = CASE WHEN rate_limit IS NULL THEN d.put_off_until ELSE turn END
    FROM placed WHERE d.ctid = placed.place AND placed.turn < d.due_at
    RETURNING d.event_id, d.effect, d.target, d.queue, d.due_at, placed.step
), moved AS (
    UPDATE webhook_endpoints w
    SET hastens = last.due_at IS NOT NULL AND last.selected = :limit,
        next_send_at = coalesce(last.due_at + last.step, w.next_send_at)
    FROM (
        SELECT (SELECT count(*) FROM page) AS selected, max(due_at) AS due_at, max(step) AS step FROM hastened
    ) AS last
    WHERE w.id = :endpoint_id
    RETURNING w.hastens
)
SELECT moved.hastens, first.* FROM moved LEFT JOIN (
    SELECT h.*, e.subject_type, e.subject_id FROM hastened h JOIN events e ON e.id = h.event_id WHERE h.due_at <= now()
) AS first ON true
""").columns(hastens=Boolean(), event_id=Uuid(), subject_id=Uuid())

# A worker holds the rows of a batch until its commit, and an operator's request does not wait for that. A leased
# delivery is being sent at this moment.
_CANCEL = sql("""
UPDATE deliveries SET state = 'cancelled', lease_until = NULL, last_error = :reason
WHERE id = (SELECT id FROM deliveries WHERE id = :id FOR UPDATE NOWAIT)
  AND state = ANY(CAST(:states AS delivery_state[])) AND (lease_until IS NULL OR lease_until <= now())
""")
_IS_LEASED = select(deliveries.c.lease_until > func.now()).where(deliveries.c.id == bindparam("id"))

# A leased delivery is being sent: its sender writes the outcome. A locked row is left out, since its sender may be
# waiting for the endpoint's row.
_CANCEL_OF_ENDPOINT = sql(f"""
WITH unsent AS (
    SELECT d.event_id, d.effect, d.target FROM deliveries d
    WHERE d.effect = 'webhooks.send' AND d.endpoint_id = :endpoint_id AND d.queue = 'webhooks' AND d.state = 'pending'
      AND (d.lease_until IS NULL OR d.lease_until <= now())
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE deliveries d SET state = 'cancelled', lease_until = NULL, last_error = :reason, cancel_reason = 'deleted'
FROM unsent WHERE {SAME_KEY.format("unsent")}
""")

# Of a database that was restored, and that no other process uses.
_END_LEASES = sql("UPDATE deliveries SET lease_until = now() WHERE state = 'pending' AND lease_until > now()")
_DUE = sql("""
SELECT event_id, effect, target FROM deliveries
WHERE queue = :queue AND state = 'pending' AND effect = ANY(:effects) AND due_at <= now()
ORDER BY due_at, event_id, effect, target LIMIT :limit
""").columns(event_id=Uuid())
_CANCEL_PENDING = sql(f"""
WITH unsent AS (
    SELECT event_id, effect, target FROM deliveries
    WHERE effect = :effect AND state = 'pending' LIMIT :limit FOR UPDATE
)
UPDATE deliveries d SET state = 'cancelled', lease_until = NULL, last_error = :reason
FROM unsent WHERE {SAME_KEY.format("unsent")}
""")

_PENDING_OF_ENDPOINT = sql(
    "SELECT 1 FROM deliveries d WHERE d.effect = 'webhooks.send' AND d.endpoint_id = :endpoint_id"
    " AND d.queue = 'webhooks' AND d.state = 'pending' LIMIT 1"
)

# Attempts are kept, so that only those are deleted that no worker ever held.
delete_missed = ExpiredRows(
    "deliveries", "cancel_reason = 'not_listening' AND attempts = 0 AND event_id < :before_id", order="event_id"
)
# All runs of an event for an endpoint, in one order, so that two resends at once see each other.
_RUNS = (
    select(deliveries.c.id, deliveries.c.state)
    .where(
        deliveries.c.event_id == bindparam("event_id"),
        IS_WEBHOOK,
        deliveries.c.endpoint_id == bindparam("endpoint_id"),
    )
    .order_by(deliveries.c.resend)
    .with_for_update(key_share=True)
)
# The writer of an event planned every effect that it knew, or had a reason not to.
_EVENTS_WITHOUT = PreparedStatement(
    sql(f"""
SELECT e.id AS event_id, {EVENT} FROM events e
WHERE e.type = :event_type AND e.created_at >= :since AND e.id > :after AND e.id < :before
  AND NOT EXISTS (SELECT FROM deliveries d WHERE d.event_id = e.id AND d.effect = :effect)
  AND (CAST(:whatever_was_known AS bool) OR NOT EXISTS (
      SELECT FROM effect_catalogues c
      WHERE c.id = e.catalogue AND CAST(:effect AS text) || ' ' || :event_type = ANY(c.effects)))
ORDER BY e.id
LIMIT :limit
""").columns(event_id=Uuid(), **EVENT_TYPES)
)

_READ_EVENT = PreparedStatement(
    sql(f"SELECT e.id AS event_id, {EVENT} FROM events e WHERE e.id = :event_id").columns(
        event_id=Uuid(), **EVENT_TYPES
    )
)
# Of a mentor's deleted endpoints: the events that were sent to them, and then what the endpoints answered.
EVENTS_TO_DELETED_ENDPOINTS = sql("""
SELECT DISTINCT sent.event_id FROM deleted_webhook_endpoints w CROSS JOIN LATERAL (
    SELECT d.event_id FROM deliveries d
    WHERE d.endpoint_id = w.id AND d.effect = 'webhooks.send' AND d.event_id > :after
    ORDER BY d.event_id LIMIT :size
) AS sent
WHERE w.mentor_profile_id = :mentor_profile_id
ORDER BY sent.event_id LIMIT :size
""")
FORGET_ENDPOINT_ANSWERS = sql("""
WITH sent AS (
    SELECT d.event_id, d.effect, d.target FROM deliveries d
    JOIN deleted_webhook_endpoints w ON w.id = d.endpoint_id
    WHERE w.mentor_profile_id = :mentor_profile_id
      AND d.event_id = ANY(:ids) AND d.effect = 'webhooks.send'
), attempts AS (
    UPDATE delivery_attempts a SET error = NULL, response = NULL FROM sent
    WHERE (a.event_id, a.effect, a.target) = (sent.event_id, sent.effect, sent.target)
)
UPDATE deliveries d SET last_error = CASE WHEN d.last_error IS NOT NULL THEN :reason END, response = NULL FROM sent
WHERE (d.event_id, d.effect, d.target) = (sent.event_id, sent.effect, sent.target)
  AND (d.last_error <> :reason OR d.response IS NOT NULL)
""")


def requeue(db: Connection, delivery_id: UUID, *states: DeliveryState) -> bool:
    """Make it due now, or leave it its turn under a rate limit, and wake up a worker; a dead one gets all its attempts.

    False when it is in none of these states, or is being sent right now.
    """
    row = db.execute(_REQUEUE, {"id": delivery_id, "states": list(states)}).one_or_none()
    if row is not None:
        enqueue_wakeups(db, [Wakeup.of(row)])
    return row is not None


def requeue_dead(db: Connection, effects: Sequence[str], *, since: datetime) -> int:
    """Requeue the dead letters of these effects of events since then, the oldest first; returns how many."""
    return _requeue_paced(db, _REQUEUE_DEAD, {"effects": list(effects), "since": since, "limit": MAX_REQUEUED})


def recover(db: Connection, endpoint_id: UUID, event_types: Sequence[str], *, since: datetime, until: datetime) -> int:
    """Requeue the dead letters of a webhook endpoint, and send the messages that it missed while it was not active.

    The oldest events come first; returns how many there were, without those that another transaction requeues.
    """
    values = {
        "endpoint_id": endpoint_id,
        "event_types": list(event_types),
        "since": since,
        "until": until,
        "first": first_id_at(since - CLOCK_SKEW),
        "last": first_id_at(until + CLOCK_SKEW),
        "limit": MAX_REQUEUED,
    }
    return _requeue_paced(db, _RECOVER, values)


def cancel(db: Connection, delivery_id: UUID, reason: str) -> bool:
    """End a pending or dead one as cancelled; False when it is neither, or is being sent right now.

    Raises:
        OperationalError: 55P03, while a worker holds the row.
    """
    states = list(states_before(DeliveryState.CANCELLED))
    values = {"id": delivery_id, "states": states, "reason": cut(reason, MAX_ERROR_CHARACTERS)}
    return db.execute(_CANCEL, values).rowcount == 1


def is_leased(db: Connection, delivery_id: UUID) -> bool:
    """Whether a worker is sending it at this moment."""
    return bool(db.scalar(_IS_LEASED, {"id": delivery_id}))


def end_leases(db: Connection) -> None:
    """End the leases of processes that are gone: in a restored database, before any process uses it."""
    db.execute(_END_LEASES)


def due_keys(db: Connection, queue: str, effects: Sequence[str], *, limit: int) -> list[DeliveryKey]:
    """The deliveries of these effects that are due, the one that has been due for longest first."""
    rows = db.execute(_DUE, {"queue": queue, "effects": list(effects), "limit": limit})
    return [DeliveryKey(**row._mapping) for row in rows]


def cancel_pending(db: Connection, effect: str, reason: str, *, limit: int) -> int:
    """Cancel pending deliveries of an effect, due or not, in a database that no worker uses; returns how many."""
    return db.execute(_CANCEL_PENDING, {"effect": effect, "reason": reason, "limit": limit}).rowcount


def cancel_of_deleted_endpoint(db: Connection, endpoint_id: UUID, reason: str, *, limit: int) -> int:
    """Cancel what is pending for a deleted webhook endpoint and in no sender's hands; returns how many."""
    return db.execute(_CANCEL_OF_ENDPOINT, {"endpoint_id": endpoint_id, "reason": reason, "limit": limit}).rowcount


def has_pending_of_endpoint(db: Connection, endpoint_id: UUID) -> bool:
    return db.execute(_PENDING_OF_ENDPOINT, {"endpoint_id": endpoint_id}).first() is not None


def hasten_postponed(db: Connection, endpoint_id: UUID, *, limit: int = TURNS_PAGE) -> bool:
    """Hasten a page of the messages postponed for a webhook endpoint, at a pace; returns whether there may be more."""
    values = {"endpoint_id": endpoint_id, "per_second": REQUEUED_PER_SECOND, "limit": limit}
    found = db.execute(_HASTEN, values).all()
    enqueue_wakeups(db, [Wakeup.of(row) for row in found if row.event_id is not None])
    return any(row.hastens for row in found)


def lock_runs(db: Connection, *, event_id: UUID, endpoint_id: UUID) -> dict[UUID, DeliveryState]:
    """The ids and states of all deliveries of an event to a webhook endpoint, locked, in the order of their resends."""
    key = {"event_id": event_id, "endpoint_id": endpoint_id}
    db.execute(_RUNS, key)
    # Once more: what another transaction added while its locks were waited for is not in the first snapshot.
    return {row.id: row.state for row in db.execute(_RUNS, key)}


def add_run(db: Connection, delivery_id: UUID) -> UUID:
    """Send the event of a webhook delivery again, by another delivery, whose id it returns; the runs are locked."""
    row = db.execute(_ADD_RUN, {"id": delivery_id}).one()
    enqueue_wakeups(db, [Wakeup.of(row)])
    added: UUID = row.id
    return added


def events_without(
    db: Connection,
    effect: str,
    event_type: str,
    *,
    since: datetime,
    after: UUID,
    before: UUID,
    whatever_was_known: bool,
    limit: int,
) -> list[Event]:
    """Events of a type without a delivery of an effect, in the order of their ids.

    Args:
        after: the id after which to begin; `before`, likewise, where to end.
        whatever_was_known: whether those count of which the writer knew the effect.
    """
    values = {"effect": effect, "event_type": event_type, "since": since, "after": after, "before": before}
    more = {"whatever_was_known": whatever_was_known, "limit": limit}
    return [event_of(row) for row in _EVENTS_WITHOUT.all(db, values | more)]


def read_event(db: Connection, event_id: UUID) -> Event:
    (row,) = _READ_EVENT.all(db, {"event_id": event_id})
    return event_of(row)


def _requeue_paced(db: Connection, statement: Executable, values: dict[str, Any]) -> int:
    found = db.execute(statement, values | {"per_second": REQUEUED_PER_SECOND}).all()
    # Of each effect the first is due now; the others are left to the sweep.
    enqueue_wakeups(db, [Wakeup.of(row) for row in found if row.event_id is not None])
    requeued: int = found[0].requeued
    return requeued
