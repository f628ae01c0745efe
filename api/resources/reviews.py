"""Reviews: what mentees say of their sessions once those are completed, and what the mentors answer."""

from __future__ import annotations

from typing import Any

from flask import request

from api import examples
from api.blueprints import Area, refuses, versioned
from api.context import ANYONE, MENTOR, OPERATOR, PERSON, RequestContext, Subject
from api.etags import any_version_will_do, tag_of
from api.lists import lists
from api.loaders import changes, reads
from api.resources.people import MENTOR_PROFILE
from api.resources.sessions import FOR_ITS_MENTOR, pending
from api.schemas import reviews as shapes
from api.schemas.base import ListQuery
from workflows.identity.actor import Actor
from workflows.identity.people import Mentor
from workflows.reviews.answer import answer_review
from workflows.reviews.moderate import moderate
from workflows.reviews.permit import OPEN_PERMITS
from workflows.reviews.review import REVIEWS_OF_MENTOR, Review, reader_of, review_query
from workflows.reviews.reviewable import ReviewableSession, reviewable_query, reviewer_of
from workflows.reviews.submit import submit
from workflows.sessions.session import Session

reviews = Area("Reviews", "One review per mentee of a completed session, within thirty days, and one answer to each.")

REVIEWABLE = Subject(
    name="session", query=reviewable_query, record=ReviewableSession, access=reviewer_of, absent=pending
)
REVIEW = Subject(name="review", query=review_query, record=Review, access=reader_of)


@reviews.route("/reviews/permits")
@reviews.response(200, shapes.ReviewPermits, example=examples.page(examples.PERMIT))
@lists(PERSON, OPEN_PERMITS, ListQuery)
def list_review_permits(context: RequestContext[None]) -> dict[str, Any]:
    """List the sessions that the caller may still review, the latest first."""
    return {"mentee_user_id": context.actor.user_id, "now": context.now}


@reviews.route("/sessions/<id:session_id>/review", methods=["POST"])
@refuses("already_reviewed", "review_not_open")
@changes(PERSON, REVIEWABLE)
@reviews.arguments(shapes.NewReview, example=examples.NEW_REVIEW)
@reviews.response(201, shapes.Review, example=examples.REVIEW)
def review_session(context: RequestContext[ReviewableSession], body: dict[str, Any]) -> Any:
    """Review a completed session.

    Each of its mentees does so once, within thirty days of its completion. The mentor's average and number of reviews
    move at once.
    """
    review = submit(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return _shown(context.actor, review, Location=f"/reviews/{review.id}")


@reviews.route("/sessions/<id:session_id>/review/answer", methods=["POST"])
@refuses("already_answered")
@changes(MENTOR, FOR_ITS_MENTOR)
@reviews.arguments(shapes.AnswerToReview, example=examples.ANSWER_TO_REVIEW)
@reviews.response(201, shapes.Review, example=examples.ANSWERED_REVIEW)
def answer_review_of_session(context: RequestContext[Session], body: dict[str, Any]) -> Any:
    """Answer a review, once, as the session's mentor.

    Where several people have reviewed the session, `reviewId` says whose review is answered.
    """
    review = answer_review(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return _shown(context.actor, review, Location=f"/reviews/{review.id}")


@reviews.route("/mentors/<id:mentor_profile_id>/reviews")
@reviews.response(200, shapes.Reviews, example=examples.page(examples.REVIEW_IN_PUBLIC))
@lists(ANYONE, REVIEWS_OF_MENTOR, ListQuery, seen_by=shapes.as_seen_by, within=MENTOR_PROFILE)
def list_reviews_of_mentor(context: RequestContext[Mentor]) -> dict[str, Any]:
    """List a mentor's reviews, the newest first.

    Reviewers are shown by their first name and an initial. What an operator has hidden is left out, except for its
    author and for operators.
    """
    return {"mentor_profile_id": context.subject.id, "also_hidden_of": context.actor.user_id}


@reviews.route("/reviews/<id:review_id>")
@versioned
@reads(ANYONE, REVIEW)
@reviews.response(200, shapes.Review, example=examples.REVIEW_IN_PUBLIC)
def get_review(context: RequestContext[Review]) -> Any:
    """Read a review."""
    return _shown(context.actor, context.subject)


@reviews.route("/reviews/<id:review_id>", methods=["PATCH"])
@changes(OPERATOR, REVIEW)
@reviews.arguments(shapes.Moderation, example=examples.MODERATION)
@reviews.response(200, shapes.Review, example=examples.HIDDEN_REVIEW)
def moderate_review(context: RequestContext[Review], body: dict[str, Any]) -> Any:
    """Hide a review, or show it again.

    What is hidden does not count in the mentor's average. The reason stands in the audit.
    """
    moderated = moderate(
        context.db,
        actor=context.actor,
        review=context.subject,
        now=context.now,
        any_version=any_version_will_do(request),
        **body,
    )
    return _shown(context.actor, moderated)


def _shown(actor: Actor, review: Review, **headers: str) -> Any:
    # Whoever is a party to one session is a stranger to another one's, and must not take one view for the other.
    view = "whole" if shapes.sees_whole(actor, review) else None
    return shapes.as_seen_by(actor, review), {"ETag": tag_of(review, view), **headers}
