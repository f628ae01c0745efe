"""Moments of seeded rows: a row is as old as the event that it records, whenever it was seeded."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, TextClause, text
from uuid_utils import uuid7

# Older than the request of any seeded booking.
ACCOUNT_AGE = timedelta(days=75)

_KEEP_VERSIONS = text("SELECT set_config('tutelage.keep_versions', :kept, true)")
_ACCOUNT = [
    text("UPDATE users SET created_at = :at WHERE id = :user_id"),
    text("UPDATE mentor_profiles SET created_at = :at WHERE user_id = :user_id"),
    text(
        "UPDATE listings AS l SET created_at = :at FROM mentor_profiles AS m"
        " WHERE m.id = l.mentor_profile_id AND m.user_id = :user_id"
    ),
]
_BOOKING = [
    text("UPDATE bookings SET created_at = :requested_at WHERE id = :booking_id"),
    text("UPDATE booking_participants SET created_at = :requested_at WHERE booking_id = :booking_id"),
    text("UPDATE payments SET created_at = :decided_at WHERE booking_id = :booking_id"),
    text(
        "UPDATE sessions SET created_at = coalesce((SELECT paid_at FROM payments WHERE booking_id = :booking_id),"
        " :decided_at) WHERE booking_id = :booking_id"
    ),
    text(
        "UPDATE review_permits AS p SET created_at = p.unlocked_at FROM sessions AS s"
        " WHERE s.id = p.session_id AND s.booking_id = :booking_id"
    ),
]
_NOTIFICATIONS = text(
    "SELECT n.id, e.occurred_at FROM notifications AS n JOIN events AS e ON e.id = n.event_id WHERE e.subject_id IN"
    " (SELECT :booking_id UNION ALL SELECT id FROM sessions WHERE booking_id = :booking_id"
    " UNION ALL SELECT id FROM payments WHERE booking_id = :booking_id) ORDER BY n.id"
)
_NOTIFICATION = text("UPDATE notifications SET id = :new_id, created_at = :at WHERE id = :id")


def date_account(db: Connection, user_id: UUID, *, now: datetime) -> None:
    """Let an account, with its profile and listings, be older than the bookings of it. `now`: the present, UTC."""
    _update(db, _ACCOUNT, user_id=user_id, at=now - ACCOUNT_AGE)


def date_booking(db: Connection, booking_id: UUID, *, requested_at: datetime, decided_at: datetime) -> None:
    """Let a booking, its payment, its session and their notifications be created when they would have been, UTC."""
    _update(db, _BOOKING, booking_id=booking_id, requested_at=requested_at, decided_at=decided_at)
    dated = [
        # An inbox is ordered by the ids, which begin with the moment.
        {"id": row.id, "new_id": _uuid7_of(row.occurred_at), "at": row.occurred_at}
        for row in db.execute(_NOTIFICATIONS, {"booking_id": booking_id})
    ]
    if dated:
        db.execute(_NOTIFICATION, dated)


def _update(db: Connection, statements: list[TextClause], **values: object) -> None:
    db.execute(_KEEP_VERSIONS, {"kept": "on"})
    for statement in statements:
        db.execute(statement, values)
    db.execute(_KEEP_VERSIONS, {"kept": "off"})


def _uuid7_of(moment: datetime) -> UUID:
    """A UUIDv7 begins with 48 bits of milliseconds (RFC 9562, 5.7); the rest is a new one's."""
    rest_bits = 80
    return UUID(int=(round(moment.timestamp() * 1000) << rest_bits) | (uuid7().int & ((1 << rest_bits) - 1)))
