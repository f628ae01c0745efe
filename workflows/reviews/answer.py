"""Answer a review: the mentor may say something to it, once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, update

from models.reviews import reviews
from workflows.errors import Conflict, Invalid, NotFound
from workflows.identity.actor import Actor
from workflows.reviews.review import Review, reviews_of_session_query
from workflows.sessions.session import Session, mentor_of


def answer_review(
    db: Connection, *, actor: Actor, session: Session, answer: str, review_id: UUID | None = None, now: datetime
) -> Review:
    """Write the mentor's answer below a review of the session.

    Args:
        review_id: which one, where a session of several mentees has more than one.

    Raises:
        Forbidden: the caller is not the session's mentor.
        NotFound: the session has no review, or none of that id.
        Invalid: it has several, and none was named.
        Conflict: `already_answered`.
    """
    mentor_of(actor, session)
    review = _meant(db, session, review_id)
    row = db.execute(
        update(reviews)
        .where(reviews.c.id == review.id, reviews.c.answer.is_(None))
        .values(answer=answer, answered_at=now)
        .returning(*Review.columns())
    ).one_or_none()
    if row is None:
        raise Conflict("You have answered this review already.", code="already_answered")
    return Review(reviewer_name=review.reviewer_name, **row._mapping)


def _meant(db: Connection, session: Session, review_id: UUID | None) -> Review:
    query = reviews_of_session_query(session.id)
    if review_id is not None:
        query = query.where(reviews.c.id == review_id)
    found = db.execute(query.limit(2)).all()
    if not found:
        raise NotFound("This session has no such review." if review_id else "Nobody has reviewed this session yet.")
    if len(found) > 1:
        raise Invalid(
            "Several people have reviewed this session; say which review is answered.",
            details={"reviewId": ["Must be given for a session with several reviews."]},
        )
    return Review.of(found[0])
