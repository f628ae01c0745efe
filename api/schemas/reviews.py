"""Reviews: what mentees and mentors write, and how a review is shown to whom."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from api.schemas.base import RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Moment, Text, TrueOrFalse, Whole
from models.reviews import LONGEST_TEXT
from workflows.identity.actor import Actor
from workflows.reviews.review import Review as ReviewRecord
from workflows.reviews.review import is_about, is_author


class ReviewPermit(ResponseSchema):
    """A session that the caller may review until the permit expires."""

    session_id = Id()
    mentor_profile_id = Id()
    unlocked_at = Moment()
    expires_at = Moment()


class NewReview(RequestSchema):
    """How the session was."""

    rating = Whole(1, 5, required=True, metadata={"example": 5})
    comment = Text(LONGEST_TEXT, load_default=None, allow_none=True)


class AnswerToReview(RequestSchema):
    """What the mentor says to a review."""

    answer = Text(LONGEST_TEXT, shortest=1, required=True, metadata={"example": "Thank you, I enjoyed it too."})
    review_id = Id(metadata={"description": "Which review, where several people have reviewed the session."})


class Moderation(RequestSchema):
    """Whether a review is to be hidden, and why."""

    hidden = TrueOrFalse(required=True)
    reason = Text(2000, shortest=1, required=True, metadata={"description": "Kept in the audit."})


class Review(ResponseSchema):
    """What a mentee says of a session, and what its mentor answered."""

    id = Id()
    mentor_profile_id = Id()
    session_id = Id(allow_none=True, metadata={"description": "Null for everybody but its parties and operators."})
    mentee_user_id = Id(allow_none=True, metadata={"description": "Null for everybody but its parties and operators."})
    reviewer = fields.String(metadata={"description": "First name and initial.", "example": "Ada L."})
    rating = fields.Integer(metadata={"example": 5})
    comment = fields.String(allow_none=True)
    answer = fields.String(allow_none=True)
    answered_at = Moment(allow_none=True)
    hidden = fields.Boolean(metadata={"description": "Hidden reviews are shown to author and operators alone."})
    hidden_reason = fields.String(allow_none=True)
    created_at = Moment()


ReviewPermits = page_of(ReviewPermit, "ReviewPermits")
Reviews = page_of(Review, "Reviews")


# What leads to a session is for those who may see it: everybody else learns nothing of it here.
_OF_THE_PARTIES = ("session_id", "mentee_user_id")


def as_seen_by(actor: Actor, review: ReviewRecord) -> dict[str, Any]:
    """A review without what leads to its session, unless its author, its mentor or an operator is looking."""
    shown = {**vars(review), "reviewer": review.reviewer, "hidden": review.hidden}
    return shown if sees_whole(actor, review) else {**shown, **dict.fromkeys(_OF_THE_PARTIES)}


def sees_whole(actor: Actor, review: ReviewRecord) -> bool:
    """Whether the caller sees which session a review is of."""
    return actor.operator or is_author(actor, review) or is_about(actor, review)
