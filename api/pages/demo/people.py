"""The people of the demo pages, by their addresses: a mentee who books, and the mentor who is booked."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, func, select

from models.catalog import BookingMode, listings
from models.people import mentor_profiles, users
from models.sessions import sessions

MENTEE_EMAIL, MENTOR_EMAIL = "demo.mentee@mail.example", "demo.mentor@mail.example"
MAX_SESSIONS = 5


class Offer(NamedTuple):
    id: UUID
    title: str
    is_instant: bool
    course_id: UUID | None


class Held(NamedTuple):
    """A session of the demo's mentee; its start in UTC."""

    id: UUID
    start_time: datetime
    title: str | None
    status: str


@dataclass(frozen=True)
class DemoPeople:
    """The two of them, with what is offered and the sessions that they have."""

    mentee_id: UUID
    mentor_user_id: UUID
    mentor_profile_id: UUID
    offers: list[Offer]
    sessions: list[Held]  # of the mentee, the latest first

    @property
    def course_id(self) -> UUID | None:
        return next((offer.course_id for offer in self.offers if offer.course_id), None)


def find_demo_people(db: Connection) -> DemoPeople | None:
    """The people of the demo; None where `tutelage seed` has not made them."""
    mentee_id = db.scalar(select(users.c.id).where(func.lower(users.c.email) == MENTEE_EMAIL))
    mentor = db.execute(_MENTOR).one_or_none()
    if mentee_id is None or mentor is None:
        return None
    offered = db.execute(_OFFERS.where(listings.c.mentor_profile_id == mentor.id))
    held = (
        select(sessions.c.id, sessions.c.start_time, sessions.c.title, sessions.c.status)
        .where(sessions.c.mentee_user_id == mentee_id)
        .order_by(sessions.c.start_time.desc(), sessions.c.id)
        .limit(MAX_SESSIONS)
    )
    return DemoPeople(
        mentee_id=mentee_id,
        mentor_user_id=mentor.user_id,
        mentor_profile_id=mentor.id,
        offers=[Offer(row.id, row.title, row.booking_mode == BookingMode.INSTANT, row.course_id) for row in offered],
        sessions=[Held(row.id, row.start_time, row.title, str(row.status)) for row in db.execute(held)],
    )


_MENTOR = (
    select(mentor_profiles.c.id, mentor_profiles.c.user_id)
    .join(users, users.c.id == mentor_profiles.c.user_id)
    .where(func.lower(users.c.email) == MENTOR_EMAIL, mentor_profiles.c.active)
)
_OFFERS = (
    select(listings.c.id, listings.c.title, listings.c.booking_mode, listings.c.course_id)
    .where(listings.c.active)
    .order_by(listings.c.id)
)
