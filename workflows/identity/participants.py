"""The mentees of a booking: the one of an individual one, or all of a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Uuid, bindparam, select

from models.bookings import booking_participants
from models.people import users
from workflows.kernel.records import Record


@dataclass(frozen=True, kw_only=True)
class Participant(Record):
    """A mentee of a booking; `present` is None until attendance is recorded."""

    table = booking_participants

    user_id: UUID
    name: str
    present: bool | None


_PARTICIPANTS: Select[Any] = (
    select(booking_participants.c.user_id, users.c.name, booking_participants.c.present)
    .join_from(booking_participants, users, users.c.id == booking_participants.c.user_id)
    .where(booking_participants.c.booking_id == bindparam("booking_id", type_=Uuid))
    .order_by(booking_participants.c.created_at, booking_participants.c.user_id)
)


def participants_of(db: Connection, booking_id: UUID) -> list[Participant]:
    """The mentees of a booking, in the order in which they joined."""
    return [Participant.of(row) for row in db.execute(_PARTICIPANTS, {"booking_id": booking_id})]
