"""Lives of bookings, each on its way to its fate: steps that people take, among which a test chooses."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, text

from models.catalog import BookingMode, courses
from tests import factories
from tests.concurrency.deliveries import House
from tests.eventually import eventually, stretched
from workflows.bookings.booking import Booking
from workflows.bookings.decisions import accept, decline
from workflows.bookings.decisions import cancel as take_back
from workflows.bookings.request import request
from workflows.catalog.listings import Listing
from workflows.events.catalogue import BookingAccepted, SeatEvent, SeatJoined, SeatLeft
from workflows.events.record import record
from workflows.identity.actor import SYSTEM, Actor
from workflows.identity.people import User
from workflows.reviews.actions import ReviewableSession, reviewable_query, submit
from workflows.sessions.cancel import cancel as call_off
from workflows.sessions.session import Session, SessionWithTerms, session_query, session_with_terms_query
from workflows.sessions.steps import complete, start

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)

# How far a booking goes; its session comes by itself once it is accepted.
FATES = {
    "draft": ("ask",),
    "declined": ("ask", "decline"),
    "taken back": ("ask", "take_back"),
    "accepted": ("ask", "accept"),
    "held": ("ask", "accept", "open", "close"),
    "going on": ("ask", "accept", "open"),
    "called off": ("ask", "accept", "call_off"),
    "called off late": ("ask", "accept", "call_off_late"),
    "instant": ("ask_at_once", "open", "close"),
    "instant, called off": ("ask_at_once", "call_off"),
    "reviewed": ("ask", "accept", "open", "close", "review"),
    "instant, reviewed": ("ask_at_once", "open", "close", "review"),
    "a group": ("gather", "join", "leave"),
    "a group, reviewed": ("gather", "join", "open", "close", "review"),
}
# What must be there before somebody can do that; workers make it.
SESSION = "SELECT EXISTS (SELECT FROM sessions WHERE id = :session_id)"
PERMIT = "SELECT EXISTS (SELECT FROM review_permits WHERE session_id = :session_id)"
NEEDED = {"open": SESSION, "call_off": SESSION, "call_off_late": SESSION, "review": PERMIT}


@dataclass
class Story:
    """One booking on its way to its fate."""

    fate: str
    listing: Listing
    instant: Listing
    mentee: User
    start_time: datetime
    booking: Booking | None = None
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = list(FATES[self.fate])

    def can_go_on(self, house: House) -> bool:
        """Whether what the next step needs is there."""
        needed = NEEDED.get(self.steps[0])
        if needed is None:
            return True
        with house.transactions() as db:
            return bool(db.scalar(text(needed), {"session_id": self._booking.session_id}))

    def go_on(self, db: Connection, now: datetime) -> None:
        """Take the next step."""
        getattr(self, f"_{self.steps.pop(0)}")(db, now)

    def _ask(self, db: Connection, now: datetime, listing: Listing | None = None) -> None:
        of = (listing or self.listing).id
        self.booking = request(db, actor=self._mentee, listing_id=of, start_time=self.start_time, now=now)

    def _ask_at_once(self, db: Connection, now: datetime) -> None:
        self._ask(db, now, self.instant)

    def _accept(self, db: Connection, now: datetime) -> None:
        self.booking = accept(db, actor=self._mentor, booking=self._booking, now=now)

    def _decline(self, db: Connection, now: datetime) -> None:
        decline(db, actor=self._mentor, booking=self._booking, reason=None, now=now)

    def _take_back(self, db: Connection, now: datetime) -> None:
        take_back(db, actor=self._mentee, booking=self._booking, reason=None, now=now)

    def _open(self, db: Connection, now: datetime) -> None:
        start(db, actor=self._mentor, session=self._session(db), early_start_minutes=None, now=now)

    def _close(self, db: Connection, now: datetime) -> None:
        complete(db, actor=self._mentor, session=self._session(db), now=now)

    def _call_off(self, db: Connection, now: datetime) -> None:
        row = db.execute(session_with_terms_query(self._session(db).id)).one()
        call_off(db, actor=self._mentor, session=SessionWithTerms.of(row), reason="Ill", now=now)

    def _call_off_late(self, db: Connection, _now: datetime) -> None:
        row = db.execute(session_with_terms_query(self._session(db).id)).one()
        an_hour_before = self.start_time - timedelta(hours=1)
        call_off(db, actor=self._mentee, session=SessionWithTerms.of(row), reason="Ill", now=an_hour_before)

    def _review(self, db: Connection, now: datetime) -> None:
        session = ReviewableSession.of(db.execute(reviewable_query(self._session(db).id)).one())
        submit(db, actor=self._mentee, session=session, rating=5, now=now)

    def _gather(self, db: Connection, now: datetime) -> None:
        self.booking = factories.make_group(db, [self.mentee], listing=self.listing, start_time=self.start_time)
        record(db, BookingAccepted.about(self.booking, actor=SYSTEM, now=now))

    def _join(self, db: Connection, now: datetime) -> None:
        self._seat(db, SeatJoined, now)

    def _leave(self, db: Connection, now: datetime) -> None:
        self._seat(db, SeatLeft, now)

    def _seat(self, db: Connection, event: type[SeatEvent], now: datetime) -> None:
        seat = {"user_id": self.mentee.id, "capacity": 8, "seats_taken": 1}
        record(db, event.about(self._booking, actor=self._mentee, now=now, booking_id=self._booking.id, **seat))

    def _session(self, db: Connection) -> Session:
        return Session.of(db.execute(session_query(self._booking.session_id)).one())  # type: ignore[arg-type]

    @property
    def _booking(self) -> Booking:
        assert self.booking is not None
        return self.booking

    @property
    def _mentee(self) -> Actor:
        return factories.acting_user(self.mentee)

    @property
    def _mentor(self) -> Actor:
        return factories.mentor_of(self._booking)


def stories(db: Connection, fates: list[str]) -> list[Story]:
    """One for each fate, with three mentors, two of whom have a course, at times that never overlap."""
    mentee = factories.make_user(db)
    offers = [(_offers(db, course)) for course in (uuid4(), uuid4(), None)]
    return [
        Story(fate, *offers[n % len(offers)], mentee, NOW + timedelta(days=30, hours=2 * n))
        for n, fate in enumerate(fates)
    ]


def _offers(db: Connection, course: Any) -> tuple[Listing, Listing]:
    mentor = factories.make_mentor(db)
    if course:
        db.execute(insert(courses).values(id=course, title="Compilers"))
    instant = factories.make_listing(db, mentor, booking_mode=BookingMode.INSTANT, duration_minutes=45)
    return factories.make_listing(db, mentor, course_id=course), instant


def play(house: House, tales: list[Story], chance: random.Random) -> None:
    """Take every step there is, in some order; a step waits for what the workers have to make for it."""
    now = NOW
    unfinished = list(tales)
    while unfinished:
        now += timedelta(minutes=chance.randrange(1, 30))
        story = chance.choice(unfinished)
        eventually(partial(story.can_go_on, house), f"what {story.steps[0]!r} needs", seconds=stretched(30))
        with house.transactions() as db:
            story.go_on(db, now)
        if not story.steps:
            unfinished.remove(story)
