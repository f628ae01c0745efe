"""What is done with reviews: a mentee submits one, the mentor answers it once, an operator hides or shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Row, Select, Uuid, exists, func, select, update
from uuid_utils.compat import uuid7

from models.base import sql
from models.bookings import booking_participants
from models.people import users
from models.reviews import reviews
from models.sessions import SessionStatus, sessions
from workflows.audit.log import write_audit_entry
from workflows.events.event_types import ReviewSubmitted
from workflows.events.record import record
from workflows.identity.access import HasMentor, require_mentor, require_operator, require_reviewer
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Invalid, NotFound, Stale
from workflows.kernel.locks import LOCK_MENTOR, lock_calendar
from workflows.kernel.records import Record
from workflows.reviews.permits import permit_query
from workflows.reviews.records import Review, reviews_of_session_query

# The mentor's lock first, as everywhere. The second of two submissions for one permit writes nothing, and so counts
# nothing.
_SUBMIT = sql(f"""
WITH {LOCK_MENTOR},
permit AS (
    SELECT permits.session_id, permits.mentee_user_id, permits.mentor_profile_id
    FROM review_permits AS permits, mentor
    WHERE permits.session_id = :session_id AND permits.mentee_user_id = :mentee_user_id
      AND permits.mentor_profile_id = mentor.id AND permits.expires_at > :now
      AND permits.withdrawn_at IS NULL
),
review AS (
    INSERT INTO reviews (id, session_id, mentee_user_id, mentor_profile_id, rating, comment, created_at)
    SELECT :id, session_id, mentee_user_id, mentor_profile_id, CAST(:rating AS smallint), :comment, :now
    FROM permit
    ON CONFLICT (session_id, mentee_user_id) DO NOTHING
    RETURNING {Review.names(of="reviews")}
),
counted AS (
    UPDATE mentor_profiles
    SET rating_sum = mentor_profiles.rating_sum + review.rating, review_count = mentor_profiles.review_count + 1
    FROM review WHERE mentor_profiles.id = review.mentor_profile_id
)
SELECT review.*, users.name AS reviewer_name FROM review JOIN users ON users.id = review.mentee_user_id
""").columns(*Review.columns(), users.c.name.label("reviewer_name"))
_MODERATE = sql(f"""
WITH {LOCK_MENTOR},
review AS (
    UPDATE reviews SET hidden_at = :hidden_at, hidden_reason = :hidden_reason
    FROM mentor
    WHERE reviews.mentor_profile_id = mentor.id AND reviews.id = :review_id
      AND reviews.version = :version
    RETURNING {Review.names(of="reviews")}
),
counted AS (
    UPDATE mentor_profiles
    SET rating_sum = mentor_profiles.rating_sum + CAST(:difference AS integer) * review.rating,
        review_count = mentor_profiles.review_count + CAST(:difference AS integer)
    FROM review WHERE mentor_profiles.id = review.mentor_profile_id AND CAST(:difference AS integer) <> 0
)
SELECT * FROM review
""").columns(*Review.columns())


@dataclass(frozen=True, kw_only=True)
class ReviewableSession(Record):
    """A session with its mentees: one, or of a group several."""

    table = sessions

    id: UUID
    booking_id: UUID
    mentor_profile_id: UUID
    title: str | None
    status: SessionStatus
    start_time: datetime
    end_time: datetime
    version: int
    mentees: list[UUID]


class HasSession(HasMentor, Protocol):
    """A session, as far as the answer to its review needs it."""

    @property
    def id(self) -> UUID: ...


def reviewable_query(session_id: UUID) -> Select[Any]:
    """The session of that id, whatever its state, with its mentees."""
    joined = (
        select(booking_participants.c.user_id)
        .where(booking_participants.c.booking_id == sessions.c.booking_id)
        .scalar_subquery()
    )
    mentees = func.array(joined, type_=ARRAY(Uuid)).label("mentees")
    return select(*ReviewableSession.columns(), mentees).where(sessions.c.id == session_id)


def require_open_permit(db: Connection, actor: Actor, session: ReviewableSession, *, now: datetime) -> None:
    """Refuse a mentee who cannot review the session now, as `submit` would.

    Raises:
        Conflict: `already_reviewed` or `review_not_open`.
    """
    permit = db.execute(permit_query(session.id, actor.user_id)).one_or_none() if actor.user_id else None
    if permit is None or permit.used or permit.withdrawn_at is not None or permit.expires_at <= now:
        raise _refusal(db, actor, session)


def submit(
    db: Connection, *, actor: Actor, session: ReviewableSession, rating: int, comment: str | None = None, now: datetime
) -> Review:
    """Write a review, count it for the mentor, and record `review.submitted`.

    Args:
        rating: 1 to 5.

    Raises:
        Forbidden: the caller is no mentee of the session.
        Conflict: `already_reviewed`; or `review_not_open`, before the completion of the session and after thirty days.
    """
    require_reviewer(actor, session)
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


def answer_review(
    db: Connection, *, actor: Actor, session: HasSession, answer: str, review_id: UUID | None = None, now: datetime
) -> Review:
    """Write the mentor's answer below a review of the session.

    Args:
        review_id: which one, where a session of several mentees has more than one.

    Raises:
        Forbidden: the caller is not the session's mentor.
        NotFound: the session has no review, or none of that id.
        Invalid: it has several, and `review_id` is missing.
        Conflict: `already_answered`.
    """
    require_mentor(actor, session)
    review = _review_to_answer(db, session, review_id)
    row = db.execute(
        update(reviews)
        .where(reviews.c.id == review.id, reviews.c.answered_at.is_(None))
        .values(answer=answer, answered_at=now)
        .returning(*Review.columns())
    ).one_or_none()
    if row is None:
        raise Conflict(code="already_answered")
    return Review(reviewer_name=review.reviewer_name, **row._mapping)


def moderate(
    db: Connection, *, actor: Actor, review: Review, hidden: bool, reason: str, now: datetime, any_version: bool = False
) -> Review:
    """Hide the review, so that it is neither listed nor counted, or show it again; the reason goes to the audit.

    Args:
        review: as the caller saw it.
        reason: kept in the audit; while the review is hidden, its author reads it too.
        any_version: the caller decided on no version in particular; of several decisions the last one wins.

    Raises:
        Forbidden: the caller is no operator.
        Stale: the review has changed since it was read.
    """
    require_operator(actor, "Only an operator can hide reviews.")
    row = _moderated(db, review, hidden=hidden, reason=reason, now=now)
    if row is None and any_version:
        row = _moderated(db, _locked(db, review), hidden=hidden, reason=reason, now=now)
    if row is None:
        raise Stale("review")
    write_audit_entry(
        db,
        actor=actor,
        action="review.hidden" if hidden else "review.shown",
        subject=("review", review.id),
        reason=reason,
        data={"mentorProfileId": str(review.mentor_profile_id), "rating": review.rating},
        now=now,
    )
    return Review(reviewer_name=review.reviewer_name, **row._mapping)


def _refusal(db: Connection, actor: Actor, session: ReviewableSession) -> Conflict:
    permit = db.execute(permit_query(session.id, actor.user_id)).one_or_none() if actor.user_id else None
    if permit is None and session.status is SessionStatus.CANCELLED:
        return Conflict("This session was cancelled and cannot be reviewed.", code="review_not_open")
    if permit.withdrawn_at if permit else _was_absent(db, actor, session):
        return Conflict("You were recorded as absent from this session and cannot review it.", code="review_not_open")
    if permit is None:
        return Conflict("This session can be reviewed once it has been completed.", code="review_not_open")
    if permit.used:
        return Conflict(code="already_reviewed")
    return Conflict("The thirty days for a review of this session are over.", code="review_not_open")


def _was_absent(db: Connection, actor: Actor, session: ReviewableSession) -> bool:
    seat = booking_participants.c
    absent = exists().where(seat.booking_id == session.booking_id, seat.user_id == actor.user_id, ~seat.present)
    return bool(db.scalar(select(absent)))


def _review_to_answer(db: Connection, session: HasSession, review_id: UUID | None) -> Review:
    query = reviews_of_session_query(session.id)
    if review_id is not None:
        query = query.where(reviews.c.id == review_id)
    found = db.execute(query.limit(2)).all()
    if not found:
        raise NotFound("This session has no such review." if review_id else "This session has no review yet.")
    if len(found) > 1:
        raise Invalid(
            "This session has several reviews; name the one to answer in reviewId.",
            details={"reviewId": ["Must be given for a session with several reviews."]},
        )
    return Review.of(found[0])


def _moderated(db: Connection, review: Review, *, hidden: bool, reason: str, now: datetime) -> Row[Any] | None:
    values = {
        "review_id": review.id,
        "mentor_profile_id": review.mentor_profile_id,
        "version": review.version,
        "hidden_at": (review.hidden_at or now) if hidden else None,
        "hidden_reason": reason if hidden else None,
        # A review that is hidden twice is taken off the average once.
        "difference": int(review.hidden) - int(hidden),
    }
    return db.execute(_MODERATE, values).one_or_none()


def _locked(db: Connection, review: Review) -> Review:
    """The review as it is now, locked until this transaction ends."""
    lock_calendar(db, review.mentor_profile_id)
    return Review.of(db.execute(Review.by_id(review.id).with_for_update(of=reviews)).one())
