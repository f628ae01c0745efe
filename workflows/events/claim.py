"""Claim deliveries that are due, with or without a lease, and give webhooks their turns under rate limits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Connection, Text

from models.base import Timestamp, sql
from models.prepared import PreparedStatement
from workflows.events.delivery import Delivery, DeliveryKey
from workflows.events.event_types import known_types
from workflows.events.record import Wakeup
from workflows.events.rows import (
    EVENT,
    EVENT_COLUMNS,
    EVENT_TYPES,
    KEY_TYPES,
    KEYS,
    NIL,
    PENDING,
    ROW,
    ROW_TYPES,
    SAME_KEY,
    TO_ENDPOINTS,
    TURN_LASTS,
    TYPES,
    deliveries_of,
    fenced_keys_as_arrays,
    keys_as_arrays,
    keys_of,
    text_array,
)

# One endpoint gets a quarter of the room of a claim.
ENDPOINT_SHARE = 4
TURNS_PAGE = 1_000
_FENCED_KEYS = (
    "unnest(CAST(:event_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]), CAST(:fences AS int[]))"
    " AS given(event_id, effect, target, fence)"
)
_FREE = f"{PENDING} AND d.due_at <= now() AND (d.lease_until IS NULL OR d.lease_until <= now())"
# Looked up row by row: a plan that was made while there were few events would read all of them for each batch, and be
# kept until the next ANALYZE.
_EVENT_OF = f"LATERAL (SELECT {EVENT_COLUMNS} FROM events e WHERE e.id = {{of}}.event_id OFFSET 0) AS e"
_KNOWN_EVENT = _EVENT_OF.replace(" OFFSET 0", " AND e.type = ANY(CAST(:known AS text[])) OFFSET 0")

# Many effects share the transaction of a batch: none may hold up the others for long.
_TIMEOUTS = (
    "CASE WHEN CAST(:batch AS bool)"
    " THEN set_config('lock_timeout', '100ms', true) || set_config('statement_timeout', '1s', true) END"
)

# The locking queries return the newest version of each row; the events never change. Of the rows beyond the named
# ones, each effect's are read by an index (`ix_deliveries_effect_due_at`), in the order of `:shared`: a backlog of
# mails in the same queue is not read. A delivery whose lease ran out is taken by name alone.
_CLAIM = PreparedStatement(
    sql(f"""
WITH named AS MATERIALIZED (
    SELECT {ROW}, true AS named
    FROM {KEYS} AS asked(event_id, effect, target) JOIN deliveries d ON {SAME_KEY.format("asked")}
    WHERE {_FREE}
    LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
), others AS MATERIALIZED (
    SELECT due.* FROM unnest(CAST(:shared AS text[]), CAST(:since AS timestamptz[])) AS shared(effect, since)
    CROSS JOIN LATERAL (
        SELECT {ROW}, false AS named FROM deliveries d CROSS JOIN {_KNOWN_EVENT.format(of="d")}
        WHERE d.effect = shared.effect AND d.state = 'pending' AND d.lease_until IS NULL AND d.due_at <= now()
          AND d.due_at >= shared.since
          AND NOT EXISTS (SELECT FROM named WHERE {SAME_KEY.format("named")})
        ORDER BY d.due_at
        LIMIT :limit
        FOR UPDATE OF d SKIP LOCKED
    ) AS due
    LIMIT :limit - (SELECT count(*) FROM named)
)
SELECT claimed.*, {EVENT}, {_TIMEOUTS}
FROM (SELECT * FROM named UNION ALL SELECT * FROM others) AS claimed CROSS JOIN {_EVENT_OF.format(of="claimed")}
""").columns(**ROW_TYPES, named=Boolean(), **EVENT_TYPES, timeouts=Text())
)
# Leases, and renews leases that are still held. A locked row is left for the next time.
_LEASE = sql(f"""
WITH ours AS (
    SELECT d.event_id, d.effect, d.target FROM {_FENCED_KEYS} JOIN deliveries d ON {SAME_KEY.format("given")}
    WHERE {PENDING} AND d.attempts = given.fence AND (CAST(:counted AS int) = 1 OR d.lease_until IS NOT NULL)
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d
SET attempts = d.attempts + :counted, lease_until = now() + :duration, nudge_at = now() + :duration
FROM ours WHERE {SAME_KEY.format("ours")}
""")
# Waits for the rows: a late copy of the message locks them for a moment, too, just to find them leased.
_HOLD = PreparedStatement(
    sql(f"""
SELECT d.event_id, d.effect, d.target, {_TIMEOUTS}
FROM {_FENCED_KEYS} JOIN deliveries d ON {SAME_KEY.format("given")}
WHERE {PENDING} AND d.attempts = given.fence
FOR UPDATE OF d
""").columns(**KEY_TYPES, timeouts=Text())
)

# Only known types are taken: events of a newer process are left to a newer worker. The commit of a lease is not waited
# for on disk, since a lease that a crash of the database undoes is taken again. A delivery whose lease ran out is taken
# by name alone, as above.
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
    sql(
        f"""{_LEASABLE}, others AS MATERIALIZED ({_OTHER.format(effect=":effect")}
    ORDER BY d.due_at
    {_OTHERS_ROOM}
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d SET attempts = d.attempts + 1, {_LEASED}
FROM (SELECT * FROM named UNION ALL SELECT * FROM others) AS e
-- The array has the rows looked up by their places, however few there seem to be in the table.
WHERE d.ctid = ANY(ARRAY(SELECT place FROM named UNION ALL SELECT place FROM others)) AND d.ctid = e.place
RETURNING {ROW}, {EVENT}, set_config('synchronous_commit', 'off', true)
"""
    ).columns(**TYPES, synchronous_commit=Text())
)
# The turns of an endpoint with a rate limit: one every 1/rate seconds. Unused turns of the last second may be made up
# for, so that at most `rate` messages go at once.
_TURNS = """
    SELECT w.id, w.rate_limit, interval '1 second' / w.rate_limit AS step,
           greatest(w.next_send_at, now() - interval '1 second' + interval '1 second' / w.rate_limit) AS first
"""
RATE_LIMIT_REACHED = "The endpoint's rate limit is reached."
_RESERVED = f"""
    lease_until = NULL, due_at = {{turn}}, put_off_until = {{turn}}, nudge_at = {{turn}} + {TURN_LASTS},
    last_error = '{RATE_LIMIT_REACHED.replace("'", "''")}'
"""
# The same for webhooks. Deliveries that are not named are taken from the endpoints in turn, so that the backlog of one
# delays no other. Each message to an endpoint with a rate limit takes a turn, once: a message whose turn has not come
# is not leased, and is due at its turn. The sweep names turns in time, and counts no wake-up for that.
_CLAIM_BY_ENDPOINT = PreparedStatement(
    sql(
        f"""{_LEASABLE}, endpoints(endpoint_id, found, wrapped) AS (
    SELECT CAST(:after AS uuid), false, false WHERE :others > 0
    UNION ALL
    SELECT coalesce(next.endpoint_id, CAST(:nil AS uuid)), next.endpoint_id IS NOT NULL,
           wrapped OR next.endpoint_id IS NULL
    FROM endpoints CROSS JOIN LATERAL (
        SELECT (
            SELECT d.endpoint_id FROM deliveries d
            WHERE {TO_ENDPOINTS} AND d.endpoint_id > endpoints.endpoint_id
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
    WHERE NOT c.direct AND (c.turn_rate IS DISTINCT FROM l.rate_limit OR c.due_at < now() - {TURN_LASTS})
), moved AS (
    UPDATE webhook_endpoints w SET next_send_at = last.turn + last.step
    FROM (SELECT id, step, max(turn) AS turn FROM placed GROUP BY id, step) AS last WHERE w.id = last.id
), postponed AS (
    UPDATE deliveries d SET turn_rate = placed.rate_limit, {_RESERVED.format(turn="placed.turn")}
    FROM claimed e JOIN placed ON placed.place = e.place AND placed.turn > now() WHERE d.ctid = e.place
    RETURNING {ROW}, {EVENT}, d.due_at AS turn_at
), leased AS (
    UPDATE deliveries d SET attempts = d.attempts + 1, turn_rate = NULL, {_LEASED}
    FROM claimed e WHERE d.ctid = e.place AND e.place NOT IN (SELECT place FROM placed WHERE turn > now())
    RETURNING {ROW}, {EVENT}, CAST(NULL AS timestamptz) AS turn_at
)
SELECT *, set_config('synchronous_commit', 'off', true)
FROM (SELECT * FROM leased UNION ALL SELECT * FROM postponed) AS taken
"""
    ).columns(**TYPES, turn_at=Timestamp, synchronous_commit=Text())
)
# Turns for a page of one endpoint's due messages that have none, so that a backlog is not claimed message by message.
_GIVE_TURNS = sql(f"""
WITH turns AS MATERIALIZED ({_TURNS}
    FROM webhook_endpoints w WHERE w.id = :endpoint_id AND w.rate_limit IS NOT NULL FOR NO KEY UPDATE OF w
), page AS MATERIALIZED (
    SELECT d.ctid AS place, d.due_at FROM turns JOIN deliveries d ON d.endpoint_id = turns.id
    WHERE {TO_ENDPOINTS} AND d.due_at <= now() AND d.lease_until IS NULL
      AND (d.turn_rate IS DISTINCT FROM turns.rate_limit OR d.due_at < now() - {TURN_LASTS})
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
""")

# A turn that is missed is named again like any other delivery.
_TURNS_DUE = sql(f"""
SELECT d.event_id, d.effect, d.target, d.queue, e.subject_type, e.subject_id
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE {TO_ENDPOINTS} AND d.lease_until IS NULL AND d.turn_rate IS NOT NULL
  AND d.due_at BETWEEN now() - {TURN_LASTS} AND now()
ORDER BY d.due_at
LIMIT :limit
""")


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
        shared: effects of which other deliveries are taken too, in this order, each with the earliest due time of them.
        limit: how many in all; None for as many as are named.
        batch: whether, from then on, a lock is waited for 100 ms and a statement 1 s.
    """
    values = {
        "shared": text_array(shared),
        "since": text_array(shared.values()),
        "known": known_types(),
        "batch": batch,
    }
    values["limit"] = len(named) if limit is None else limit
    return deliveries_of(_CLAIM.all(db, keys_as_arrays(named) | values))


def lease(db: Connection, claimed: Sequence[Delivery], duration: timedelta) -> list[Delivery]:
    """Count the attempts before they are made: a delivery that keeps killing its worker ends as a dead letter."""
    if claimed:
        db.execute(_LEASE, {**fenced_keys_as_arrays(claimed), "duration": duration, "counted": 1})
    return [replace(delivery, fence=delivery.attempt) for delivery in claimed]


def renew(db: Connection, leased: Sequence[Delivery], duration: timedelta) -> None:
    """Renew the leases that are still ours, in one statement that waits for no lock."""
    db.execute(_LEASE, {**fenced_keys_as_arrays(leased), "duration": duration, "counted": 0})


def hold(db: Connection, leased: Sequence[Delivery], *, batch: bool = False) -> list[Delivery]:
    """Lock leased deliveries for the rest of this transaction; those whose lease was lost are left out."""
    held = keys_of(_HOLD.all(db, fenced_keys_as_arrays(leased) | {"batch": batch}))
    return [delivery for delivery in leased if delivery.key in held]


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
    """Lease deliveries of an outbound effect that are free and due, in the order in which they are named.

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
        "event_ids": text_array(key.event_id for key in keys),
        "targets": text_array(key.target for key in keys),
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
    taken = {each.key: each if each.turn_at else replace(each, attempt=each.fence) for each in deliveries_of(rows)}
    return [*(taken.pop(key) for key in keys if key in taken), *taken.values()]


def give_turns(db: Connection, endpoint_id: UUID) -> int:
    """Give a page of what is due for a webhook endpoint its turns under the rate limit; returns how many got one."""
    return db.execute(_GIVE_TURNS, {"endpoint_id": endpoint_id, "limit": TURNS_PAGE}).rowcount


def turns_due(db: Connection, *, limit: int) -> list[Wakeup]:
    """The first of the webhooks whose turn under their endpoint's rate limit has come within two seconds."""
    return [Wakeup.of(row) for row in db.execute(_TURNS_DUE, {"limit": limit})]
