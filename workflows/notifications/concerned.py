"""Whom a notification that waits to be sent concerns still: what somebody may not see any more they do not hear of."""

from __future__ import annotations

from workflows.events.catalogue import BookingCancelled, BookingDeclined, Event, SeatLeft, SessionCancelled
from workflows.events.delivery import Cancel

NO_PARTY = "Its reader is no party of it any more."
# That it has come to an end for them, whoever was a party has to know, however late that leaves.
ENDS = (BookingCancelled, BookingDeclined, SeatLeft, SessionCancelled)


# Whether the reader of a notification `n` is a party of its booking.
IS_PARTY = """(
    n.booking_id IS NULL
    OR EXISTS (SELECT FROM booking_participants b WHERE b.booking_id = n.booking_id AND b.user_id = n.user_id)
    OR EXISTS (
        SELECT FROM bookings b JOIN mentor_profiles m ON m.id = b.mentor_profile_id
        WHERE b.id = n.booking_id AND m.user_id = n.user_id
    )
)"""


def concerned(event: Event, *, party: bool) -> None:
    """Refuse to tell somebody of what they are no party of.

    Args:
        party: whether they are; see `IS_PARTY`.

    Raises:
        Cancel: they are none, and it is not the end of it.
    """
    if not party and not isinstance(event, ENDS):
        raise Cancel(NO_PARTY)
