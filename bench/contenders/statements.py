"""The statements that the product runs for a request, an accept and a read, for contenders that run them by hand."""

import re
from dataclasses import dataclass
from functools import cache

import psycopg
from sqlalchemy import Uuid, bindparam

from models.events import DELIVERY_ID
from models.prepared import PreparedStatement
from workflows.bookings.actions import ACCEPT as _ACCEPT
from workflows.bookings.insert import DRAFT as _DRAFT
from workflows.bookings.records import booking_query
from workflows.catalog.listings import BOOKABLE as _BOOKABLE
from workflows.webhooks.deliveries import listeners

MENTEE = "SELECT id AS user_id, NULL AS mentor_profile_id FROM users WHERE id = %(id)s"
MENTOR = "SELECT user_id, id AS mentor_profile_id FROM mentor_profiles WHERE id = %(id)s AND active"
# The product's own, as the driver is given them.
BOOKING = PreparedStatement(booking_query(bindparam("id", type_=Uuid))).text  # type: ignore[arg-type]
BOOKABLE = _BOOKABLE.text
DRAFT = _DRAFT.text
RECORD = f"""
WITH event AS (
    INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
    VALUES (%(id)s, %(type)s, 'booking', %(subject_id)s, %(actor)s, %(data)s, %(occurred_at)s)
),
planned AS (
    INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at)
    SELECT planned.event_id, planned.effect, planned.target, {DELIVERY_ID.format(of="planned")}, planned.queue,
           coalesce(planned.due_at, now()), coalesce(planned.due_at, now() + interval '2 seconds')
    FROM unnest(
        %(event_ids)s::uuid[], %(effects)s::text[], %(targets)s::text[], %(queues)s::text[], %(dues)s::timestamptz[]
    ) AS planned(event_id, effect, target, queue, due_at)
),
heard AS (
    SELECT %(id)s::uuid AS event_id, %(type)s::text AS type, %(mentor_profile_id)s::uuid AS mentor_profile_id
)
INSERT INTO deliveries (event_id, effect, target, endpoint_id, queue, id, due_at, nudge_at)
SELECT found.event_id, found.effect, found.target, found.endpoint_id, 'webhooks', {DELIVERY_ID.format(of="found")},
       now(), now() + interval '2 seconds'
FROM (
    SELECT heard.event_id, 'webhooks.send' AS effect, e.id::text AS target, e.id AS endpoint_id
    FROM heard JOIN webhook_endpoints e ON {listeners("e", "heard")}
) AS found
RETURNING target
"""
# With psycopg's parameters instead of SQLAlchemy's.
ACCEPT = re.sub(r"(?<!:):(\w+)", r"%(\1)s", _ACCEPT)

_PLAN = """
SELECT effect, target, queue, extract(epoch FROM due_at - deliveries.created_at)
FROM deliveries WHERE event_id = (SELECT id FROM events WHERE type = %s ORDER BY id LIMIT 1)
"""


@dataclass(frozen=True)
class DeliveryPlan:
    """The deliveries of one type of event: parallel lists, one entry for each delivery."""

    effects: list[str]
    targets: list[str]
    queues: list[str]
    later_seconds: list[float]


@cache
def plan_of(database_url: str, event_type: str) -> DeliveryPlan:
    """The deliveries of the first event of this type that the product has recorded in this database.

    Raises:
        LookupError: it has recorded none.
    """
    with psycopg.connect(database_url, autocommit=True) as db:
        rows = db.execute(_PLAN, [event_type]).fetchall()
    if not rows:
        raise LookupError(f"The product has recorded no {event_type} with a delivery yet.")
    return DeliveryPlan(
        effects=[row[0] for row in rows],
        targets=[row[1] for row in rows],
        queues=[row[2] for row in rows],
        # Deliveries that are due within a second were due at once.
        later_seconds=[float(row[3]) if row[3] > 1 else 0.0 for row in rows],
    )
