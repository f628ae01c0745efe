"""Reviews, and how they are shown to each party."""

from typing import Any

from marshmallow import fields

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.bookings import MenteeParty, MentorParty
from api.schemas.fields import OPTIONAL, AsRead, Id, Moment, Text, TrueOrFalse, Whole
from models.reviews import MAX_TEXT_CHARACTERS
from workflows.identity.access import has_access
from workflows.identity.actor import Actor
from workflows.reviews.records import Review as ReviewRecord


class ReviewPermit(ResponseSchema):
    """A session that the caller may review until the permit expires."""

    session_id = Id()
    mentor_profile_id = Id()
    mentor = AsRead(MentorParty)
    mentee = AsRead(MenteeParty)
    unlocked_at = Moment()
    expires_at = Moment()


class NewReview(RequestSchema):
    rating = Whole(1, 5, required=True, metadata={"example": 5})
    comment = Text(MAX_TEXT_CHARACTERS, **OPTIONAL)


class ReviewAnswer(RequestSchema):
    answer = Text(MAX_TEXT_CHARACTERS, shortest=1, required=True, metadata={"example": "Thank you, I enjoyed it too."})
    review_id = Id(metadata={"description": "The review, if several mentees have reviewed the session."})


class Moderation(RequestSchema):
    hidden = TrueOrFalse(required=True)
    reason = Text(2000, shortest=1, required=True, metadata={"description": "Kept in the audit log."})


class Review(ResponseSchema):
    id = Id()
    mentor_profile_id = Id()
    session_id = Id(
        allow_none=True, metadata={"description": "Null unless the caller is a party to the session or an operator."}
    )
    mentee_user_id = Id(
        allow_none=True, metadata={"description": "Null unless the caller is a party to the session or an operator."}
    )
    reviewer = fields.String(metadata={"description": "First name and initial.", "example": "Ada L."})
    rating = fields.Integer(metadata={"example": 5})
    comment = fields.String(allow_none=True)
    answer = fields.String(allow_none=True)
    answered_at = Moment(
        allow_none=True, metadata={"description": "Stays when the answer was deleted with an account."}
    )
    hidden = fields.Boolean(metadata={"description": "Hidden reviews are visible to their author and operators only."})
    hidden_reason = fields.String(allow_none=True)
    created_at = Moment()


class ReviewFilters(ListQuery):
    session_id = Id(
        metadata={"description": "Only those of this session: the caller's own, or for its mentor and operators all."}
    )


ReviewPermits = page_of(ReviewPermit, "ReviewPermits")
Reviews = page_of(Review, "Reviews")


# They identify the session, which only its parties and operators may see.
_OF_THE_PARTIES = ("session_id", "mentee_user_id")


def as_seen_by(actor: Actor, review: ReviewRecord) -> dict[str, Any]:
    """A review as JSON; its session is for author, mentor and operators only."""
    shown = {**vars(review), "reviewer": review.reviewer, "hidden": review.hidden}
    return shown if has_access(actor, review) else {**shown, **dict.fromkeys(_OF_THE_PARTIES)}
