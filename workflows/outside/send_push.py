"""Push the notification of one event to one browser of one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

from sqlalchemy import Connection, Row, Uuid, text

from models.base import Timestamp
from models.events import ErrorClass
from models.notifications import Channel
from workflows.events.delivery import PUSH_RETRY_POLICY, Cancel, Delivery, SendResult
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound
from workflows.notifications.preferences import is_stopped
from workflows.notifications.push_subscriptions import forget_browser
from workflows.notifications.recipients import IS_PARTY, require_recipient
from workflows.notifications.texts import Words
from workflows.notifications.useful import useful_until
from workflows.reminders import words_now

_WRITTEN = text(
    f"""
SELECT n.event_id, n.id, n.user_id, n.kind, n.title, n.body, n.session_id, n.booking_id, n.created_at,
       s.id AS subscription_id, s.sealed, s.host, p.wanted, {IS_PARTY} AS party
FROM unnest(CAST(:event_ids AS uuid[]), CAST(:subscription_ids AS uuid[])) AS asked(event_id, subscription_id)
JOIN push_subscriptions s ON s.id = asked.subscription_id
JOIN notifications n ON n.event_id = asked.event_id AND n.user_id = s.user_id AND n.channel = 'push'
LEFT JOIN notification_preferences p ON p.user_id = n.user_id AND p.kind = n.kind AND p.channel = n.channel
"""
).columns(
    event_id=Uuid(),
    id=Uuid(),
    user_id=Uuid(),
    session_id=Uuid(),
    booking_id=Uuid(),
    created_at=Timestamp,
    subscription_id=Uuid(),
)


@dataclass(frozen=True, kw_only=True)
class PushMessage:
    """A notification for one browser; `sealed` is where and by which keys, and whoever unseals it can write there.

    `host` is with its port: whoever names one where nobody answers must not hold up the push service at the other.
    `written_at` is since when it waits to be pushed, and `useful_until` when it is not to be shown any more.
    """

    sealed: str
    host: str
    subscription_id: UUID
    notification_id: UUID
    kind: str
    words: Words
    session_id: UUID | None
    booking_id: UUID | None
    written_at: datetime
    useful_until: datetime

    @property
    def endpoint_id(self) -> UUID:
        """By which senders are shared: one for each push service, whosever browser it is."""
        return uuid5(NAMESPACE_DNS, self.host)


def prepare(db: Connection, deliveries: Sequence[Delivery]) -> list[PushMessage | Exception]:
    """The words that were written for those whose browsers they are now, read for all at once. See `_push`."""
    asked = {
        "event_ids": [delivery.event.id for delivery in deliveries],
        "subscription_ids": [UUID(delivery.target) for delivery in deliveries],
    }
    found = {(row.event_id, row.subscription_id): row for row in db.execute(_WRITTEN, asked)}
    return prepare_each(deliveries, lambda delivery: _push(db, delivery, found))


def _push(db: Connection, delivery: Delivery, found: Mapping[tuple[UUID, UUID], Row[Any]]) -> PushMessage:
    """The push of one event to one browser.

    Raises:
        Cancel: it belongs to nobody, or to somebody whom this does not concern or who does not want it any more; or
            the words have lost their point, or are of no use by now.
    """
    subscription_id = UUID(delivery.target)
    row = found.get((delivery.event.id, subscription_id))
    if row is None:
        raise Cancel("The browser is not subscribed any more.", ErrorClass.DELETED)
    if is_stopped(row.kind, Channel.PUSH, wanted=row.wanted):
        raise Cancel("Its reader wants nothing of this kind pushed any more.")
    require_recipient(delivery.event, is_party=row.party)
    words = words_now(db, delivery.event, row.user_id, Words(row.title, row.body), now=delivery.now)
    until = useful_until(delivery.event, written_at=row.created_at)
    if delivery.now >= until:
        raise Cancel("It could not be pushed while it was of use.")
    return PushMessage(
        sealed=row.sealed,
        host=row.host,
        subscription_id=subscription_id,
        notification_id=row.id,
        kind=row.kind,
        words=words,
        session_id=row.session_id,
        booking_id=row.booking_id,
        written_at=row.created_at,
        useful_until=until,
    )


def settle(db: Connection, delivery: Delivery, message: PushMessage, sent: SendResult) -> None:
    """A browser that is gone is forgotten when its push service says so, and for nothing else.

    Nobody knows of all other trouble whose it is: the message's, our key's, the service's, or our own network's.
    """
    if sent.error_class is ErrorClass.DELETED:
        forget_browser(db, message.subscription_id)


def is_nobodys_fault(sent: SendResult) -> bool:
    """Whether a push that is given up is nothing for an operator to mend: anybody may name an address that fails."""
    return sent.error_class is not ErrorClass.INTERNAL


SEND_PUSH = register_outbound(
    OutboundEffect(
        name="push.send",
        queue="notifications",
        transport="push",
        prepare=prepare,
        settle=settle,
        settles=lambda _delivery, _message: False,
        policy=PUSH_RETRY_POLICY,
        cancel_on_exhaustion=is_nobodys_fault,
    )
)
