"""Messages that were overtaken before they left: what they are about has been withdrawn or cancelled since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from models.bookings import BookingStatus
from models.sessions import SessionStatus
from workflows.events.delivery import Cancel, Delivery, EarlierMessage, Postpone
from workflows.events.event_types import BookingCancelled, BookingRequested, Event, SessionCreated
from workflows.notifications.deliveries import earlier_messages

# How long the message of a cancellation waits before it looks again what became of that of the request.
LOOK_AGAIN_AFTER = timedelta(seconds=5)
# By subject, effect and target.
EarlierMessages = Mapping[tuple[UUID, str, str], EarlierMessage]


def require_current(event: Event, *, booking_status: str | None, session_status: str | None) -> None:
    """Cancel the message of a request that was withdrawn or has expired, or of a session that is cancelled.

    That of a request which was accepted or declined leaves: it is the mentor's record of what they decided about.

    Args:
        booking_status: as it is now, like `session_status`; None where there is none.

    Raises:
        Cancel: it would ask for what cannot be done, or tell of what will not be.
    """
    if isinstance(event, BookingRequested) and booking_status == BookingStatus.CANCELLED:
        raise Cancel("The request was withdrawn before this left, or has expired.")
    if isinstance(event, SessionCreated) and session_status == SessionStatus.CANCELLED:
        raise Cancel("The session was cancelled before this left.")


def requests_of(db: Connection, deliveries: Sequence[Delivery]) -> EarlierMessages:
    """What became of the messages of the requests whose cancellation some of these messages report."""
    ends = [each for each in deliveries if isinstance(each.event, BookingCancelled)]
    return earlier_messages(db, BookingRequested.type, ends) if ends else {}


def require_known_request(delivery: Delivery, requests: EarlierMessages) -> None:
    """Cancel the message of a cancellation whose reader was never sent that of the request.

    Args:
        requests: as `requests_of` returned them for the delivery.

    Raises:
        Cancel: the message of the request has not left, and will not: it is overtaken.
        Postpone: that message may be leaving at this moment.
    """
    request = requests.get((delivery.event.subject_id, delivery.key.effect, delivery.target))
    if request is None:
        return
    if request.is_leaving:
        raise Postpone(delivery.now + LOOK_AGAIN_AFTER, "The message of the request is on its way.")
    if not request.may_have_left:
        raise Cancel("The request was cancelled before its own message left.")
