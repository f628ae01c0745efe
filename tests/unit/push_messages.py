"""Notifications for browsers at push services of one's choice."""

from datetime import UTC, datetime
from uuid import uuid4

from workflows.notifications.pushes import PUSH_USEFUL_FOR, PushMessage
from workflows.notifications.texts import Words


def to_host(host: str) -> PushMessage:
    """A notification for a browser there."""
    return PushMessage(
        sealed="",
        host=host,
        subscription_id=uuid4(),
        notification_id=uuid4(),
        kind="session_created",
        words=Words("A title", "A body"),
        session_id=None,
        booking_id=None,
        written_at=datetime.now(UTC),
        prepared_at=datetime.now(UTC),
        useful_until=datetime.now(UTC) + PUSH_USEFUL_FOR,
    )
