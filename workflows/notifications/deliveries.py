"""Statements on the deliveries of mails and pushes: gathering, what may have left, and erasure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid

from models.base import sql
from models.prepared import PreparedStatement
from workflows.events.delivery import Delivery
from workflows.events.retention import Retention
from workflows.events.rows import EVENT, PENDING, ROW, SAME_KEY, TYPES, deliveries_of, text_array

# Of the mails that are sent as one; further ones are sent by further mails.
MAX_GATHERED = 200
# By which operators find the mail that a gathered one was a part of.
SENT_TOGETHER = "It was sent in the mail of the delivery {id}."
# How many other mails of the kind of `n`, one of `asked`, its reader was sent within an hour or has under way, counted
# up to a bound. The leases of all of `asked` are committed: of two workers, one at least sees the mails of the other.
# Notifications written before `:since` are not counted.
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
    sql(f"""
WITH held AS MATERIALIZED (
    SELECT event_id, CAST(user_id AS text) AS target FROM notifications
    WHERE user_id = :user_id AND kind = :kind AND gathered_until = :until
)
SELECT mail.* FROM held CROSS JOIN LATERAL (
    SELECT {ROW}, {EVENT}
    FROM deliveries d JOIN events e ON e.id = d.event_id
    WHERE d.event_id = held.event_id AND d.effect = 'mail.send' AND d.target = held.target AND {PENDING}
    OFFSET 0
) AS mail
ORDER BY mail.event_id
LIMIT :limit
""").columns(**TYPES)
)
# A worker that has leased one of them only puts it off, and changes nothing then.
_DONE_TOGETHER = sql(f"""
UPDATE deliveries d SET state = 'done', done_at = now(), lease_until = NULL, last_error = :reason
WHERE d.id = ANY(CAST(:ids AS uuid[])) AND {PENDING}
""")
# Waits for those that run these, and keeps others from running them until the transaction's end.
_SHARE_EFFECT = sql("""
SELECT FROM events e JOIN deliveries d ON d.event_id = e.id AND d.effect = :effect
WHERE e.subject_id = ANY(CAST(:subject_ids AS uuid[])) AND e.type = :event_type
ORDER BY d.event_id
FOR SHARE OF d
""")
# The messages of an earlier event of the same subjects, by the same effect to the same targets. A message that was
# refused with a status or cancelled has not left; after any other attempt, it may have. A mail without a
# notification was switched off by its reader, which does not keep the later message back.
_EARLIER = sql(f"""
SELECT e.subject_id, d.effect, d.target,
       CAST(d.state AS text) = 'done' OR d.attempts > (
           SELECT count(*) FROM delivery_attempts a
           WHERE {SAME_KEY.format("a")} AND a.outcome <> 'done'
             AND (a.outcome = 'cancelled' OR a.status_code IS NOT NULL)
       ) AS may_have_left,
       coalesce(d.lease_until > now(), false) OR ({PENDING} AND EXISTS (
           SELECT FROM notifications n
           WHERE n.event_id = d.event_id AND CAST(n.user_id AS text) = d.target AND n.gathered_until <= now()
       )) AS is_leaving
FROM unnest(CAST(:subject_ids AS uuid[]), CAST(:effects AS text[]), CAST(:targets AS text[]))
     AS asked(subject_id, effect, target)
JOIN events e ON e.subject_id = asked.subject_id AND e.type = :event_type
JOIN deliveries d ON d.event_id = e.id AND d.effect = asked.effect AND d.target = asked.target
WHERE d.effect <> 'mail.send' OR EXISTS (
    SELECT FROM notifications n
    WHERE n.event_id = d.event_id AND CAST(n.user_id AS text) = d.target AND n.channel = 'email'
)
""").columns(subject_id=Uuid())


# Messages to a person whose account is erased are cancelled, and the servers' answers are deleted, since they repeat
# addresses. Rows that a worker holds are passed over.
_FORGET_MESSAGES = """
WITH sent AS (
    SELECT d.event_id, d.effect, d.target FROM deliveries d
    WHERE {where} AND (d.state IN ('pending', 'dead') OR d.last_error <> :reason OR d.response IS NOT NULL)
    FOR UPDATE OF d SKIP LOCKED
), attempts AS (
    UPDATE delivery_attempts a SET error = NULL, response = NULL FROM sent
    WHERE (a.event_id, a.effect, a.target) = (sent.event_id, sent.effect, sent.target)
)
UPDATE deliveries d SET last_error = CASE WHEN d.state IN ('pending', 'dead') THEN :reason END,
    state = CASE WHEN d.state IN ('pending', 'dead') THEN 'cancelled' ELSE d.state END, lease_until = NULL,
    response = NULL
FROM sent WHERE (d.event_id, d.effect, d.target) = (sent.event_id, sent.effect, sent.target)
"""
FORGET_MAILS_ABOUT_USER = sql(
    _FORGET_MESSAGES.format(
        where="d.event_id IN (SELECT e.id FROM events e WHERE e.subject_id = :user_id) AND d.effect = 'mail.send'"
    )
)
# Of notifications: a push whose browser is another person's was not for this one.
FORGET_MESSAGES_TO_USER = sql(
    _FORGET_MESSAGES.format(
        where="""
d.event_id IN (SELECT n.event_id FROM notifications n WHERE n.id = ANY(:ids) AND n.channel <> 'in_app')
AND (
    (d.effect = 'mail.send' AND d.target = CAST(:user_id AS text))
    OR (d.effect = 'push.send' AND NOT EXISTS (
        SELECT FROM push_subscriptions s
        WHERE s.id = CASE WHEN d.effect = 'push.send' THEN CAST(d.target AS uuid) END
          AND s.user_id <> :user_id
    ))
)
"""
    )
)

# While a message is there, it may be composed of its notification, and an erasure finds it by that.
delete_notifications = Retention(
    "notifications",
    "id",
    """
WITH old AS MATERIALIZED (
    SELECT n.id FROM notifications n
    WHERE n.id > :after_id AND n.id <= :up_to_id AND n.created_at < :horizon_time
      AND NOT EXISTS (
          SELECT FROM deliveries d WHERE d.event_id = n.event_id AND d.effect IN ('mail.send', 'push.send')
      )
    FOR UPDATE SKIP LOCKED
)
DELETE FROM notifications n USING old WHERE n.id = old.id
""",
)


def gathered(db: Connection, *, user_id: UUID, kind: str, until: datetime) -> list[Delivery]:
    """The pending mails of a kind to a person that were held until then, the first of them, without leasing them."""
    values = {"user_id": user_id, "kind": kind, "until": until, "limit": MAX_GATHERED}
    return deliveries_of(_GATHERED.all(db, values))


def mark_gathered_done(db: Connection, delivery_ids: Iterable[UUID], *, sent_by: UUID) -> None:
    """Mark those done that were sent as a part of another one, and name it."""
    values = {"ids": text_array(delivery_ids), "reason": SENT_TOGETHER.format(id=sent_by)}
    db.execute(_DONE_TOGETHER, values)


def share_effect(db: Connection, effect: str, event_type: str, subject_ids: Iterable[UUID]) -> None:
    """Wait until no transaction runs an effect of these subjects' events, and have none run it before this one ends."""
    db.execute(_SHARE_EFFECT, {"effect": effect, "event_type": event_type, "subject_ids": text_array(subject_ids)})


def earlier_messages(
    db: Connection, event_type: str, deliveries: Iterable[Delivery]
) -> dict[tuple[UUID, str, str], Row[Any]]:
    """The messages of an earlier event of the same subjects, by subject, effect and target.

    Returns:
        Rows with `may_have_left`, whether it was sent or may have been by an attempt without an answer, and
        `is_leaving`, whether it may be sent at this moment.
    """
    asked = list(deliveries)
    values = {
        "event_type": event_type,
        "subject_ids": text_array(each.event.subject_id for each in asked),
        "effects": text_array(each.key.effect for each in asked),
        "targets": text_array(each.target for each in asked),
    }
    return {(row.subject_id, row.effect, row.target): row for row in db.execute(_EARLIER, values)}
