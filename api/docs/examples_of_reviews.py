"""Examples for the documentation: what comes after the completion, and the catalogue beside it."""

from __future__ import annotations

from typing import Any

from api.docs.examples import COMPLETED, page

__all__ = ["page"]

_REVIEW_ID = "01986a10-5a21-7f30-8b91-4d5e6f7a8b05"
_COURSE_ID = "01985f30-1c2d-7e40-9fa2-5e6f7a8b9c06"

PERMIT: dict[str, Any] = {
    "sessionId": COMPLETED["id"],
    "mentorProfileId": COMPLETED["mentorProfileId"],
    "unlockedAt": "2030-05-04T10:01:40Z",
    "expiresAt": "2030-06-03T10:01:40Z",
}

NEW_REVIEW: dict[str, Any] = {"rating": 5, "comment": "I left with a plan for my first ninety days."}

REVIEW: dict[str, Any] = {
    "id": _REVIEW_ID,
    "mentorProfileId": COMPLETED["mentorProfileId"],
    "sessionId": COMPLETED["id"],
    "menteeUserId": COMPLETED["menteeUserId"],
    "reviewer": "Ada L.",
    **NEW_REVIEW,
    "answer": None,
    "answeredAt": None,
    "hidden": False,
    "hiddenReason": None,
    "createdAt": "2030-05-05T08:12:00Z",
}

ANSWER_TO_REVIEW = {"answer": "Thank you, I enjoyed it too."}

ANSWERED_REVIEW = {**REVIEW, **ANSWER_TO_REVIEW, "answeredAt": "2030-05-06T07:30:00Z"}

REVIEW_IN_PUBLIC = {**ANSWERED_REVIEW, "sessionId": None, "menteeUserId": None}

MODERATION = {"hidden": True, "reason": "It names another mentee."}

HIDDEN_REVIEW = {**ANSWERED_REVIEW, "hidden": True, "hiddenReason": MODERATION["reason"]}

AUDIT_ENTRY: dict[str, Any] = {
    "id": "01986f00-7b32-7a41-9c02-6f7a8b9c0d07",
    "actor": "operator:jo",
    "action": "review.hidden",
    "subjectType": "review",
    "subjectId": _REVIEW_ID,
    "reason": MODERATION["reason"],
    "data": {"mentorProfileId": COMPLETED["mentorProfileId"], "rating": 5},
    "occurredAt": "2030-05-07T09:00:00Z",
}

NEW_COURSE: dict[str, Any] = {"title": "Linear algebra I", "description": "Vectors, matrices, and what they are for."}

COURSE: dict[str, Any] = {"id": _COURSE_ID, **NEW_COURSE, "active": True, "createdAt": "2030-04-01T08:00:00Z"}
