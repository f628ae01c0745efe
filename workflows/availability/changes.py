"""How a mentor changes when they can be booked: under the mentor's lock, with a new version of the calendar."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from workflows.events.event_types import AvailabilityChanged
from workflows.events.record import record
from workflows.identity.actor import Actor

_LOCK = text("SELECT time_zone FROM mentor_profiles WHERE id = CAST(:id AS uuid) FOR NO KEY UPDATE")
_SHARE = text("SELECT id FROM mentor_profiles WHERE id = CAST(:id AS uuid) FOR SHARE")
_RAISE = text(
    "UPDATE mentor_profiles SET calendar_version = calendar_version + 1 WHERE id = CAST(:id AS uuid)"
    " RETURNING calendar_version"
)


def lock_calendar(db: Connection, mentor_profile_id: UUID) -> str:
    """Let bookings and other changes of a mentor's calendar wait for the end of the transaction.

    Returns:
        the time zone of the mentor's profile.
    """
    time_zone: str = db.execute(_LOCK, {"id": mentor_profile_id}).scalar_one()
    return time_zone


def share_calendar(db: Connection, mentor_profile_id: UUID) -> None:
    """Let changes of a mentor's calendar wait for the end of the transaction, and other drafts go on."""
    db.execute(_SHARE, {"id": mentor_profile_id})


def raise_version(db: Connection, mentor_profile_id: UUID, *, changed: str, actor: Actor, now: datetime) -> int:
    """Have bookings that read the calendar before read it again, and record `availability.changed`.

    Args:
        changed: `hours`, `dates`, `time_off`, `rules` or `calendars`.

    Returns:
        the calendar's new version.
    """
    version: int = db.execute(_RAISE, {"id": mentor_profile_id}).scalar_one()
    event = AvailabilityChanged(
        actor=actor.name,
        occurred_at=now,
        mentor_profile_id=mentor_profile_id,
        changed=changed,
        version=version,
    )
    record(db, event)
    return version
