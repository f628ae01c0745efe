"""Reviews: what mentees say of their sessions once those are completed, and what the mentors answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy import Select, select

from api.blueprints import Area, refuses, versioned
from api.calls import ANYONE, MENTOR, OPERATOR, PERSON, Call, Subject, this_moment
from api.docs import examples_of_reviews as examples
from api.etags import any_version_will_do, tag_of
from api.lists import NEWEST_FIRST, lists
from api.loaders import changes, reads
from api.resources.people import MENTOR_PROFILE
from api.resources.sessions import FOR_ITS_MENTOR, pending
from api.schemas import reviews as shapes
from api.schemas.lists import ListQuery
from workflows.identity.actor import Actor, Claim
from workflows.identity.recognise import caller_query
from workflows.paging import Page
from workflows.reviews.answer import answer_review
from workflows.reviews.moderate import moderate
from workflows.reviews.permit import Permit, open_permits_query
from workflows.reviews.review import Review, reader_of, review_query, reviews_of_mentor_query
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
@lists(PERSON, Permit, ListQuery, NEWEST_FIRST)
def list_review_permits(claim: Claim, page: Page) -> Select[Any]:
    """List the sessions that the caller may still review, the latest first."""
    return open_permits_query(page, _caller(claim), now=this_moment())


@reviews.route("/sessions/<id:session_id>/review", methods=["POST"])
@refuses("already_reviewed", "review_not_open")
@changes(PERSON, REVIEWABLE)
@reviews.arguments(shapes.NewReview, example=examples.NEW_REVIEW)
@reviews.response(201, shapes.Review, example=examples.REVIEW)
def review_session(call: Call[ReviewableSession], body: dict[str, Any]) -> Any:
    """Review a completed session.

    Each of its mentees does so once, within thirty days of its completion. The mentor's average and number of reviews
    move at once.
    """
    review = submit(call.db, actor=call.actor, session=call.subject, now=call.now, **body)
    return _shown(call.actor, review, Location=f"/reviews/{review.id}")


@reviews.route("/sessions/<id:session_id>/review/answer", methods=["POST"])
@refuses("already_answered")
@changes(MENTOR, FOR_ITS_MENTOR)
@reviews.arguments(shapes.AnswerToReview, example=examples.ANSWER_TO_REVIEW)
@reviews.response(201, shapes.Review, example=examples.ANSWERED_REVIEW)
def answer_review_of_session(call: Call[Session], body: dict[str, Any]) -> Any:
    """Answer a review, once, as the session's mentor.

    Where several people have reviewed the session, `reviewId` says whose review is answered.
    """
    review = answer_review(call.db, actor=call.actor, session=call.subject, now=call.now, **body)
    return _shown(call.actor, review, Location=f"/reviews/{review.id}")


@reviews.route("/mentors/<id:mentor_profile_id>/reviews")
@reviews.response(200, shapes.Reviews, example=examples.page(examples.REVIEW_IN_PUBLIC))
@lists(ANYONE, Review, ListQuery, NEWEST_FIRST, seen_by=shapes.as_seen_by, within=MENTOR_PROFILE)
def list_reviews_of_mentor(claim: Claim, page: Page, *, mentor_profile_id: UUID) -> Select[Any]:
    """List a mentor's reviews, the newest first.

    Reviewers are shown by their first name and an initial. What an operator has hidden is left out, except for its
    author and for operators.
    """
    author = None if claim.operator else _caller(claim)
    return reviews_of_mentor_query(page, mentor_profile_id, also_hidden_of=author)


@reviews.route("/reviews/<id:review_id>")
@versioned
@reads(ANYONE, REVIEW)
@reviews.response(200, shapes.Review, example=examples.REVIEW_IN_PUBLIC)
def get_review(call: Call[Review]) -> Any:
    """Read a review."""
    return _shown(call.actor, call.subject)


@reviews.route("/reviews/<id:review_id>", methods=["PATCH"])
@changes(OPERATOR, REVIEW)
@reviews.arguments(shapes.Moderation, example=examples.MODERATION)
@reviews.response(200, shapes.Review, example=examples.HIDDEN_REVIEW)
def moderate_review(call: Call[Review], body: dict[str, Any]) -> Any:
    """Hide a review, or show it again.

    What is hidden does not count in the mentor's average. The reason stands in the audit.
    """
    moderated = moderate(
        call.db,
        actor=call.actor,
        review=call.subject,
        now=call.now,
        any_version=any_version_will_do(request),
        **body,
    )
    return _shown(call.actor, moderated)


def _caller(claim: Claim) -> Any:
    return claim.user_id or select(caller_query(claim).c.caller_user_id).scalar_subquery()


def _shown(actor: Actor, review: Review, **headers: str) -> Any:
    # Whoever is a party to one session is a stranger to another one's, and must not take one view for the other.
    view = "whole" if shapes.sees_whole(actor, review) else None
    return shapes.as_seen_by(actor, review), {"ETag": tag_of(review, view), **headers}
