"""Play one booking's story through the workflows, as its mentee, its mentor and the workers would have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from cli.seeding.follow import Follower
from cli.seeding.names import ACTION_ITEMS, NOTES, REASONS_TO_CANCEL, REASONS_TO_DECLINE, SESSION_NOTES, TOPICS
from cli.seeding.plan import WITH_SESSION, Fate, Story
from cli.seeding.review import review
from models.bookings import BookingStatus
from workflows.bookings.booking import Booking
from workflows.bookings.decisions import accept, cancel, decline
from workflows.bookings.request import request
from workflows.identity.actor import Actor
from workflows.sessions.session import Session, session_query
from workflows.sessions.steps import complete, start


@dataclass(frozen=True)
class Players:
    """Who takes part in a story, and what is booked."""

    mentee: Actor
    mentor: Actor
    listing_id: UUID


def play(db: Connection, story: Story, players: Players, *, now: datetime) -> bool:
    """Take the booking as far as its story goes, and say whether a review came of it.

    Raises:
        DomainError: a rule is against it, such as a calendar that somebody else has filled meanwhile.
    """
    follower, random, reviewed = Follower(db, now), story.random, False
    booking = request(
        db,
        actor=players.mentee,
        listing_id=players.listing_id,
        start_time=story.start,
        title=random.choice(TOPICS),
        notes=random.choice(NOTES),
        now=story.requested_at,
    )
    follower.follow()
    if story.fate in WITH_SESSION:
        booking = _accepted(db, story, players, booking)
        follower.follow()
        reviewed = _hold(db, story, players, booking, follower)
    elif story.fate is Fate.DECLINED:
        reason = random.choice(REASONS_TO_DECLINE)
        decline(db, actor=players.mentor, booking=booking, reason=reason, now=story.decided_at)
    elif story.fate is Fate.CANCELLED:
        reason = random.choice(REASONS_TO_CANCEL)
        cancel(db, actor=players.mentee, booking=booking, reason=reason, now=story.decided_at)
    follower.follow()
    follower.run_timers()
    return reviewed


def _accepted(db: Connection, story: Story, players: Players, booking: Booking) -> Booking:
    if booking.status is BookingStatus.ACCEPTED:
        return booking
    return accept(db, actor=players.mentor, booking=booking, now=story.decided_at)


def _hold(db: Connection, story: Story, players: Players, booking: Booking, follower: Follower) -> bool:
    if story.fate is Fate.SCHEDULED or booking.session_id is None:
        return False
    random = story.random
    session = Session.of(db.execute(session_query(booking.session_id)).one())
    started_at = min(story.start + timedelta(minutes=random.uniform(-4, 5)), follower.now)
    opener = random.choice((players.mentee, players.mentor))
    session = start(db, actor=opener, session=session, early_start_minutes=None, now=started_at)
    follower.follow()
    if story.fate is not Fate.COMPLETED:
        return False
    complete(
        db,
        actor=players.mentor,
        session=session,
        notes=random.choice(SESSION_NOTES),
        rating=random.choice((3, 4, 4, 5, 5)),
        action_items=random.sample(ACTION_ITEMS, random.randint(0, 3)),
        now=story.end + timedelta(minutes=random.uniform(-5, 10)),
    )
    follower.follow()
    return review(db, session.id, mentee=players.mentee, mentor=players.mentor, words=story.words, now=follower.now)
