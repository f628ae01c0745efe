"""The people whom a booking concerns, as the words of a notification need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, literal, select

from models.bookings import booking_participants, bookings
from models.people import mentor_profiles, users


@dataclass(frozen=True, kw_only=True)
class Person:
    """A reader; times are shown in `time_zone`, an IANA name."""

    user_id: UUID
    name: str
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Parties:
    """Both sides of a booking, and what it is called."""

    title: str | None
    mentor: Person
    mentees: tuple[Person, ...]

    @property
    def everybody(self) -> tuple[Person, ...]:
        """The mentor first."""
        return (self.mentor, *self.mentees)


def parties_of(db: Connection, booking_id: UUID) -> Parties:
    """Read both sides in one statement."""
    rows = db.execute(_mentor(booking_id).union_all(_mentees(booking_id))).all()
    people = [(row.is_mentor, Person(user_id=row.id, name=row.name, time_zone=row.time_zone)) for row in rows]
    return Parties(
        title=rows[0].title,
        mentor=next(person for is_mentor, person in people if is_mentor),
        mentees=tuple(person for is_mentor, person in people if not is_mentor),
    )


def _mentor(booking_id: UUID) -> Select[Any]:
    return (
        select(users.c.id, users.c.name, users.c.time_zone, bookings.c.title, literal(True).label("is_mentor"))
        .join_from(bookings, mentor_profiles, mentor_profiles.c.id == bookings.c.mentor_profile_id)
        .join(users, users.c.id == mentor_profiles.c.user_id)
        .where(bookings.c.id == booking_id)
    )


def _mentees(booking_id: UUID) -> Select[Any]:
    return (
        select(users.c.id, users.c.name, users.c.time_zone, bookings.c.title, literal(False).label("is_mentor"))
        .join_from(bookings, booking_participants, booking_participants.c.booking_id == bookings.c.id)
        .join(users, users.c.id == booking_participants.c.user_id)
        .where(bookings.c.id == booking_id)
    )
