"""The outbound effect `push.send`: notifications for browsers, prepared from what was written for their readers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid

from models.base import Timestamp, sql
from models.events import ErrorClass
from models.notifications import Channel
from workflows.events.delivery import PUSH_RETRY_POLICY, Cancel, Delivery, SendResult
from workflows.events.event import Event
from workflows.events.event_types import BookingUndecided, SessionReminderSet, SessionStarted, WaitlistOffered
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound
from workflows.notifications.outdated import EarlierMessages, requests_of, require_current, require_known_request
from workflows.notifications.preferences import is_stopped, stopped_reason
from workflows.notifications.push_subscriptions import forget_browser
from workflows.notifications.recipients import IS_PARTY, require_recipient
from workflows.notifications.reminders import words_now
from workflows.notifications.texts import Words

PUSH_USEFUL_FOR = timedelta(hours=24)
_PUSHES = sql(f"""
SELECT n.event_id, n.id, n.user_id, n.kind, n.title, n.body, n.session_id, n.booking_id, n.created_at,
       s.id AS subscription_id, s.sealed, s.host, p.wanted, {IS_PARTY} AS party,
       CAST(b.status AS text) AS booking_status, b.start_time, CAST(of_booking.status AS text) AS session_status
FROM unnest(CAST(:event_ids AS uuid[]), CAST(:subscription_ids AS uuid[])) AS asked(event_id, subscription_id)
JOIN push_subscriptions s ON s.id = asked.subscription_id
JOIN notifications n ON n.event_id = asked.event_id AND n.user_id = s.user_id AND n.channel = 'push'
LEFT JOIN bookings b ON b.id = n.booking_id
LEFT JOIN sessions of_booking ON of_booking.booking_id = n.booking_id
LEFT JOIN notification_preferences p ON p.user_id = n.user_id AND p.kind = n.kind AND p.channel = n.channel
""").columns(
    event_id=Uuid(),
    id=Uuid(),
    user_id=Uuid(),
    session_id=Uuid(),
    booking_id=Uuid(),
    created_at=Timestamp,
    start_time=Timestamp,
    subscription_id=Uuid(),
)


@dataclass(frozen=True, kw_only=True)
class PushMessage:
    """A notification for one browser."""

    sealed: str  # the browser's address and keys
    host: str  # of its push service, with the port: one that does not respond must not delay those at another port
    subscription_id: UUID
    notification_id: UUID
    kind: str
    words: Words
    session_id: UUID | None
    booking_id: UUID | None
    written_at: datetime  # since when it waits
    prepared_at: datetime  # by the database's clock
    useful_until: datetime  # from when on it is not to be shown


def prepare_pushes(db: Connection, deliveries: Sequence[Delivery]) -> list[PushMessage | Exception]:
    """The messages for those who use the browsers now, with what all of them need read at once."""
    keys = {
        "event_ids": [delivery.event.id for delivery in deliveries],
        "subscription_ids": [UUID(delivery.target) for delivery in deliveries],
    }
    found = {(row.event_id, row.subscription_id): row for row in db.execute(_PUSHES, keys)}
    requests = requests_of(db, deliveries)
    return prepare_each(deliveries, lambda delivery: _push(db, delivery, found, requests))


def _push(
    db: Connection, delivery: Delivery, found: Mapping[tuple[UUID, UUID], Row[Any]], requests: EarlierMessages
) -> PushMessage:
    subscription_id = UUID(delivery.target)
    row = found.get((delivery.event.id, subscription_id))
    if row is None:
        raise Cancel("The browser is not subscribed any more.", ErrorClass.DELETED)
    if is_stopped(row.kind, Channel.PUSH, wanted=row.wanted):
        raise Cancel(stopped_reason(row.kind, Channel.PUSH))
    require_recipient(delivery.event, is_party=row.party)
    require_current(delivery.event, booking_status=row.booking_status, session_status=row.session_status)
    require_known_request(delivery, requests)
    written = Words(row.title, row.body)
    words = words_now(db, delivery.event, row.user_id, written, start_time=row.start_time, now=delivery.now)
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
        prepared_at=delivery.now,
        useful_until=until,
    )


def settle_push(db: Connection, _delivery: Delivery, message: PushMessage, sent: SendResult) -> None:
    """Forget a browser that its push service reports as gone; any other failure may have other causes."""
    if sent.error_class is ErrorClass.DELETED:
        forget_browser(db, message.subscription_id)


def useful_until(event: Event, *, written_at: datetime) -> datetime:
    """The end of its use: a day after it was written, or when the action that it asks for is no longer possible.

    Args:
        written_at: when the notification was; a reminder's event is much older than its text.
    """
    latest = written_at + PUSH_USEFUL_FOR
    match event:
        case SessionReminderSet():
            return min(latest, event.useful_until)
        case BookingUndecided() | WaitlistOffered():
            return min(latest, event.expires_at)
        case SessionStarted():
            # However late it began.
            return min(latest, event.occurred_at + (event.end_time - event.start_time))
        case _:
            return latest


SEND_PUSH = register_outbound(
    OutboundEffect(
        name="push.send",
        queue="notifications",
        transport="push",
        prepare=prepare_pushes,
        settle=settle_push,
        settles=lambda _delivery, _message: False,
        policy=PUSH_RETRY_POLICY,
        # Users may name an address that fails: only a defect is something for an operator to correct.
        cancel_on_exhaustion=lambda sent: sent.error_class is not ErrorClass.INTERNAL,
    )
)
