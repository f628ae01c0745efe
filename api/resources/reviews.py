"""Reviews of completed sessions, and the mentors' answers."""

from typing import Any
from uuid import UUID

from api.http.etags import WithHeaders, cacheable, tag_of
from api.openapi.examples import example_of
from api.resources.people import MENTOR_PROFILE
from api.resources.sessions import FOR_ITS_MENTOR, pending
from api.routes.blueprints import Area, refuses
from api.routes.context import ANYONE, MENTOR, OPERATOR, PERSON, VISITOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import reviews as shapes
from api.schemas.base import ListQuery
from workflows.accounts.records import Mentor
from workflows.identity.access import require_reviewer, require_visible
from workflows.identity.actor import Actor
from workflows.reviews.actions import ReviewableSession, answer_review, moderate, reviewable_query, submit
from workflows.reviews.permits import OPEN_PERMITS
from workflows.reviews.records import REVIEWS_OF_MENTOR, Review
from workflows.sessions.records import Session

reviews = Area(
    "Reviews", "One review per mentee of a completed session, within 30 days, and one answer by the mentor to each."
)

# A visitor's own reviews, of which there are none.
_NO_USER = UUID(int=0)
REVIEWABLE = Subject(
    name="session", query=reviewable_query, record=ReviewableSession, access=require_reviewer, absent=pending
)
REVIEW = Subject(name="review", record=Review, access=require_visible)


@reviews.route("/reviews/permits")
@reviews.response(200, shapes.ReviewPermits)
@list_route(PERSON, OPEN_PERMITS, ListQuery)
def list_review_permits(context: RequestContext[None]) -> dict[str, Any]:
    """List the sessions that the caller may still review, latest first."""
    return {"mentee_user_id": context.actor.user_id, "now": context.now}


@reviews.route("/sessions/<id:session_id>/review", methods=["POST"])
@refuses("already_reviewed", "review_not_open")
@changes(PERSON, REVIEWABLE, action="review.submitted", about="review")
@reviews.arguments(shapes.NewReview)
@reviews.response(201, shapes.Review)
def create_review(context: RequestContext[ReviewableSession], body: dict[str, Any]) -> Any:
    """Review a completed session.

    Each mentee may review a session once, within 30 days of its completion. The mentor's rating is updated immediately.
    """
    review = submit(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return _shown(context.actor, review, Location=f"/reviews/{review.id}")


@reviews.route("/sessions/<id:session_id>/review/answer", methods=["POST"])
@refuses("already_answered")
@changes(MENTOR, FOR_ITS_MENTOR, action="review.answered", about="review")
@reviews.arguments(shapes.ReviewAnswer)
@reviews.response(201, shapes.Review)
def create_review_answer(context: RequestContext[Session], body: dict[str, Any]) -> Any:
    """Answer a review, once, as the session's mentor.

    If several mentees have reviewed the session, `reviewId` selects the review.
    """
    review = answer_review(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return _shown(context.actor, review, Location=f"/reviews/{review.id}")


def _as_seen(context: RequestContext[object], review: Review) -> dict[str, Any]:
    return shapes.as_seen_by(context.actor, review)


@reviews.route("/mentors/<id:mentor_profile_id>/reviews")
@cacheable
@reviews.response(200, shapes.Reviews)
@list_route(VISITOR, REVIEWS_OF_MENTOR, shapes.ReviewFilters, seen_by=_as_seen, within=MENTOR_PROFILE)
def list_mentor_reviews(context: RequestContext[Mentor], session_id: UUID | None = None) -> dict[str, Any]:
    """List a mentor's reviews, newest first.

    Reviewers appear by first name and initial. Hidden reviews are visible to their author and to operators only.
    """
    actor, mentor_profile_id = context.actor, context.subject.id
    own = None if actor.operator else actor.user_id or _NO_USER
    # Whose session it is, only its parties know.
    is_of_party = session_id is not None and actor.mentor_profile_id != mentor_profile_id
    return {
        "mentor_profile_id": mentor_profile_id,
        "also_hidden_of": own,
        "session_id": session_id,
        "mentee_user_id": own if is_of_party else None,
    }


@reviews.route("/reviews/<id:review_id>")
@cacheable
@reads(ANYONE, REVIEW)
@reviews.response(200, shapes.Review)
def get_review(context: RequestContext[Review]) -> WithHeaders[dict[str, Any]]:
    """Get a review."""
    return _shown(context.actor, context.subject)


@reviews.route("/reviews/<id:review_id>", methods=["PATCH"])
@changes(OPERATOR, REVIEW, action="review.moderated")
@reviews.arguments(shapes.Moderation, example={"hidden": True, "reason": "It names another mentee."})
@reviews.response(
    200, shapes.Review, example=example_of(shapes.Review, hidden=True, hiddenReason="It names another mentee.")
)
def moderate_review(context: RequestContext[Review], body: dict[str, Any]) -> Any:
    """Hide a review, or show it again.

    Hidden reviews do not count towards the mentor's rating. The reason is kept in the audit log.
    """
    moderated = moderate(
        context.db,
        actor=context.actor,
        review=context.subject,
        now=context.now,
        any_version=context.any_version,
        **body,
    )
    return _shown(context.actor, moderated)


def _shown(actor: Actor, review: Review, **headers: str) -> WithHeaders[dict[str, Any]]:
    return shapes.as_seen_by(actor, review), {"ETag": tag_of(review), **headers}
