"""The people whom a booking concerns, as the words of a notification need them, and by which ways they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, Select, literal, null, select

from models.bookings import booking_participants, bookings
from models.notifications import Channel
from models.people import mentor_profiles, users
from workflows.notifications.choices import browsers_of, choices_of, wanted

MOST_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class Person:
    """A reader; times are shown in `time_zone`, an IANA name.

    Args:
        acts_as: the names of theirs that an event's `actor` may be.
        choices: what they chose to hear of, and by which channel.
        browsers: where they have allowed us to push.
    """

    user_id: UUID
    name: str
    time_zone: str
    acts_as: frozenset[str] = frozenset()
    choices: Mapping[str, bool] = field(default_factory=dict, hash=False)
    browsers: tuple[UUID, ...] = ()

    def hears(self, kind: str) -> list[Channel]:
        """By which channels they are told of a kind."""
        return [
            channel
            for channel in Channel
            if wanted(self.choices, kind, channel) and (self.browsers or channel is not Channel.PUSH)
        ]


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

    def others(self, actor: str) -> tuple[Person, ...]:
        """Everybody but whoever did it, by an event's `actor`."""
        return tuple(person for person in self.everybody if actor not in person.acts_as)


def parties_of(db: Connection, booking_id: UUID) -> Parties:
    """Read both sides, with what they want to hear, in one statement."""
    rows = db.execute(_mentor(booking_id).union_all(_mentees(booking_id))).all()
    people = [(row.is_mentor, _person(row)) for row in rows]
    return Parties(
        title=rows[0].title,
        mentor=next(person for is_mentor, person in people if is_mentor),
        mentees=tuple(person for is_mentor, person in people if not is_mentor),
    )


def person_of(db: Connection, user_id: UUID) -> Person:
    """Read one user, with what they want to hear, in one statement."""
    return _person(db.execute(_told(null(), is_mentor=False).where(users.c.id == user_id)).one())


def names_of(mentees: Sequence[Person]) -> str:
    """The mentees of a booking in a sentence, the first of them by name."""
    names = [mentee.name for mentee in mentees[:MOST_NAMES]]
    if len(mentees) > MOST_NAMES:
        names = [*names[:-1], f"{len(mentees) - MOST_NAMES + 1} others"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "your group"


def _mentor(booking_id: UUID) -> Select[Any]:
    return (
        _told(bookings.c.title, is_mentor=True)
        .join_from(bookings, mentor_profiles, mentor_profiles.c.id == bookings.c.mentor_profile_id)
        .join(users, users.c.id == mentor_profiles.c.user_id)
        .where(bookings.c.id == booking_id)
    )


def _mentees(booking_id: UUID) -> Select[Any]:
    return (
        _told(bookings.c.title, is_mentor=False)
        .join_from(bookings, booking_participants, booking_participants.c.booking_id == bookings.c.id)
        .join(users, users.c.id == booking_participants.c.user_id)
        .where(bookings.c.id == booking_id)
    )


def _told(title: ColumnElement[Any], *, is_mentor: bool) -> Select[Any]:
    return select(
        users.c.id,
        users.c.name,
        users.c.time_zone,
        _profile_of().label("mentor_profile_id"),
        choices_of().label("choices"),
        browsers_of().label("browsers"),
        title.label("title"),
        literal(is_mentor).label("is_mentor"),
    )


def _profile_of() -> ScalarSelect[Any]:
    profiles = mentor_profiles.alias("own")
    return select(profiles.c.id).where(profiles.c.user_id == users.c.id).correlate(users).scalar_subquery()


def _person(row: Row[Any]) -> Person:
    return Person(
        user_id=row.id,
        name=row.name,
        time_zone=row.time_zone,
        acts_as=frozenset({f"user:{row.id}", f"mentor:{row.mentor_profile_id}"}),
        choices=row.choices or {},
        browsers=tuple(row.browsers),
    )
