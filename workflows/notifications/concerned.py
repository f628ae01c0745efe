"""Whom a notification that waits to be sent concerns still: what somebody may not see any more they do not hear of."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, or_

from models.bookings import booking_participants, bookings
from models.notifications import notifications
from models.people import mentor_profiles
from workflows.events.catalogue import BookingCancelled, BookingDeclined, SeatLeft, SessionCancelled
from workflows.events.event import Event
from workflows.events.outcomes import Cancel

NO_PARTY = "Its reader is no party of it any more."
# That it has come to an end for them, whoever was a party has to know, however late that leaves.
ENDS = (BookingCancelled, BookingDeclined, SeatLeft, SessionCancelled)


def is_party() -> ColumnElement[bool]:
    """Whether a notification's reader is a party of its booking, within a select from notifications."""
    about, reader = notifications.c.booking_id, notifications.c.user_id
    takes_part = exists().where(booking_participants.c.booking_id == about, booking_participants.c.user_id == reader)
    holds_it = exists().where(
        bookings.c.id == about,
        mentor_profiles.c.id == bookings.c.mentor_profile_id,
        mentor_profiles.c.user_id == reader,
    )
    return or_(about.is_(None), takes_part, holds_it)


def concerned(event: Event, *, party: bool) -> None:
    """Refuse to tell somebody of what they are no party of.

    Args:
        party: whether they are; see `is_party`.

    Raises:
        Cancel: they are none, and it is not the end of it.
    """
    if not party and not isinstance(event, ENDS):
        raise Cancel(NO_PARTY)
