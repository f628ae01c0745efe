"""Messages that were overtaken before they left: their request or session was withdrawn, cancelled or moved since."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from models.bookings import BookingStatus
from models.sessions import SessionStatus
from workflows.events.delivery import Cancel, Delivery, Postpone
from workflows.events.event import Event
from workflows.events.event_types import BookingCancelled, BookingRequested, SeatJoined, SessionCreated, WaitlistOffered
from workflows.notifications.deliveries import earlier_messages

# How long the message of a cancellation waits before it looks at the message of the request again.
LOOK_AGAIN_AFTER = timedelta(seconds=5)
# By subject, effect and target; see `earlier_messages`.
EarlierMessages = Mapping[tuple[UUID, str, str], Row[Any]]


def require_current(event: Event, *, booking_status: str | None, session_status: str | None) -> None:
    """Cancel the message of a request that was withdrawn or has expired, or of a session that is cancelled.

    The message of a request that was accepted or declined is sent: it is the mentor's record of the request.

    Args:
        booking_status: as it is now, like `session_status`; None where there is none.

    Raises:
        Cancel: the message is out of date.
    """
    if isinstance(event, BookingRequested) and booking_status == BookingStatus.CANCELLED:
        raise Cancel("The request was withdrawn before this left, or has expired.")
    if isinstance(event, SessionCreated) and session_status == SessionStatus.CANCELLED:
        raise Cancel("The session was cancelled before this left.")


def at_present_time(event: Event, start_time: datetime) -> Event:
    """The event by which people are told of a session to come, at the time that the session has now."""
    if not isinstance(event, SessionCreated | SeatJoined | WaitlistOffered) or event.start_time == start_time:
        return event
    return replace(event, start_time=start_time, end_time=start_time + (event.end_time - event.start_time))


def requests_of(db: Connection, deliveries: Sequence[Delivery]) -> EarlierMessages:
    """The messages of the requests whose cancellation some of these messages report."""
    ends = [each for each in deliveries if isinstance(each.event, BookingCancelled)]
    return earlier_messages(db, BookingRequested.type, ends) if ends else {}


def require_known_request(delivery: Delivery, requests: EarlierMessages) -> None:
    """Cancel the message of a cancellation whose reader was never sent the message of the request.

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
