"""Hide a review, or show it again: an operator's step, with its reason in the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from models.reviews import reviews
from workflows.audit.note import note
from workflows.availability.busy import LOCK_MENTOR
from workflows.errors import Forbidden, Stale
from workflows.identity.actor import Actor
from workflows.reviews.review import Review, review_query

_COLUMNS = ", ".join(f"reviews.{column.name}" for column in Review.columns())
# The mentor's lock first, as everywhere.
_MODERATE = text(
    f"""
WITH {LOCK_MENTOR},
review AS (
    UPDATE reviews SET hidden_at = :hidden_at, hidden_reason = :hidden_reason
    FROM mentor
    WHERE reviews.mentor_profile_id = mentor.id AND reviews.id = CAST(:review_id AS uuid)
      AND reviews.version = :version
    RETURNING {_COLUMNS}
),
counted AS (
    UPDATE mentor_profiles
    SET rating_sum = mentor_profiles.rating_sum + CAST(:difference AS integer) * review.rating,
        review_count = mentor_profiles.review_count + CAST(:difference AS integer)
    FROM review WHERE mentor_profiles.id = review.mentor_profile_id AND CAST(:difference AS integer) <> 0
)
SELECT * FROM review
"""
).columns(*Review.columns())


_WAIT_FOR_MENTOR = text(f"WITH {LOCK_MENTOR} SELECT id FROM mentor")


def moderate(
    db: Connection,
    *,
    actor: Actor,
    review: Review,
    hidden: bool,
    reason: str,
    now: datetime,
    any_version: bool = False,
) -> Review:
    """Hide the review, so that it neither shows nor counts, or show it again; what it says stays as it is.

    Args:
        review: as the caller saw it.
        reason: kept in the audit; while the review is hidden, its author reads it too.
        any_version: the caller decided on no version in particular; of several decisions the last one stands.

    Raises:
        Forbidden: the caller is no operator.
        Stale: the review has changed since it was read.
    """
    if not actor.operator:
        raise Forbidden("Only an operator hides reviews.")
    row = _moderated(db, review, hidden=hidden, reason=reason, now=now)
    if row is None and any_version:
        row = _moderated(db, _as_it_stays(db, review), hidden=hidden, reason=reason, now=now)
    if row is None:
        raise Stale("The review has changed since it was read; read it again.")
    note(
        db,
        actor=actor,
        action="review.hidden" if hidden else "review.shown",
        subject=("review", review.id),
        reason=reason,
        data={"mentorProfileId": str(review.mentor_profile_id), "rating": review.rating},
        now=now,
    )
    return Review(reviewer_name=review.reviewer_name, **row._mapping)


def _moderated(db: Connection, review: Review, *, hidden: bool, reason: str, now: datetime) -> Row[Any] | None:
    values = {
        "review_id": review.id,
        "mentor_profile_id": review.mentor_profile_id,
        "version": review.version,
        "hidden_at": (review.hidden_at or now) if hidden else None,
        "hidden_reason": reason if hidden else None,
        # Hidden twice, it is taken off the average once.
        "difference": int(review.hidden) - int(hidden),
    }
    return db.execute(_MODERATE, values).one_or_none()


def _as_it_stays(db: Connection, review: Review) -> Review:
    """The review as it is now and, until this transaction ends, remains."""
    db.execute(_WAIT_FOR_MENTOR, {"mentor_profile_id": review.mentor_profile_id})
    return Review.of(db.execute(review_query(review.id).with_for_update(of=reviews)).one())
