"""Data access for `deliveries`: every statement on the table but the inserting ones of `record`.

In this order: claim and lease; settle; sweep; figures; requeue and cancel; what webhook endpoints wait for or missed;
gaps; and what people are shown. Every outcome is written `WHERE state = 'pending' AND attempts = <fence>`: a worker
that lost its lease changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Interval,
    ScalarSelect,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

from models.base import Timestamp, enum_literal
from models.events import (
    CANCEL_REASONS,
    DELIVERY_ID,
    DeliveryState,
    deliveries,
    delivery_attempts,
    events,
    states_before,
)
from models.prepared import PreparedStatement
from models.webhooks import deleted_webhook_endpoints, webhook_endpoints
from workflows.events.delivery import (
    Attempt,
    Backlog,
    Delivery,
    DeliveryKey,
    DeliveryStatus,
    EarlierMessage,
    Success,
)
from workflows.events.event_types import CLOCK_SKEW, Event, event_types, known_types, smallest_event_id
from workflows.events.record import Wakeup, enqueue_wakeups
from workflows.kernel.paging import NEWEST_EVENT_FIRST, Page

log = structlog.get_logger(__name__)

NIL = UUID(int=0)
MAX_ERROR_CHARACTERS = 2_000
MAX_RESPONSE_CHARACTERS = 4_096
SWEEP_PAGE = 500
# By one request or one recovery, and of each effect in a second.
MAX_REQUEUED = 10_000
REQUEUED_PER_SECOND = 25
MAX_COUNTED_DUE = 100_000
# Of what a claim has room for, one endpoint gets the fourth part at a time.
ENDPOINT_SHARE = 4
TURNS_PAGE = 1_000
MAX_COUNTED_DEAD = 10_000
# Before anything was due.
ALWAYS = datetime.min.replace(tzinfo=UTC)

_KEYS = "unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]))"
_FENCED_KEYS = (
    "unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]), CAST(:fences AS int[]))"
    " AS given(event_id, effect, target, fence)"
)
_SAME_KEY = "d.event_id = {0}.event_id AND d.effect = {0}.effect AND d.target = {0}.target"
# Rows that are named are found by their primary key. The planner must not know that the partial indexes over what is
# pending would do: a plan made while nothing was pending would read a whole backlog for each name.
_PENDING = "CAST(d.state AS text) = 'pending'"
_FREE = f"{_PENDING} AND d.due_at <= now() AND (d.lease_until IS NULL OR d.lease_until <= now())"
_ROW = (
    "d.event_id, d.effect, d.target, d.id, d.endpoint_id, d.nudges, d.attempts, d.forgiven, d.lease_until,"
    " now() - d.due_at AS late"
)
_EVENT_COLUMNS = "e.type, e.actor, e.sequence, e.data, e.occurred_at"
_EVENT = f"{_EVENT_COLUMNS}, now() AS now"
# Looked up row by row: a plan that was made while there were few events would read all of them for each batch, and be
# kept until the next ANALYZE.
_EVENT_OF = f"LATERAL (SELECT {_EVENT_COLUMNS} FROM events e WHERE e.id = {{of}}.event_id OFFSET 0) AS e"
_KNOWN_EVENT = _EVENT_OF.replace(" OFFSET 0", " AND e.type = ANY(CAST(:known AS text[])) OFFSET 0")
# Literal, so that the index over these deliveries alone is known to be enough.
_IS_WEBHOOK = deliveries.c.effect == literal_column("'webhooks.send'")
_KEY_TYPES: dict[str, TypeEngine[Any]] = {"event_id": Uuid(), "effect": Text(), "target": Text()}
_ROW_TYPES: dict[str, TypeEngine[Any]] = {
    **_KEY_TYPES,
    "id": Uuid(),
    "endpoint_id": Uuid(),
    "nudges": Integer(),
    "attempts": Integer(),
    "forgiven": Integer(),
    "lease_until": Timestamp,
    "late": Interval(),
}
_EVENT_TYPES: dict[str, TypeEngine[Any]] = {
    "type": Text(),
    "actor": Text(),
    "sequence": BigInteger(),
    "data": JSONB(),
    "occurred_at": Timestamp,
    "now": Timestamp,
}
_TYPES = _ROW_TYPES | _EVENT_TYPES

# Many effects share the transaction of a batch: none may hold up the others for long.
_TIMEOUTS = (
    "CASE WHEN CAST(:batch AS bool)"
    " THEN set_config('lock_timeout', '100ms', true) || set_config('statement_timeout', '1s', true) END"
)

# The locking queries return the newest version of each row; the events never change. Of the rows beyond the named
# ones, those of each effect are read by an index of their own (`ix_deliveries_effect_due_at`), in the order of
# `:shared`: a backlog of mails in the same queue is not even looked at. A lease that ran out is taken by name alone.
_CLAIM = PreparedStatement(
    text(
        f"""
WITH named AS MATERIALIZED (
    SELECT {_ROW}, true AS named
    FROM {_KEYS} AS asked(event_id, effect, target) JOIN deliveries d ON {_SAME_KEY.format("asked")}
    WHERE {_FREE}
    LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
), others AS MATERIALIZED (
    SELECT due.* FROM unnest(CAST(:shared AS text[]), CAST(:since AS timestamptz[])) AS shared(effect, since)
    CROSS JOIN LATERAL (
        SELECT {_ROW}, false AS named FROM deliveries d CROSS JOIN {_KNOWN_EVENT.format(of="d")}
        WHERE d.effect = shared.effect AND d.state = 'pending' AND d.lease_until IS NULL AND d.due_at <= now()
          AND d.due_at >= shared.since
          AND NOT EXISTS (SELECT FROM named WHERE {_SAME_KEY.format("named")})
        ORDER BY d.due_at
        LIMIT :limit
        FOR UPDATE OF d SKIP LOCKED
    ) AS due
    LIMIT :limit - (SELECT count(*) FROM named)
)
SELECT claimed.*, {_EVENT}, {_TIMEOUTS}
FROM (SELECT * FROM named UNION ALL SELECT * FROM others) AS claimed CROSS JOIN {_EVENT_OF.format(of="claimed")}
"""
    ).columns(**_ROW_TYPES, named=Boolean(), **_EVENT_TYPES, timeouts=Text())
)
# Leases, and renews leases that are still held. A locked row is left for the next time.
_LEASE = text(
    f"""
WITH ours AS (
    SELECT d.event_id, d.effect, d.target FROM {_FENCED_KEYS} JOIN deliveries d ON {_SAME_KEY.format("given")}
    WHERE {_PENDING} AND d.attempts = given.fence AND (CAST(:counted AS int) = 1 OR d.lease_until IS NOT NULL)
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d
SET attempts = d.attempts + :counted, lease_until = now() + :duration, nudge_at = now() + :duration
FROM ours WHERE {_SAME_KEY.format("ours")}
"""
)
# Waits for the rows: a late copy of the message locks them for a moment, too, just to find them leased.
_HOLD = PreparedStatement(
    text(
        f"""
SELECT d.event_id, d.effect, d.target, {_TIMEOUTS}
FROM {_FENCED_KEYS} JOIN deliveries d ON {_SAME_KEY.format("given")}
WHERE {_PENDING} AND d.attempts = given.fence
FOR UPDATE OF d
"""
    ).columns(**_KEY_TYPES, timeouts=Text())
)

_DONE = PreparedStatement(
    text(
        f"""
UPDATE deliveries d
SET state = 'done', done_at = now(), attempts = given.attempt, lease_until = NULL, last_error = NULL
FROM unnest(
    CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]),
    CAST(:fences AS int[]), CAST(:attempts AS int[])
) AS given(event_id, effect, target, fence, attempt)
WHERE {_SAME_KEY.format("given")} AND {_PENDING} AND d.attempts = given.fence
RETURNING d.event_id
"""
    ).columns(event_id=Uuid())
)

# An outcome and its attempt, in one statement. Without `:after` the row is not due again.
_OUTCOME = text(
    f"""
WITH ours AS (
    UPDATE deliveries d
    SET attempts = :attempt, lease_until = NULL, state = CAST(:state AS delivery_state),
        done_at = CASE WHEN CAST(:state AS text) = 'done' THEN now() END,
        last_error = CAST(:error AS text), cancel_reason = CAST(:cancel_reason AS text),
        due_at = coalesce(now() + CAST(:after AS interval), d.due_at),
        nudge_at = coalesce(now() + CAST(:after AS interval), d.nudge_at)
    WHERE d.event_id = :event_id AND d.effect = :effect AND d.target = :target
      AND {_PENDING} AND d.attempts = :fence
    RETURNING d.event_id, d.effect, d.target
)
INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, error, error_class, status_code, response,
                               duration_ms)
SELECT event_id, effect, target, :attempt, :outcome, CAST(:error AS text), CAST(:error_class AS text),
       CAST(:status_code AS int), CAST(:response AS text), :duration_ms
FROM ours
"""
)
_POSTPONE = text(
    f"""
UPDATE deliveries d
SET attempts = :attempts, forgiven = CASE WHEN :forgives THEN :attempts ELSE least(d.forgiven, :attempts) END,
    lease_until = NULL, due_at = later.at, nudge_at = later.at, put_off_until = later.at,
    last_error = coalesce(CAST(:error AS text), d.last_error)
FROM (SELECT coalesce(CAST(:until AS timestamptz), clock_timestamp() + CAST(:pause AS interval)) AS at) AS later
WHERE d.event_id = :event_id AND d.effect = :effect AND d.target = :target AND {_PENDING} AND d.attempts = :fence
RETURNING d.due_at
"""
)

# What a newer process recorded is left to a newer worker, so that only known types are taken. A lease that a crash of
# the database undoes is taken again, so that its commit is not waited for on disk. A lease that ran out is taken by
# name alone, as above.
_LEASABLE = f"""
WITH RECURSIVE asked AS (
    SELECT * FROM unnest(CAST(:event_ids AS uuid[]), CAST(:targets AS text[])) AS asked(event_id, target)
), named AS MATERIALIZED (
    SELECT found.*, e.* FROM asked CROSS JOIN LATERAL (
        SELECT d.ctid AS place, d.due_at, d.endpoint_id, d.turn_rate FROM deliveries d
        WHERE d.event_id = asked.event_id AND d.effect = :effect AND d.target = asked.target AND {_FREE}
        FOR UPDATE SKIP LOCKED
    ) AS found CROSS JOIN {_KNOWN_EVENT.format(of="asked")}
    LIMIT :limit
)"""
_OTHER = f"""
    SELECT d.ctid AS place, d.due_at, d.endpoint_id, d.turn_rate, e.*
    FROM deliveries d CROSS JOIN {_KNOWN_EVENT.format(of="d")}
    WHERE d.effect = {{effect}} AND d.state = 'pending' AND d.lease_until IS NULL AND d.due_at <= now()
      AND (d.event_id, d.target) NOT IN (SELECT * FROM asked)"""
_OTHERS_ROOM = "LIMIT greatest(0, :others - (SELECT count(*) FROM named))"
_LEASED = "lease_until = now() + :duration, nudge_at = now() + :duration"
_CLAIM_LEASED = PreparedStatement(
    text(
        f"""{_LEASABLE}, others AS MATERIALIZED ({_OTHER.format(effect=":effect")}
    ORDER BY d.due_at
    {_OTHERS_ROOM}
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d SET attempts = d.attempts + 1, {_LEASED}
FROM (SELECT * FROM named UNION ALL SELECT * FROM others) AS e
WHERE d.ctid = e.place
RETURNING {_ROW}, {_EVENT}, set_config('synchronous_commit', 'off', true)
"""
    ).columns(**_TYPES, synchronous_commit=Text())
)
# Literal, so that the index over these deliveries alone serves.
_TO_ENDPOINTS = "d.effect = 'webhooks.send' AND d.state = 'pending'"
# The turns of an endpoint with a rate limit: one every 1/rate seconds. Unused turns of the last second may be made up
# for, so that at most `rate` messages go at once.
# Turns that were not taken in time are not made up for: after an hour's stop, an hour's messages would go at once.
_TURN_LASTS = "interval '2 seconds'"
_TURNS = """
    SELECT w.id, w.rate_limit, interval '1 second' / w.rate_limit AS step,
           greatest(w.next_send_at, now() - interval '1 second' + interval '1 second' / w.rate_limit) AS first
"""
RATE_LIMIT_REACHED = "The endpoint's rate limit is reached."
_RESERVED = f"""
    lease_until = NULL, due_at = {{turn}}, put_off_until = {{turn}}, nudge_at = {{turn}} + {_TURN_LASTS},
    last_error = '{RATE_LIMIT_REACHED.replace("'", "''")}'
"""
# The same, by endpoints: of those that are not named, each endpoint's own come by turns, so that no backlog of one
# stands before another's messages. And of an endpoint with a rate limit each message takes a turn, once: one whose turn
# has not come is not leased, and is due then. The sweep names turns in time, and counts no wake-up for that.
_CLAIM_BY_ENDPOINT = PreparedStatement(
    text(
        f"""{_LEASABLE}, endpoints(endpoint_id, found, wrapped) AS (
    SELECT CAST(:after AS uuid), false, false WHERE :others > 0
    UNION ALL
    SELECT coalesce(next.endpoint_id, CAST(:nil AS uuid)), next.endpoint_id IS NOT NULL,
           wrapped OR next.endpoint_id IS NULL
    FROM endpoints CROSS JOIN LATERAL (
        SELECT (
            SELECT d.endpoint_id FROM deliveries d
            WHERE {_TO_ENDPOINTS} AND d.endpoint_id > endpoints.endpoint_id
              AND (NOT endpoints.wrapped OR d.endpoint_id <= :after)
            ORDER BY d.endpoint_id LIMIT 1
        ) AS endpoint_id
    ) AS next
    WHERE NOT endpoints.wrapped OR next.endpoint_id IS NOT NULL
), turns AS MATERIALIZED ({_OTHER.format(effect="'webhooks.send'")} AND d.turn_rate IS NOT NULL
    ORDER BY d.due_at
    {_OTHERS_ROOM}
    FOR UPDATE OF d SKIP LOCKED
), others AS MATERIALIZED (
    SELECT of_one.* FROM endpoints CROSS JOIN LATERAL ({_OTHER.format(effect="'webhooks.send'")}
          AND d.endpoint_id = endpoints.endpoint_id AND endpoints.found AND d.turn_rate IS NULL
        ORDER BY d.due_at
        LIMIT :share
        FOR UPDATE OF d SKIP LOCKED
    ) AS of_one
    LIMIT greatest(0, :others - (SELECT count(*) FROM named) - (SELECT count(*) FROM turns))
), claimed AS MATERIALIZED (
    SELECT taken.*, type IN ('webhook.ping', 'webhook.example') AS direct
    FROM (SELECT * FROM named UNION ALL SELECT * FROM turns UNION ALL SELECT * FROM others) AS taken
), limited AS MATERIALIZED ({_TURNS}
    FROM (SELECT DISTINCT endpoint_id AS id FROM claimed WHERE NOT direct) AS named JOIN webhook_endpoints w USING (id)
    WHERE w.rate_limit IS NOT NULL AND w.state = 'active' AND (w.open_until IS NULL OR w.open_until <= now())
    ORDER BY w.id
    FOR NO KEY UPDATE OF w
), placed AS MATERIALIZED (
    SELECT c.place, l.id, l.rate_limit, l.step,
           l.first + l.step * (row_number() OVER (PARTITION BY l.id ORDER BY c.due_at, c.place) - 1) AS turn
    FROM claimed c JOIN limited l ON l.id = c.endpoint_id
    WHERE NOT c.direct AND (c.turn_rate IS DISTINCT FROM l.rate_limit OR c.due_at < now() - {_TURN_LASTS})
), moved AS (
    UPDATE webhook_endpoints w SET next_send_at = last.turn + last.step
    FROM (SELECT id, step, max(turn) AS turn FROM placed GROUP BY id, step) AS last WHERE w.id = last.id
), postponed AS (
    UPDATE deliveries d SET turn_rate = placed.rate_limit, {_RESERVED.format(turn="placed.turn")}
    FROM claimed e JOIN placed ON placed.place = e.place AND placed.turn > now() WHERE d.ctid = e.place
    RETURNING {_ROW}, {_EVENT}, d.due_at AS turn_at
), leased AS (
    UPDATE deliveries d SET attempts = d.attempts + 1, turn_rate = NULL, {_LEASED}
    FROM claimed e WHERE d.ctid = e.place AND e.place NOT IN (SELECT place FROM placed WHERE turn > now())
    RETURNING {_ROW}, {_EVENT}, CAST(NULL AS timestamptz) AS turn_at
)
SELECT *, set_config('synchronous_commit', 'off', true)
FROM (SELECT * FROM leased UNION ALL SELECT * FROM postponed) AS taken
"""
    ).columns(**_TYPES, turn_at=Timestamp, synchronous_commit=Text())
)
# A page of the turns of one endpoint's messages that are due and have none: those of a backlog are not claimed one by
# one for that.
_GIVE_TURNS = text(
    f"""
WITH turns AS MATERIALIZED ({_TURNS}
    FROM webhook_endpoints w WHERE w.id = :endpoint_id AND w.rate_limit IS NOT NULL FOR NO KEY UPDATE OF w
), page AS MATERIALIZED (
    SELECT d.ctid AS place, d.due_at FROM turns JOIN deliveries d ON d.endpoint_id = turns.id
    WHERE {_TO_ENDPOINTS} AND d.due_at <= now() AND d.lease_until IS NULL
      AND (d.turn_rate IS DISTINCT FROM turns.rate_limit OR d.due_at < now() - {_TURN_LASTS})
    ORDER BY d.due_at
    LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
), placed AS (
    SELECT place, rate_limit, step, first + step * (row_number() OVER (ORDER BY due_at, place) - 1) AS turn
    FROM page CROSS JOIN turns
), moved AS (
    UPDATE webhook_endpoints w SET next_send_at = last.turn + last.step
    FROM (SELECT max(turn) AS turn, step FROM placed GROUP BY step) AS last WHERE w.id = :endpoint_id
)
UPDATE deliveries d SET turn_rate = placed.rate_limit, {_RESERVED.format(turn="placed.turn")}
FROM placed WHERE d.ctid = placed.place
"""
)

# Locked rows are left out rather than waited for: one of them would hold up all the others.
_DONE_OUTBOUND = PreparedStatement(
    text(
        f"""
WITH ours AS (
    SELECT given.*, d.ctid AS place
    FROM unnest(
        CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]),
        CAST(:fences AS int[]), CAST(:attempts AS int[]),
        CAST(:status_codes AS int[]), CAST(:responses AS text[]), CAST(:durations AS int[])
    ) AS given(event_id, effect, target, fence, attempt, status_code, response, duration_ms)
    JOIN deliveries d ON {_SAME_KEY.format("given")}
    WHERE {_PENDING} AND d.attempts = given.fence
    FOR UPDATE OF d SKIP LOCKED
), ended AS (
    UPDATE deliveries d
    SET state = 'done', done_at = now(), attempts = ours.attempt, lease_until = NULL, last_error = NULL
    FROM ours WHERE d.ctid = ours.place
    RETURNING ours.*
)
INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, status_code, response, duration_ms)
SELECT event_id, effect, target, attempt, 'done', status_code, response, duration_ms FROM ended
RETURNING event_id, effect, target
"""
    ).columns(**_KEY_TYPES)
)

# Of a mail `n` to be sent, one of those in `asked`: how many others of its kind its reader was sent within an hour, or
# has under way, counted up to a bound. All of `asked` have been leased, and that is committed: of two workers one at
# least sees what the other sends. What was written before `:since` is not counted.
MAILED_LATELY = """(
    SELECT count(*) FROM (
        SELECT FROM notifications o
        JOIN deliveries d ON d.event_id = o.event_id AND d.effect = 'mail.send' AND d.target = CAST(o.user_id AS text)
        WHERE o.user_id = n.user_id AND o.kind = n.kind AND o.channel = 'email' AND o.id > :since
          AND (o.event_id, o.user_id) NOT IN (SELECT asked.event_id, asked.user_id FROM asked)
          AND (d.done_at > now() - interval '1 hour'
               OR (CAST(d.state AS text) = 'pending' AND d.attempts > 0 AND o.gathered_until IS NULL))
        ORDER BY o.id DESC
        LIMIT :gather_after
    ) AS few
)"""
# The mails that are sent as one, in the order in which it lists them. Each is looked up for itself, however small the
# tables seem to the planner: in the order of their ids, it would walk through all notifications or events.
_GATHERED = PreparedStatement(
    text(
        f"""
WITH held AS MATERIALIZED (
    SELECT event_id, CAST(user_id AS text) AS target FROM notifications
    WHERE user_id = :user_id AND kind = :kind AND gathered_until = :until
)
SELECT mail.* FROM held CROSS JOIN LATERAL (
    SELECT {_ROW}, {_EVENT}
    FROM deliveries d JOIN events e ON e.id = d.event_id
    WHERE d.event_id = held.event_id AND d.effect = 'mail.send' AND d.target = held.target AND {_PENDING}
    OFFSET 0
) AS mail
ORDER BY mail.event_id
LIMIT :limit
"""
    ).columns(**_TYPES)
)
# A worker that has leased one of them only puts it off, and changes nothing then.
_DONE_TOGETHER = text(
    f"""
UPDATE deliveries d SET state = 'done', done_at = now(), lease_until = NULL, last_error = NULL
WHERE d.id = ANY(CAST(:ids AS uuid[])) AND {_PENDING}
"""
)
# Waits for those that run these, and keeps others from running them until the transaction's end.
_SHARE_EFFECT = text(
    """
SELECT FROM events e JOIN deliveries d ON d.event_id = e.id AND d.effect = :effect
WHERE e.subject_id = ANY(CAST(:subject_ids AS uuid[])) AND e.type = :event_type
ORDER BY d.event_id
FOR SHARE OF d
"""
)
# The messages of an earlier event of the same subjects, by the same effect to the same targets. What a receiver refused
# with a status, and what was cancelled, has not left; of any other attempt that is not certain.
_EARLIER = text(
    f"""
SELECT e.subject_id, d.effect, d.target,
       CAST(d.state AS text) = 'done' OR d.attempts > (
           SELECT count(*) FROM delivery_attempts a
           WHERE {_SAME_KEY.format("a")} AND a.outcome <> 'done'
             AND (a.outcome = 'cancelled' OR a.status_code IS NOT NULL)
       ) AS may_have_left,
       coalesce(d.lease_until > now(), false) OR ({_PENDING} AND EXISTS (
           SELECT FROM notifications n
           WHERE n.event_id = d.event_id AND CAST(n.user_id AS text) = d.target AND n.gathered_until <= now()
       )) AS is_leaving
FROM unnest(CAST(:subject_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]))
     AS asked(subject_id, effect, target)
JOIN events e ON e.subject_id = asked.subject_id AND e.type = :event_type
JOIN deliveries d ON d.event_id = e.id AND d.effect = asked.effect AND d.target = asked.target
"""
).columns(subject_id=Uuid())

# After the last of so many wake-ups: 2, 4, 8, 16 and from then on 30 seconds. The exponent is bounded, since a row may
# be named for days.
_PAUSE = "least(30, power(2, least(d.nudges, 5))) * interval '1 second'"
# From the index, in its order, however long the backlog: what has been named leaves its beginning, and what is locked
# is passed over. While the queue's list is empty nothing published can still be waiting in it, so that the growing
# pause between wake-ups is not waited for: two seconds after it was due, a delivery is named again.
_OVERDUE = """
SELECT page.*, e.subject_type, e.subject_id FROM (
    SELECT d.event_id, d.effect, d.target, d.queue FROM deliveries d
    WHERE d.state = 'pending' AND d.queue = :queue AND {waiting}
      AND (d.lease_until IS NULL OR d.lease_until <= now())
    ORDER BY d.nudge_at
    LIMIT :page
    FOR UPDATE SKIP LOCKED
) AS page CROSS JOIN LATERAL (SELECT subject_type, subject_id FROM events WHERE id = page.event_id OFFSET 0) AS e
"""
_PATIENT = text(_OVERDUE.format(waiting="d.nudge_at <= now()"))
_EMPTY_LIST = text(
    _OVERDUE.format(
        waiting="d.nudge_at <= now() + interval '30 seconds' AND (d.nudge_at <= now() OR (d.nudges > 0 AND"
        " d.due_at + interval '2 seconds' <= now()"
        # Another sweep may have filled the list since its length was read.
        f" AND d.nudge_at - {_PAUSE} <= now() - interval '0.5 seconds'))"
    )
)
# `:by` is 1, or -1 for what could not be published after all.
_NUDGED = text(
    f"""
UPDATE deliveries d SET nudges = d.nudges + :by, nudge_at = now()
    + CASE WHEN :by > 0 THEN {_PAUSE.replace("d.nudges", "(d.nudges + 1)")} ELSE interval '0' END
FROM {_KEYS} AS n(event_id, effect, target) WHERE {_SAME_KEY.format("n")} AND {_PENDING} AND d.nudges + :by >= 0
"""
)

# What is not claimed in time is named again as anything else is.
_TURNS_DUE = text(
    f"""
SELECT d.event_id, d.effect, d.target, d.queue, e.subject_type, e.subject_id
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE {_TO_ENDPOINTS} AND d.lease_until IS NULL AND d.turn_rate IS NOT NULL
  AND d.due_at BETWEEN now() - {_TURN_LASTS} AND now()
ORDER BY d.due_at
LIMIT :limit
"""
)

# What has waited from the first for a server that is unavailable: postponed again and again, it is hardly ever due.
# Webhooks wait for their own endpoints, which are their owners' affair, and pushes for hosts that any user may name.
_WAITS = """
d.put_off_until = d.due_at AND d.last_error IS NOT NULL AND d.effect NOT IN ('webhooks.send', 'push.send')
          AND d.attempts = CASE WHEN d.lease_until > now() THEN 1 ELSE 0 END
"""
# Timers that are due some day are not read: what is due has been nudged, or leased, for less than a minute ahead.
_BACKLOG = text(
    f"""
SELECT asked.queue, due.deliveries, due.age
FROM unnest(CAST(:queues AS text[])) AS asked(queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries, coalesce(now() - min(owed.since), interval '0') AS age
    FROM (
        SELECT CASE WHEN {_WAITS} THEN d.created_at ELSE d.due_at END AS since FROM deliveries d
        WHERE d.state = 'pending' AND d.queue = asked.queue
          AND d.nudge_at <= now() + interval '1 minute' AND (d.due_at <= now() OR {_WAITS})
        ORDER BY d.nudge_at
        LIMIT :limit
    ) AS owed
) AS due
"""
).columns(age=Interval())
# Outbound messages that have not left, by when they were recorded, since each postponement moves what is due. A message
# whose time has not come for the first time is none of them.
_UNDELIVERED = text(
    """
SELECT asked.queue, coalesce(now() - pending.since, interval '0') AS age
FROM unnest(CAST(:queues AS text[])) AS asked(queue)
CROSS JOIN LATERAL (
    SELECT min(few.created_at) AS since
    FROM (
        SELECT d.created_at FROM deliveries d
        WHERE d.state = 'pending' AND d.queue = asked.queue AND d.effect = ANY(CAST(:effects AS text[]))
          AND (d.due_at <= now() OR d.attempts > d.forgiven OR d.put_off_until IS NOT NULL)
        ORDER BY d.nudge_at
        LIMIT :limit
    ) AS few
) AS pending
"""
).columns(age=Interval())
# Dead messages to partners stay for good: however many there are, so many of each effect are read.
_DEAD = text(
    """
SELECT asked.effect, dead.deliveries
FROM unnest(CAST(:effects AS text[])) AS asked(effect)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries
    FROM (SELECT FROM deliveries WHERE state = 'dead' AND effect = asked.effect LIMIT :limit) AS few
) AS dead
WHERE dead.deliveries > 0
"""
)


# The attempts stay counted, since each has its record: the retry policy counts those that follow.
_REQUEUED = (
    "state = 'pending', nudges = 0, lease_until = CASE WHEN d.state <> 'dead' THEN d.lease_until END,"
    " forgiven = CASE WHEN d.state = 'dead' THEN d.attempts ELSE d.forgiven END"
)
# What is leased is being sent this very moment.
_REQUEUE = text(
    f"""
UPDATE deliveries d SET due_at = now(), nudge_at = now(), {_REQUEUED}
FROM events e
WHERE d.id = :id AND d.state = ANY(CAST(:states AS delivery_state[])) AND e.id = d.event_id
  AND (d.state = 'dead' OR d.lease_until IS NULL OR d.lease_until <= now())
RETURNING d.event_id, d.effect, d.target, d.queue, e.subject_type, e.subject_id
"""
).columns(event_id=Uuid(), subject_id=Uuid())
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
_DEAD_PACED = {"values": f", {_REQUEUED}", "same": _SAME_KEY.format("p"), "which": "p.state = 'dead'"}
_NONE_ADDED = {"added": "", "count_added": "", "due": "SELECT * FROM requeued"}
_REQUEUE_DEAD = text(
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
_ADD_RUN = text(
    f"""
WITH added AS ({_ADD_RUNS.format(source=_ONE_RUN)} RETURNING id, event_id, effect, target, queue)
SELECT added.*, e.subject_type, e.subject_id FROM added JOIN events e ON e.id = added.event_id
"""
).columns(event_id=Uuid(), id=Uuid(), subject_id=Uuid())
# The bounds of the ids alone keep the index scan short. What was cancelled stays so, and another run follows: one,
# however many runs there were, and none once one arrived or is pending.
_RECOVER = text(
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
_HASTEN = text(
    f"""
WITH line AS MATERIALIZED (
    SELECT w.id, w.rate_limit, interval '1 second' / least(w.rate_limit, :per_second) AS step,
           greatest(w.next_send_at, now()) AS first
    FROM webhook_endpoints w WHERE w.id = :endpoint_id AND w.open_until IS NULL FOR NO KEY UPDATE
), page AS MATERIALIZED (
    SELECT d.ctid AS place, d.event_id, d.target FROM line JOIN deliveries d ON d.endpoint_id = line.id
    WHERE {_TO_ENDPOINTS} AND d.due_at > line.first AND d.put_off_until = d.due_at
      AND (d.lease_until IS NULL OR d.lease_until <= now())
    ORDER BY d.due_at
    LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
), placed AS (
    SELECT place, rate_limit, step, first + step * (row_number() OVER (ORDER BY event_id, target) - 1) AS turn
    FROM page CROSS JOIN line
), hastened AS (
    UPDATE deliveries d SET due_at = turn, turn_rate = rate_limit,
        nudge_at = turn + CASE WHEN rate_limit IS NULL THEN interval '0' ELSE {_TURN_LASTS} END,
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
"""
).columns(hastens=Boolean(), event_id=Uuid(), subject_id=Uuid())

# A worker holds the rows of a batch until its commit, and an operator's request does not wait for that. What is leased
# is being sent this very moment.
_CANCEL = text(
    """
UPDATE deliveries SET state = 'cancelled', lease_until = NULL, last_error = :reason
WHERE id = (SELECT id FROM deliveries WHERE id = :id FOR UPDATE NOWAIT)
  AND state = ANY(CAST(:states AS delivery_state[])) AND (lease_until IS NULL OR lease_until <= now())
"""
)
_IS_LEASED = select(deliveries.c.lease_until > func.now()).where(deliveries.c.id == bindparam("id"))

# What is leased is being sent this very moment: its sender writes what came of it. A locked row is left out, since its
# sender may be waiting for the endpoint's row.
_CANCEL_OF_ENDPOINT = text(
    f"""
WITH unsent AS (
    SELECT d.event_id, d.effect, d.target FROM deliveries d
    WHERE d.effect = 'webhooks.send' AND d.endpoint_id = :endpoint_id AND d.queue = 'webhooks' AND d.state = 'pending'
      AND (d.lease_until IS NULL OR d.lease_until <= now())
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE deliveries d SET state = 'cancelled', lease_until = NULL, last_error = :reason, cancel_reason = 'deleted'
FROM unsent WHERE {_SAME_KEY.format("unsent")}
"""
)

_PENDING_OF_ENDPOINT = text(
    "SELECT 1 FROM deliveries d WHERE d.effect = 'webhooks.send' AND d.endpoint_id = :endpoint_id"
    " AND d.queue = 'webhooks' AND d.state = 'pending' LIMIT 1"
)

# What endpoints missed and no worker ever held: attempts are kept.
_DELETE_MISSED = text(
    f"""
WITH old AS MATERIALIZED (
    SELECT event_id, effect, target FROM deliveries
    WHERE cancel_reason = 'not_listening' AND attempts = 0 AND event_id < :before
    ORDER BY event_id
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
DELETE FROM deliveries d USING old WHERE {_SAME_KEY.format("old")}
"""
)
# All runs of an event for an endpoint, in one order, so that two resends at once see each other.
_RUNS = (
    select(deliveries.c.id, deliveries.c.state)
    .where(
        deliveries.c.event_id == bindparam("event_id"),
        _IS_WEBHOOK,
        deliveries.c.endpoint_id == bindparam("endpoint_id"),
    )
    .order_by(deliveries.c.resend)
    .with_for_update(key_share=True)
)
# What an event's writer knew it planned, or had a reason not to plan.
_EVENTS_WITHOUT = PreparedStatement(
    text(
        f"""
SELECT e.id AS event_id, {_EVENT} FROM events e
WHERE e.type = :event_type AND e.created_at >= :since AND e.id > :after AND e.id < :before
  AND NOT EXISTS (SELECT FROM deliveries d WHERE d.event_id = e.id AND d.effect = :effect)
  AND (CAST(:whatever_was_known AS bool) OR NOT EXISTS (
      SELECT FROM effect_catalogues c
      WHERE c.id = e.catalogue AND CAST(:effect AS text) || ' ' || :event_type = ANY(c.effects)))
ORDER BY e.id
LIMIT :limit
"""
    ).columns(event_id=Uuid(), **_EVENT_TYPES)
)

_READ_EVENT = PreparedStatement(
    text(f"SELECT e.id AS event_id, {_EVENT} FROM events e WHERE e.id = CAST(:event_id AS uuid)").columns(
        event_id=Uuid(), **_EVENT_TYPES
    )
)


# What was sent, or is to be sent, to a person whose account is erased: it is cancelled, and what servers answered goes,
# since they repeat addresses. Rows that a worker holds are passed over.
_FORGET_MESSAGES = """
WITH sent AS (
    SELECT d.event_id, d.effect, d.target FROM deliveries d
    WHERE {where} AND (d.state IN ('pending', 'dead') OR d.last_error <> :reason)
    FOR UPDATE OF d SKIP LOCKED
), attempts AS (
    UPDATE delivery_attempts a SET error = NULL, response = NULL FROM sent
    WHERE (a.event_id, a.effect, a.target) = (sent.event_id, sent.effect, sent.target)
)
UPDATE deliveries d SET last_error = CASE WHEN d.state IN ('pending', 'dead') THEN :reason END,
    state = CASE WHEN d.state IN ('pending', 'dead') THEN 'cancelled' ELSE d.state END, lease_until = NULL
FROM sent WHERE (d.event_id, d.effect, d.target) = (sent.event_id, sent.effect, sent.target)
"""
FORGET_MAILS_ABOUT_USER = text(
    _FORGET_MESSAGES.format(
        where="d.event_id IN (SELECT e.id FROM events e WHERE e.subject_id = CAST(:user_id AS uuid))"
        " AND d.effect = 'mail.send'"
    )
)
# Of notifications: a push whose browser is another person's was not for this one.
FORGET_MESSAGES_TO_USER = text(
    _FORGET_MESSAGES.format(
        where="""
d.event_id IN (SELECT n.event_id FROM notifications n WHERE n.id = ANY(:ids) AND n.channel <> 'in_app')
AND (
    (d.effect = 'mail.send' AND d.target = CAST(:user_id AS text))
    OR (d.effect = 'push.send' AND NOT EXISTS (
        SELECT FROM push_subscriptions s
        WHERE s.id = CASE WHEN d.effect = 'push.send' THEN CAST(d.target AS uuid) END
          AND s.user_id <> CAST(:user_id AS uuid)
    ))
)
"""
    )
)
# Of a mentor's deleted endpoints: the events that were sent to them, and then what the endpoints answered.
EVENTS_TO_DELETED_ENDPOINTS = text(
    """
SELECT DISTINCT sent.event_id FROM deleted_webhook_endpoints w CROSS JOIN LATERAL (
    SELECT d.event_id FROM deliveries d
    WHERE d.endpoint_id = w.id AND d.effect = 'webhooks.send' AND d.event_id > :after
    ORDER BY d.event_id LIMIT :size
) AS sent
WHERE w.mentor_profile_id = CAST(:mentor_profile_id AS uuid)
ORDER BY sent.event_id LIMIT :size
"""
)
FORGET_ENDPOINT_ANSWERS = text(
    """
WITH sent AS (
    SELECT d.event_id, d.effect, d.target, d.last_error FROM deliveries d
    JOIN deleted_webhook_endpoints w ON w.id = d.endpoint_id
    WHERE w.mentor_profile_id = CAST(:mentor_profile_id AS uuid)
      AND d.event_id = ANY(:ids) AND d.effect = 'webhooks.send'
), attempts AS (
    UPDATE delivery_attempts a SET error = NULL, response = NULL FROM sent
    WHERE (a.event_id, a.effect, a.target) = (sent.event_id, sent.effect, sent.target)
)
UPDATE deliveries d SET last_error = :reason FROM sent
WHERE (d.event_id, d.effect, d.target) = (sent.event_id, sent.effect, sent.target) AND sent.last_error <> :reason
"""
)


def _status(delivery: Any) -> list[ColumnElement[Any]]:
    event = (events.c.type.label("event_type"), events.c.subject_type, events.c.subject_id)
    return [*(delivery[field.name] for field in fields(DeliveryStatus) if field.name in delivery), *event]


def _of_last_attempt(delivery: Any, column: ColumnElement[Any]) -> ScalarSelect[Any]:
    attempts = delivery_attempts.c
    same = [attempts[name] == delivery[name] for name in ("event_id", "effect", "target")]
    return select(column).where(*same).order_by(attempts.attempt.desc()).limit(1).scalar_subquery()


def _error_class(delivery: Any) -> ColumnElement[Any]:
    # A reason to wait or to cancel that replaced the last attempt's error in the row has none of its classes.
    of_attempt = case((delivery_attempts.c.error == delivery.last_error, delivery_attempts.c.error_class))
    return func.coalesce(delivery.cancel_reason, _of_last_attempt(delivery, of_attempt))


def _webhook_status(delivery: Any, endpoint: Any) -> list[ColumnElement[Any]]:
    return [
        *_status(delivery),
        delivery.endpoint_id,
        endpoint.state.label("endpoint_state"),
        endpoint.mentor_profile_id,
        _of_last_attempt(delivery, delivery_attempts.c.status_code).label("last_status_code"),
        _error_class(delivery).label("last_error_class"),
    ]


# Endpoints, also those that are deleted, which have no state.
_ENDPOINTS_EVER = union_all(
    select(webhook_endpoints.c.id, webhook_endpoints.c.mentor_profile_id, webhook_endpoints.c.state),
    select(
        deleted_webhook_endpoints.c.id,
        deleted_webhook_endpoints.c.mentor_profile_id,
        cast(null(), webhook_endpoints.c.state.type),
    ),
).subquery("endpoints_ever")
_STATUS = select(*_status(deliveries.c)).join_from(deliveries, events, events.c.id == deliveries.c.event_id)
_WEBHOOK_STATUS = (
    select(*_webhook_status(deliveries.c, _ENDPOINTS_EVER.c))
    .join_from(deliveries, events, events.c.id == deliveries.c.event_id)
    .join(_ENDPOINTS_EVER, _ENDPOINTS_EVER.c.id == deliveries.c.endpoint_id, isouter=True)
    # Of one id: spelled so that the index over all webhook deliveries cannot serve.
    .where(deliveries.c.effect + literal_column("''") == literal_column("'webhooks.send'"))
)
# Deliveries to browsers, chat channels and endpoints are private: operators see them all, an endpoint's owner its own.
_OF_SUBJECTS = _STATUS.where(
    events.c.subject_id == any_(bindparam("subject_ids", type_=ARRAY(Uuid))),
    or_(
        bindparam("all", type_=Boolean),
        deliveries.c.effect.not_in(["webhooks.send", "push.send", "channels.send"]),
        deliveries.c.endpoint_id.in_(
            select(webhook_endpoints.c.id).where(
                webhook_endpoints.c.mentor_profile_id == bindparam("mentor_profile_id", type_=Uuid)
            )
        ),
    ),
).order_by(events.c.sequence, deliveries.c.effect, deliveries.c.target)


def claim(
    db: Connection,
    named: Sequence[DeliveryKey],
    *,
    shared: Mapping[str, datetime] = MappingProxyType({}),
    limit: int | None = None,
    batch: bool = False,
) -> list[Delivery]:
    """Lock the named deliveries that are free and due, then others that are, for the rest of this transaction.

    Args:
        named: of one queue; those that are done, not due, or in another worker's hands are left out.
        shared: the effects whose other deliveries are taken too, those of the first before those of the next, and since
            when they are due: those that have been for longer are left out.
        limit: how many in all; None for as many as are named.
        batch: whether, from then on, a lock is waited for 100 ms and a statement 1 s.
    """
    values = {"shared": _array(shared), "since": _array(shared.values()), "known": known_types(), "batch": batch}
    values["limit"] = len(named) if limit is None else limit
    return _deliveries(_CLAIM.all(db, _keys(named) | values))


def lease(db: Connection, claimed: Sequence[Delivery], duration: timedelta) -> list[Delivery]:
    """Count the attempts before they are made, so that what kills its worker again and again ends as a dead letter."""
    if claimed:
        db.execute(_LEASE, {**_fenced(claimed), "duration": duration, "counted": 1})
    return [replace(delivery, fence=delivery.attempt) for delivery in claimed]


def renew(db: Connection, leased: Sequence[Delivery], duration: timedelta) -> None:
    """Lease those that are still ours for so long from now on, in one statement that waits for no lock."""
    db.execute(_LEASE, {**_fenced(leased), "duration": duration, "counted": 0})


def hold(db: Connection, leased: Sequence[Delivery], *, batch: bool = False) -> list[Delivery]:
    """Lock leased deliveries for the rest of this transaction; those whose lease was lost are left out.

    Args:
        batch: whether statements are then bounded as by `claim`.
    """
    held = _keys_of(_HOLD.all(db, _fenced(leased) | {"batch": batch}))
    return [delivery for delivery in leased if delivery.key in held]


def mark_done(db: Connection, deliveries: Sequence[Delivery]) -> int:
    """Mark them done, with whatever they did in this transaction; returns how many were still ours."""
    attempts = _array(delivery.attempt for delivery in deliveries)
    return len(_DONE.all(db, {**_fenced(deliveries), "attempts": attempts}))


def settle(db: Connection, delivery: Delivery, attempt: Attempt, *, after: timedelta | None = None) -> bool:
    """Write what an attempt came to: done, dead or cancelled, or pending and due after a pause.

    Args:
        after: the pause, of an attempt whose outcome is `retry`.

    Returns:
        False when the row is no longer ours.
    """
    cancelled = attempt.outcome == DeliveryState.CANCELLED and attempt.error_class in CANCEL_REASONS
    values = {
        **vars(delivery.key),
        "attempt": delivery.attempt,
        "fence": delivery.fence,
        "state": DeliveryState.PENDING if attempt.outcome == "retry" else attempt.outcome,
        "after": after,
        "cancel_reason": attempt.error_class if cancelled else None,
        "outcome": attempt.outcome,
        "error": _cut(attempt.error, MAX_ERROR_CHARACTERS),
        "error_class": attempt.error_class,
        "status_code": attempt.status_code,
        "response": _cut(attempt.response, MAX_RESPONSE_CHARACTERS),
        "duration_ms": _milliseconds(attempt),
    }
    return db.execute(_OUTCOME, values).rowcount == 1


def postpone(
    db: Connection,
    delivery: Delivery,
    until: datetime | timedelta,
    *,
    reason: str | None = None,
    forgives: bool = False,
) -> datetime | None:
    """Leave it pending until then, as if it had never been taken: no attempt was made.

    Args:
        until: by the database's clock; or for how long from now on.
        reason: kept as its last error; None keeps the one that it has.
        forgives: whether earlier attempts no longer count.
    """
    times = {"until": None, "pause": until} if isinstance(until, timedelta) else {"until": until, "pause": None}
    counted = {"fence": delivery.fence, "attempts": delivery.attempt - 1, "forgives": forgives}
    values = {**vars(delivery.key), **counted, "error": _cut(reason, MAX_ERROR_CHARACTERS), **times}
    due_at: datetime | None = db.execute(_POSTPONE, values).scalar_one_or_none()
    return due_at


def claim_leased(
    db: Connection,
    effect: str,
    keys: Sequence[DeliveryKey],
    duration: timedelta,
    *,
    limit: int | None = None,
    others: bool = True,
    after: UUID = NIL,
) -> list[Delivery]:
    """Lease those of an outbound effect's deliveries that are free and due, in the order in which they are named.

    A webhook whose endpoint's rate limit is reached is among them with its `turn_at`, and is due then, not leased.

    Args:
        duration: of the lease; the attempt in hand is counted with it.
        limit: how many may be leased; None for as many as are named.
        others: whether those that are not named are leased, too: those that have been due for longest, or of webhooks
            some of each endpoint.
        after: of webhooks, the id after which the other endpoints begin.
    """
    values: dict[str, Any] = {
        "effect": effect,
        "event_ids": _array(key.event_id for key in keys),
        "targets": _array(key.target for key in keys),
        "duration": duration,
        "known": known_types(),
        "limit": len(keys) if limit is None else limit,
        "others": (limit or 0) if others else 0,
    }
    if effect == "webhooks.send":
        share = max(1, values["others"] // ENDPOINT_SHARE)
        rows = _CLAIM_BY_ENDPOINT.all(db, values | {"after": after, "nil": NIL, "share": share})
    else:
        rows = _CLAIM_LEASED.all(db, values)
    # The rows hold the attempts in hand already.
    taken = {each.key: each if each.turn_at else replace(each, attempt=each.fence) for each in _deliveries(rows)}
    return [*(taken.pop(key) for key in keys if key in taken), *taken.values()]


def give_turns(db: Connection, endpoint_id: UUID, *, limit: int = TURNS_PAGE) -> int:
    """Give a page of what is due for a webhook endpoint its turns under the rate limit; returns how many got one."""
    return db.execute(_GIVE_TURNS, {"endpoint_id": endpoint_id, "limit": limit}).rowcount


def turns_due(db: Connection, *, limit: int) -> list[Wakeup]:
    """The first of the webhooks whose turn under their endpoint's rate limit has come within two seconds."""
    return [Wakeup.of(row) for row in db.execute(_TURNS_DUE, {"limit": limit})]


def done_outbound(db: Connection, successes: Sequence[Success]) -> set[DeliveryKey]:
    """Mark them done and keep their attempts, in one statement that waits for no lock.

    Returns:
        Those that were written; the others are locked at the moment, or no longer ours.
    """
    values = _fenced([each.delivery for each in successes]) | {
        "attempts": _array(each.delivery.attempt for each in successes),
        "status_codes": _array(each.attempt.status_code for each in successes),
        "responses": _array(_cut(each.attempt.response, MAX_RESPONSE_CHARACTERS) for each in successes),
        "durations": _array(_milliseconds(each.attempt) for each in successes),
    }
    return _keys_of(_DONE_OUTBOUND.all(db, values))


def gathered(db: Connection, *, user_id: UUID, kind: str, until: datetime, limit: int) -> list[Delivery]:
    """The pending mails of a kind to a person that were held until then, the first of them, without leasing them."""
    values = {"user_id": user_id, "kind": kind, "until": until, "limit": limit}
    return _deliveries(_GATHERED.all(db, values))


def mark_gathered_done(db: Connection, delivery_ids: Iterable[UUID]) -> None:
    """Mark those done that were sent as a part of another one."""
    db.execute(_DONE_TOGETHER, {"ids": _array(delivery_ids)})


def share_effect(db: Connection, effect: str, event_type: str, subject_ids: Iterable[UUID]) -> None:
    """Wait until no transaction runs an effect of these subjects' events, and have none run it before this one ends."""
    db.execute(_SHARE_EFFECT, {"effect": effect, "event_type": event_type, "subject_ids": _array(subject_ids)})


def earlier_messages(
    db: Connection, event_type: str, deliveries: Iterable[Delivery]
) -> dict[tuple[UUID, str, str], EarlierMessage]:
    """What became of the messages of an earlier event of the same subjects, by subject, effect and target."""
    asked = list(deliveries)
    values = {
        "event_type": event_type,
        "subject_ids": _array(each.event.subject_id for each in asked),
        "effects": _array(each.key.effect for each in asked),
        "targets": _array(each.target for each in asked),
    }
    return {
        (row.subject_id, row.effect, row.target): EarlierMessage(
            may_have_left=row.may_have_left, is_leaving=row.is_leaving
        )
        for row in db.execute(_EARLIER, values)
    }


def overdue(db: Connection, queue: str, *, list_is_empty: bool, limit: int = SWEEP_PAGE) -> list[Wakeup]:
    """A page of a queue's deliveries that a worker is to be woken up for again, locked until the transaction's end.

    Args:
        list_is_empty: whether the queue's list in Redis holds nothing, so that what was published before is gone.
    """
    rows = db.execute(_EMPTY_LIST if list_is_empty else _PATIENT, {"queue": queue, "page": limit}).all()
    return [Wakeup.of(row) for row in rows]


def mark_published(db: Connection, wakeups: Iterable[Wakeup]) -> None:
    """Count a wake-up for each, in the transaction that found them: the next one waits longer."""
    db.execute(_NUDGED, _keys(wakeups) | {"by": 1})


def mark_unpublished(db: Connection, wakeups: Iterable[Wakeup]) -> None:
    """Note that these could not be published after all: they are to be named again at once."""
    db.execute(_NUDGED, _keys(wakeups) | {"by": -1})


def backlogs(db: Connection, queues: Sequence[str], *, limit: int = MAX_COUNTED_DUE) -> list[Backlog]:
    """What each of these queues owes, by the database's clock, in one statement that counts up to `limit` of each."""
    rows = db.execute(_BACKLOG, {"queues": list(queues), "limit": limit})
    return [Backlog(queue=row.queue, due=row.deliveries, oldest=row.age) for row in rows]


def oldest_undelivered(
    db: Connection, queues: Sequence[str], effects: Sequence[str], *, limit: int = MAX_COUNTED_DUE
) -> dict[str, timedelta]:
    """How long ago the oldest pending message of each queue was recorded, by the database's clock; zero without one.

    Args:
        effects: the outbound effects whose deliveries are messages.
        limit: how many pending deliveries of a queue are read at most, those that are woken up next first.
    """
    rows = db.execute(_UNDELIVERED, {"queues": list(queues), "effects": list(effects), "limit": limit})
    return {row.queue: row.age for row in rows}


def dead_by_effect(db: Connection, effects: Sequence[str], *, limit: int = MAX_COUNTED_DEAD) -> dict[str, int]:
    """How many deliveries of each of these effects are dead letters, counted up to `limit`; none is no entry."""
    return {row.effect: row.deliveries for row in db.execute(_DEAD, {"effects": list(effects), "limit": limit})}


def requeue(db: Connection, delivery_id: UUID, *states: DeliveryState) -> bool:
    """Make it due now, and wake up a worker; a dead one gets all its attempts again.

    Args:
        states: those of which it must be in one.

    Returns:
        False when it is in none of them, or is being sent right now.
    """
    row = db.execute(_REQUEUE, {"id": delivery_id, "states": list(states)}).one_or_none()
    if row is not None:
        enqueue_wakeups(db, [Wakeup.of(row)])
    return row is not None


def requeue_dead(db: Connection, effects: Sequence[str], *, since: datetime) -> int:
    """Requeue the dead letters of these effects of events since then, the oldest first; returns how many."""
    return _requeue_paced(db, _REQUEUE_DEAD, {"effects": list(effects), "since": since, "limit": MAX_REQUEUED})


def recover(db: Connection, endpoint_id: UUID, event_types: Sequence[str], *, since: datetime, until: datetime) -> int:
    """Requeue what died on its way to a webhook endpoint, and send anew what was not sent while it was not active.

    Returns:
        How many there were, the oldest events first; what another transaction is just sending again is left out.
    """
    values = {
        "endpoint_id": endpoint_id,
        "event_types": list(event_types),
        "since": since,
        "until": until,
        "first": smallest_event_id(since - CLOCK_SKEW),
        "last": smallest_event_id(until + CLOCK_SKEW),
        "limit": MAX_REQUEUED,
    }
    return _requeue_paced(db, _RECOVER, values)


def cancel(db: Connection, delivery_id: UUID, reason: str) -> bool:
    """End a pending or dead one as cancelled; False when it is neither, or is being sent right now.

    Raises:
        OperationalError: 55P03, while a worker holds the row.
    """
    states = list(states_before(DeliveryState.CANCELLED))
    values = {"id": delivery_id, "states": states, "reason": _cut(reason, MAX_ERROR_CHARACTERS)}
    return db.execute(_CANCEL, values).rowcount == 1


def is_leased(db: Connection, delivery_id: UUID) -> bool:
    """Whether a worker is sending it at this moment."""
    return bool(db.scalar(_IS_LEASED, {"id": delivery_id}))


def cancel_of_deleted_endpoint(db: Connection, endpoint_id: UUID, reason: str, *, limit: int) -> int:
    """Cancel what is pending for a deleted webhook endpoint and in no sender's hands; returns how many."""
    return db.execute(_CANCEL_OF_ENDPOINT, {"endpoint_id": endpoint_id, "reason": reason, "limit": limit}).rowcount


def has_pending_of_endpoint(db: Connection, endpoint_id: UUID) -> bool:
    """Whether anything is pending for a webhook endpoint."""
    return db.execute(_PENDING_OF_ENDPOINT, {"endpoint_id": endpoint_id}).first() is not None


def hasten_postponed(db: Connection, endpoint_id: UUID, *, limit: int = TURNS_PAGE) -> bool:
    """Have a page of what was postponed for a webhook endpoint's sake be due sooner, one after the other.

    Returns:
        Whether there may be more.
    """
    values = {"endpoint_id": endpoint_id, "per_second": REQUEUED_PER_SECOND, "limit": limit}
    found = db.execute(_HASTEN, values).all()
    enqueue_wakeups(db, [Wakeup.of(row) for row in found if row.event_id is not None])
    return any(row.hastens for row in found)


def delete_missed(db: Connection, *, before: datetime, limit: int) -> int:
    """Delete what webhook endpoints missed of events of before then, the oldest first; returns how many."""
    return db.execute(_DELETE_MISSED, {"before": smallest_event_id(before), "limit": limit}).rowcount


def lock_runs(db: Connection, *, event_id: UUID, endpoint_id: UUID) -> dict[UUID, DeliveryState]:
    """The ids and states of all deliveries of an event to a webhook endpoint, locked, in the order of their resends."""
    key = {"event_id": event_id, "endpoint_id": endpoint_id}
    db.execute(_RUNS, key)
    # Once more: what another transaction added while its locks were waited for is not in the first snapshot.
    return {row.id: row.state for row in db.execute(_RUNS, key)}


def add_run(db: Connection, delivery_id: UUID) -> UUID:
    """Send the event of a webhook delivery anew, by another delivery; returns its id. The runs are locked."""
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
    return [_event(row) for row in _EVENTS_WITHOUT.all(db, values | more)]


def read_event(db: Connection, event_id: UUID) -> Event:
    """The event of that id."""
    (row,) = _READ_EVENT.all(db, {"event_id": event_id})
    return _event(row)


def status_query(delivery_id: UUID) -> Select[Any]:
    """The status of one delivery, as `DeliveryStatus`."""
    return _STATUS.where(deliveries.c.id == delivery_id)


def statuses_by_id_query(first: UUID, last: UUID) -> Select[Any]:
    """The first two statuses in a range of ids, both ends included: enough to tell whether there is exactly one."""
    return _STATUS.where(deliveries.c.id.between(first, last)).order_by(deliveries.c.id).limit(2)


def statuses_query(page: Page, *, state: DeliveryState | None = None, effect: str | None = None) -> Select[Any]:
    """Those in a state, or of an effect, or all, as `DeliveryStatus`; the newest events first."""
    query = _STATUS if state is None else _STATUS.where(deliveries.c.state == enum_literal(state))
    query = query if effect is None else query.where(deliveries.c.effect == effect)
    return NEWEST_EVENT_FIRST.select_page(query, page, deliveries.c.event_id, deliveries.c.id)


def statuses_of_subjects(
    db: Connection, subject_ids: Sequence[UUID], *, everything: bool, mentor_profile_id: UUID | None
) -> list[DeliveryStatus]:
    """The deliveries of all events about these subjects, in the order of the events.

    Args:
        everything: whether those are among them that are operators' business alone.
        mentor_profile_id: whose webhook endpoints' deliveries are among them in any case.
    """
    values = {"subject_ids": list(subject_ids), "all": everything, "mentor_profile_id": mentor_profile_id}
    return [DeliveryStatus.of(row) for row in db.execute(_OF_SUBJECTS, values)]


def webhook_status_query(delivery_id: UUID) -> Select[Any]:
    """One webhook delivery, with its last attempt and its endpoint, unless that is deleted."""
    return _WEBHOOK_STATUS.where(deliveries.c.id == delivery_id)


def webhook_statuses_query(
    page: Page,
    *,
    mentor_profile_id: UUID | None = None,
    endpoint_id: UUID | None = None,
    of_any_owner: bool = False,
    state: DeliveryState | None = None,
) -> Select[Any]:
    """The deliveries to a mentor's endpoints, or for None to those of the operators; the newest events first.

    Args:
        endpoint_id: to this endpoint alone, also when it is deleted.
        of_any_owner: to endpoints of every owner.
        state: deliveries in this state alone.
    """
    endpoints = webhook_endpoints if endpoint_id is None else _ENDPOINTS_EVER
    wanted = [] if of_any_owner else [endpoints.c.mentor_profile_id == mentor_profile_id]
    if endpoint_id is not None:
        wanted.append(endpoints.c.id == endpoint_id)
    of_one = select(deliveries).where(_IS_WEBHOOK, deliveries.c.endpoint_id == endpoints.c.id)
    if state is not None:
        of_one = of_one.where(deliveries.c.state == enum_literal(state))
    # A page of each endpoint by the index, and then the first of them all: never a whole history to be sorted.
    of_one = NEWEST_EVENT_FIRST.select_page(of_one, page, deliveries.c.event_id, deliveries.c.id)
    newest = of_one.correlate(endpoints).lateral("newest")
    return (
        select(*_webhook_status(newest.c, endpoints.c))
        .select_from(endpoints.join(newest, true()).join(events, events.c.id == newest.c.event_id))
        .where(*wanted)
        .order_by(newest.c.event_id.desc(), newest.c.id.desc())
        .limit(page.limit + 1)
    )


def _cut(words: str | None, limit: int) -> str | None:
    return words[:limit] if words else None


def _milliseconds(attempt: Attempt) -> int:
    return int(attempt.took.total_seconds() * 1000)


def _deliveries(rows: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    return [delivery for row in rows if (delivery := _delivery(row)) is not None]


def _delivery(row: Mapping[str, Any]) -> Delivery | None:
    if row["type"] not in event_types():
        # A newer process recorded it; a newer worker will run what follows from it.
        log.warning("delivery.unknown_event", effect=row["effect"], event_id=row["event_id"], type=row["type"])
        return None
    return Delivery(
        key=DeliveryKey(event_id=row["event_id"], effect=row["effect"], target=row["target"]),
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event=_event(row),
        nudges=row["nudges"],
        attempt=row["attempts"] + 1,
        fence=row["attempts"],
        attempts_reset=row["forgiven"],
        was_leased=row["lease_until"] is not None,
        now=row["now"],
        late=row["late"],
        turn_at=row.get("turn_at"),
    )


def _event(row: Mapping[str, Any]) -> Event:
    return event_types()[row["type"]].read(
        id=row["event_id"],
        actor=row["actor"],
        occurred_at=row["occurred_at"],
        sequence=row["sequence"],
        data=row["data"],
    )


def _requeue_paced(db: Connection, statement: Executable, values: dict[str, Any]) -> int:
    found = db.execute(statement, values | {"per_second": REQUEUED_PER_SECOND}).all()
    # Of each effect the first is due now; the others are left to the sweep.
    enqueue_wakeups(db, [Wakeup.of(row) for row in found if row.event_id is not None])
    requeued: int = found[0].requeued
    return requeued


def _keys_of(rows: Iterable[Mapping[str, Any]]) -> set[DeliveryKey]:
    return {DeliveryKey(event_id=row["event_id"], effect=row["effect"], target=row["target"]) for row in rows}


def _keys(keys: Iterable[DeliveryKey | Wakeup]) -> dict[str, Any]:
    named = list(keys)
    return {
        "event_ids": _array(key.event_id for key in named),
        "effects": _array(key.effect for key in named),
        "targets": _array(key.target for key in named),
    }


def _array(values: Iterable[object]) -> str:
    """Ids, names, numbers or times as PostgreSQL writes an array: the driver's own way is Python for each element."""
    return f"{{{','.join('NULL' if value is None else _quoted(str(value)) for value in values)}}}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _fenced(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    return {**_keys(each.key for each in deliveries), "fences": _array(each.fence for each in deliveries)}
