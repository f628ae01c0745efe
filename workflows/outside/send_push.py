"""Push the notification of one event to one browser of one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_DNS, UUID, uuid5

from sqlalchemy import Connection, select

from models.events import ErrorClass
from models.notifications import Channel, notification_preferences, notifications, push_subscriptions
from workflows.events.delivery import Delivery
from workflows.events.outcomes import Cancel, Sent
from workflows.events.policy import PUSH
from workflows.events.subscriptions import OutsideEffect, send_outside
from workflows.notifications.browsers import forget_browser
from workflows.notifications.choices import is_chosen
from workflows.notifications.compose import Words
from workflows.notifications.unsubscribe import is_stopped
from workflows.reminders.still import words_now

OUR_KEY_REFUSED = (401, 403)


@dataclass(frozen=True, kw_only=True)
class PushMessage:
    """A notification for one browser; `sealed` is where and by which keys, and whoever unseals it can write there."""

    sealed: str
    host: str
    subscription_id: UUID
    notification_id: UUID
    kind: str
    words: Words
    session_id: UUID | None
    booking_id: UUID | None
    occurred_at: datetime

    @property
    def endpoint_id(self) -> UUID:
        """By which senders are shared: one for each push service, whosever browser it is."""
        return uuid5(NAMESPACE_DNS, self.host)


def prepare(db: Connection, delivery: Delivery) -> PushMessage:
    """Read the words that were written for whoever the browser belongs to now.

    Raises:
        Cancel: it belongs to nobody, or to somebody whom this does not concern or who does not want it any more; or
            the words have lost their point.
    """
    subscription_id = UUID(delivery.target)
    row = db.execute(
        select(push_subscriptions.c.sealed, push_subscriptions.c.host, notifications, notification_preferences.c.wanted)
        .join_from(push_subscriptions, notifications, notifications.c.user_id == push_subscriptions.c.user_id)
        .outerjoin(notification_preferences, is_chosen())
        .where(
            push_subscriptions.c.id == subscription_id,
            notifications.c.event_id == delivery.event.id,
            notifications.c.channel == Channel.PUSH,
        )
    ).one_or_none()
    if row is None:
        raise Cancel("The browser is not subscribed any more.", ErrorClass.DELETED)
    if is_stopped(row.kind, Channel.PUSH, wanted=row.wanted):
        raise Cancel("Its reader wants nothing of this kind pushed any more.")
    return PushMessage(
        sealed=row.sealed,
        host=row.host,
        subscription_id=subscription_id,
        notification_id=row.id,
        kind=row.kind,
        words=words_now(db, delivery.event, row.user_id, Words(row.title, row.body), now=delivery.now),
        session_id=row.session_id,
        booking_id=row.booking_id,
        occurred_at=delivery.event.occurred_at,
    )


def settle(db: Connection, delivery: Delivery, message: PushMessage, sent: Sent) -> None:
    """A browser that has unsubscribed is forgotten, and so is one that could not be reached until this was given up."""
    exhausted = delivery.counted_attempt >= PUSH.attempts or sent.permanent
    if sent.error_class is ErrorClass.DELETED or (_may_be_the_browsers(sent) and exhausted):
        forget_browser(db, message.subscription_id)


def is_nobodys_fault(sent: Sent) -> bool:
    """Whether a push that is given up is nothing for an operator to mend: anybody may name an address that fails."""
    return sent.error_class is not ErrorClass.INTERNAL


def _may_be_the_browsers(sent: Sent) -> bool:
    # Where our key is refused, it is refused for every browser there: none of them is the worse for it.
    return sent.error is not None and is_nobodys_fault(sent) and sent.status_code not in OUR_KEY_REFUSED


SEND_PUSH = send_outside(
    OutsideEffect(
        name="push.send",
        queue="notifications",
        transport="push",
        prepare=prepare,
        settle=settle,
        settles=lambda _delivery, _message: False,
        policy=PUSH,
        lapses=is_nobodys_fault,
    )
)
