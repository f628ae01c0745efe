"""What a seeded mentee says of a completed session, some days later, and what the mentor answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import Connection

from cli.seeding.names import ANSWERS, COMMENTS
from workflows.identity.actor import Actor
from workflows.reviews.actions import ReviewableSession, answer_review, reviewable_query, submit

REVIEWED, ANSWERED = 0.7, 0.5
# Hours after the session.
REVIEWED_AFTER, ANSWERED_AFTER = (2, 40), (1, 30)


def review(db: Connection, session_id: UUID, *, mentee: Actor, mentor: Actor, words: int, now: datetime) -> bool:
    """Let most mentees review their session and some mentors answer, never later than `now`.

    Args:
        session_id: a completed session whose review is unlocked.
        words: what chooses the words; the same number, the same review.

    Returns:
        Whether a review was written.
    """
    random = Random(f"review/{words}")
    if random.random() >= REVIEWED:
        return False
    session = ReviewableSession.of(db.execute(reviewable_query(session_id)).one())
    said_at = min(session.end_time + timedelta(hours=random.uniform(*REVIEWED_AFTER)), now)
    rating = random.choice(tuple(COMMENTS))
    submit(db, actor=mentee, session=session, rating=rating, comment=random.choice(COMMENTS[rating]), now=said_at)
    if random.random() < ANSWERED:
        answered_at = min(said_at + timedelta(hours=random.uniform(*ANSWERED_AFTER)), now)
        answer_review(db, actor=mentor, session=session, answer=random.choice(ANSWERS), now=answered_at)
    return True
