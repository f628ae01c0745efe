"""Mails of one kind to one person that are held, and sent as one, once there were many of them within an hour.

A mail that is held keeps in its notification until when; its delivery stays pending, as a timer. When that time has
come, the first mail of those that were held until then is sent with all others in it, and settles them with itself.
A mail that was overtaken meanwhile is left out, and cancelled by its own delivery.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Uuid

from models.base import Timestamp, sql
from workflows.events.delivery import Delivery, DeliveryKey, Postpone
from workflows.notifications.kinds import KINDS

# From the first mail that is held on; less where what it is about is near.
HELD_FOR = timedelta(minutes=15)
HELD_FOR_IF_NEAR = timedelta(minutes=2)
NEAR = timedelta(hours=1)
# By then the mail with all others in it has left; if not, the next one takes its place.
OTHERS_DUE_AFTER = timedelta(minutes=2)
HELD_REASON = "The mail is held: its reader got many mails of this kind within an hour, and gets the next ones as one."
# Mails that were written earlier are not counted. They may be sent that late, after the mail server was away.
COUNTED_SINCE = timedelta(days=3)

# To the minute, so that workers that hold at the same moment hold until the same. Mails that are held already may have
# an earlier time, which has room for the commit of this. The notifications are found by their events.
HOLD = sql("""
WITH wanted AS (
    SELECT n.id, date_trunc('minute', now() + given.length) AS until, (
        SELECT min(o.gathered_until) FROM notifications o
        WHERE o.user_id = n.user_id AND o.kind = n.kind AND o.gathered_until > now() + interval '5 seconds'
          AND o.gathered_until <= now() + given.length
    ) AS present
    FROM unnest(CAST(:event_ids AS uuid[]), CAST(:user_ids AS uuid[]), CAST(:lengths AS interval[]))
         AS given(event_id, user_id, length)
    JOIN notifications n ON n.event_id = given.event_id AND n.user_id = given.user_id
     AND CAST(n.channel AS text) = 'email'
)
UPDATE notifications n SET gathered_until = coalesce(wanted.present, wanted.until)
FROM wanted WHERE n.id = wanted.id
RETURNING n.event_id, n.user_id, n.kind, n.gathered_until, wanted.present IS NOT NULL AS joined
""").columns(event_id=Uuid(), user_id=Uuid(), gathered_until=Timestamp)


@dataclass(frozen=True, kw_only=True)
class MailToSend:
    """A mail that could be sent now."""

    delivery: Delivery
    user_id: UUID
    kind: str
    mailed: int  # how many others of its kind its reader got within the hour, counted up to the limit


def hold_excess(db: Connection, mails: Iterable[MailToSend], *, gather_after: int) -> dict[DeliveryKey, Postpone]:
    """Hold the mails beyond the limit, the latest events' first; returns until when each of these is put off.

    Mails of an urgent kind are not held, nor those that an attempt was made to send.
    """
    if not gather_after:
        return {}
    sent: dict[tuple[UUID, str], int] = {}
    excess: list[MailToSend] = []
    for mail in sorted(mails, key=lambda each: each.delivery.event.id):
        of_reader = (mail.user_id, mail.kind)
        count = sent.setdefault(of_reader, mail.mailed)
        if count < gather_after or mail.delivery.attempt > 1 or KINDS[mail.kind].urgent:
            sent[of_reader] = count + 1
        else:
            excess.append(mail)
    return _hold(db, excess) if excess else {}


def _hold(db: Connection, mails: Sequence[MailToSend]) -> dict[DeliveryKey, Postpone]:
    by_key = {(mail.delivery.event.id, mail.user_id): mail.delivery for mail in mails}
    values = {
        "event_ids": [mail.delivery.event.id for mail in mails],
        "user_ids": [mail.user_id for mail in mails],
        "lengths": [_length(mail.delivery) for mail in mails],
    }
    held: dict[DeliveryKey, Postpone] = {}
    begun = defaultdict[tuple[UUID, str, datetime], bool](bool)
    for row in sorted(db.execute(HOLD, values), key=lambda each: each.event_id):
        delivery = by_key[row.event_id, row.user_id]
        together = (row.user_id, row.kind, row.gathered_until)
        # One of them is due when all are to be sent; the others only in case that one is not.
        first = not (row.joined or begun[together])
        begun[together] = True
        due_at = row.gathered_until if first else row.gathered_until + OTHERS_DUE_AFTER
        held[delivery.key] = Postpone(due_at, HELD_REASON, shown=True)
    return held


def _length(delivery: Delivery) -> timedelta:
    start: datetime | None = getattr(delivery.event, "start_time", None)
    return HELD_FOR if start is None or start > delivery.now + NEAR else HELD_FOR_IF_NEAR


def wait_for(first: Delivery | None, *, now: datetime) -> Postpone:
    """How long a mail is put off that another delivery sends.

    Args:
        first: that delivery, which may be waiting for its next attempt; None where it has just been done.
    """
    due_at = now if first is None else max(now, first.now - first.late)
    return Postpone(due_at + OTHERS_DUE_AFTER, HELD_REASON, shown=True)
