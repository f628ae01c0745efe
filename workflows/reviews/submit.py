"""Review a session: a mentee says once how it was, and the mentor's average moves with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text
from uuid_utils.compat import uuid7

from models.people import users
from models.sessions import SessionStatus
from workflows.availability.busy import LOCK_MENTOR
from workflows.errors import Conflict
from workflows.events.catalogue import ReviewSubmitted
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.reviews.permit import permit_query
from workflows.reviews.review import Review
from workflows.reviews.reviewable import ReviewableSession, reviewer_of

_COLUMNS = ", ".join(f"reviews.{column.name}" for column in Review.columns())
# The mentor's lock first, as everywhere. Whoever comes second for one permit finds the first one's review, and counts
# nothing, since only what was written is counted.
_SUBMIT = text(
    f"""
WITH {LOCK_MENTOR},
permit AS (
    SELECT permits.session_id, permits.mentee_user_id, permits.mentor_profile_id
    FROM review_permits AS permits, mentor
    WHERE permits.session_id = CAST(:session_id AS uuid) AND permits.mentee_user_id = CAST(:mentee_user_id AS uuid)
      AND permits.mentor_profile_id = mentor.id AND permits.expires_at > :now
),
review AS (
    INSERT INTO reviews (id, session_id, mentee_user_id, mentor_profile_id, rating, comment, created_at)
    SELECT CAST(:id AS uuid), session_id, mentee_user_id, mentor_profile_id, CAST(:rating AS smallint), :comment, :now
    FROM permit
    ON CONFLICT (session_id, mentee_user_id) DO NOTHING
    RETURNING {_COLUMNS}
),
counted AS (
    UPDATE mentor_profiles
    SET rating_sum = mentor_profiles.rating_sum + review.rating, review_count = mentor_profiles.review_count + 1
    FROM review WHERE mentor_profiles.id = review.mentor_profile_id
)
SELECT review.*, users.name AS reviewer_name FROM review JOIN users ON users.id = review.mentee_user_id
"""
).columns(*Review.columns(), users.c.name.label("reviewer_name"))


def submit(
    db: Connection,
    *,
    actor: Actor,
    session: ReviewableSession,
    rating: int,
    comment: str | None = None,
    now: datetime,
) -> Review:
    """Write the review, count it for the mentor, and record `review.submitted`.

    Args:
        rating: 1 to 5.

    Raises:
        Forbidden: the caller is no mentee of the session.
        Conflict: `already_reviewed`; or `review_not_open`, before the session is completed and after thirty days.
    """
    reviewer_of(actor, session)
    values = {
        "id": uuid7(),
        "session_id": session.id,
        "mentee_user_id": actor.user_id,
        "mentor_profile_id": session.mentor_profile_id,
        "rating": rating,
        "comment": comment,
        "now": now,
    }
    row = db.execute(_SUBMIT, values).one_or_none()
    if row is None:
        raise _refusal(db, actor, session)
    review = Review.of(row)
    record(db, ReviewSubmitted.about(review, actor=actor, now=now))
    return review


def _refusal(db: Connection, actor: Actor, session: ReviewableSession) -> Conflict:
    permit = db.execute(permit_query(session.id, actor.user_id)).one_or_none() if actor.user_id else None
    if permit is None and session.status is SessionStatus.CANCELLED:
        return Conflict("This session was cancelled, so that there is nothing to review.", code="review_not_open")
    if permit is None:
        return Conflict("This session can be reviewed once it is completed.", code="review_not_open")
    if permit.used:
        return Conflict("You have reviewed this session already.", code="already_reviewed")
    return Conflict("This session could be reviewed for thirty days, and they are over.", code="review_not_open")
