"""The people whom a booking concerns, as the words of a notification need them, and by which ways they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Row, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from models.bookings import BookingStatus
from models.notifications import Channel
from models.sessions import SessionStatus
from workflows.notifications.choices import wanted

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
    """Both sides of a booking, what it is called, and how it and its session stand at the moment.

    Args:
        decline_reason: the mentor's private word to the mentee.
        session_status: None while there is no session.
        cancellation: of the session, as it is stored with it.
    """

    title: str | None
    mentor: Person
    mentees: tuple[Person, ...]
    booking_status: BookingStatus
    decline_reason: str | None
    session_status: SessionStatus | None
    cancellation: Mapping[str, Any]

    @property
    def everybody(self) -> tuple[Person, ...]:
        """The mentor first."""
        return (self.mentor, *self.mentees)

    def others(self, actor: str) -> tuple[Person, ...]:
        """Everybody but whoever did it, by an event's `actor`."""
        return tuple(person for person in self.everybody if actor not in person.acts_as)


_PERSON = """
u.id AS user_id, u.name, u.time_zone, own.id AS mentor_profile_id,
(SELECT jsonb_object_agg(chosen.kind || ' ' || CAST(chosen.channel AS text), chosen.wanted)
 FROM notification_preferences chosen WHERE chosen.user_id = u.id) AS choices,
ARRAY(SELECT browser.id FROM push_subscriptions browser WHERE browser.user_id = u.id ORDER BY browser.id) AS browsers
"""
_TYPES: dict[str, Any] = {"user_id": Uuid(), "mentor_profile_id": Uuid(), "choices": JSONB(), "browsers": ARRAY(Uuid())}
_PARTIES = text(
    f"""
SELECT b.id AS booking_id, b.title, b.status AS booking_status, b.decline_reason,
       s.status AS session_status, s.cancellation, party.is_mentor, {_PERSON}
FROM unnest(CAST(:booking_ids AS uuid[])) AS asked(id)
JOIN bookings b ON b.id = asked.id
LEFT JOIN sessions s ON s.booking_id = b.id
CROSS JOIN LATERAL (
    SELECT m.user_id, true AS is_mentor FROM mentor_profiles m WHERE m.id = b.mentor_profile_id
    UNION ALL
    SELECT p.user_id, false FROM booking_participants p WHERE p.booking_id = b.id
) AS party
JOIN users u ON u.id = party.user_id
LEFT JOIN mentor_profiles own ON own.user_id = u.id
"""
).columns(booking_id=Uuid(), cancellation=JSONB(), **_TYPES)
_USER = text(
    f"SELECT {_PERSON} FROM users u LEFT JOIN mentor_profiles own ON own.user_id = u.id WHERE u.id = :user_id"
).columns(**_TYPES)


def parties_by_booking(db: Connection, booking_ids: Iterable[UUID]) -> dict[UUID, Parties]:
    """Both sides of each of these bookings, with what they want to hear, in one statement."""
    rows: dict[UUID, list[Row[Any]]] = {}
    for row in db.execute(_PARTIES, {"booking_ids": list(set(booking_ids))}):
        rows.setdefault(row.booking_id, []).append(row)
    return {booking_id: _parties(of_booking) for booking_id, of_booking in rows.items()}


def parties_of(db: Connection, booking_id: UUID) -> Parties:
    """Both sides of a booking, with what they want to hear, in one statement."""
    return parties_by_booking(db, [booking_id])[booking_id]


def person_of(db: Connection, user_id: UUID) -> Person:
    """Read one user, with what they want to hear, in one statement."""
    return _person(db.execute(_USER, {"user_id": user_id}).one())


def names_of(mentees: Sequence[Person]) -> str:
    """The mentees of a booking in a sentence, the first of them by name."""
    names = [mentee.name for mentee in mentees[:MOST_NAMES]]
    if len(mentees) > MOST_NAMES:
        names = [*names[:-1], f"{len(mentees) - MOST_NAMES + 1} others"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "your group"


def about(parties: Parties, reader: Person) -> dict[str, Any]:
    """What every template is told that is about both sides of a booking."""
    mentees = names_of(parties.mentees)
    is_mentor = reader == parties.mentor
    return {
        "reader": reader,
        "reader_is_mentor": is_mentor,
        "mentor": parties.mentor.name,
        "mentees": mentees,
        "others": mentees if is_mentor else parties.mentor.name,
        "title": parties.title,
    }


def _parties(rows: Sequence[Row[Any]]) -> Parties:
    first = rows[0]
    return Parties(
        title=first.title,
        mentor=next(_person(row) for row in rows if row.is_mentor),
        mentees=tuple(_person(row) for row in rows if not row.is_mentor),
        booking_status=BookingStatus(first.booking_status),
        decline_reason=first.decline_reason,
        session_status=SessionStatus(first.session_status) if first.session_status else None,
        cancellation=first.cancellation or {},
    )


def _person(row: Row[Any]) -> Person:
    return Person(
        user_id=row.user_id,
        name=row.name,
        time_zone=row.time_zone,
        acts_as=frozenset({f"user:{row.user_id}", f"mentor:{row.mentor_profile_id}"}),
        choices=row.choices or {},
        browsers=tuple(row.browsers),
    )
