"""Examples for the documentation: accounts, mentor profiles and listings."""

from __future__ import annotations

from typing import Any

from api.openapi.examples import ACCEPTED, CANCELLATION, CANCELLED, DRAFT

_MENTOR_USER = "01985f37-3c4d-7e21-9a54-6b7c8d9e0f15"

NEW_USER: dict[str, Any] = {"email": "ada@example.org", "name": "Ada Lovelace", "timeZone": "Europe/London"}
USER: dict[str, Any] = {
    "id": DRAFT["menteeUserId"],
    **NEW_USER,
    "pendingEmail": None,
    "locale": "en-GB",
    "mentorProfileId": None,
    "createdAt": "2030-04-20T08:00:00Z",
}
USER_CHANGES: dict[str, Any] = {"name": "Ada King", "locale": "en-GB"}
CHANGED_USER: dict[str, Any] = {**USER, **USER_CHANGES}

NEW_MENTOR_PROFILE: dict[str, Any] = {
    "headline": "Engineering manager, 12 years",
    "bio": "I have led teams of five to fifty.",
    "timeZone": "America/New_York",
    "skills": ["go", "leadership"],
    "languages": ["en"],
    "avatarUrl": "https://tutelage.example/grace.png",
}
MENTOR_PROFILE: dict[str, Any] = {
    "id": DRAFT["mentorProfileId"],
    "userId": _MENTOR_USER,
    "name": "Grace Hopper",
    **NEW_MENTOR_PROFILE,
    "rating": 4.8,
    "reviewCount": 12,
    "active": True,
}
NEW_PROFILE_OF_MENTOR: dict[str, Any] = {**MENTOR_PROFILE, "rating": None, "reviewCount": 0}
PROFILE_CHANGES: dict[str, Any] = {"headline": "Director of engineering", "skills": ["go", "leadership", "hiring"]}
CHANGED_PROFILE: dict[str, Any] = {**MENTOR_PROFILE, **PROFILE_CHANGES}

NEW_LISTING: dict[str, Any] = {
    "title": "Career advice",
    "description": "An hour about your next step.",
    "durationMinutes": 60,
    "price": {"amount": 4000, "currency": "USD"},
    "bookingMode": "request",
    "bufferMinutes": 10,
    "cancellation": {"windowHours": 24, "lateFeePercent": 50},
    "location": {"kind": "address", "value": "12 Market Street, second bell"},
}
LISTING: dict[str, Any] = {
    "id": DRAFT["listingId"],
    "mentorProfileId": DRAFT["mentorProfileId"],
    **NEW_LISTING,
    "courseId": None,
    "earlyStartMinutes": 15,
    "minNoticeMinutes": 0,
    "bufferBeforeMinutes": 0,
    "reminderMinutes": None,
    "active": True,
}
LISTING_CHANGES: dict[str, Any] = {"price": {"amount": 4500, "currency": "USD"}, "minNoticeMinutes": 120}
CHANGED_LISTING: dict[str, Any] = {**LISTING, **LISTING_CHANGES}

DECLINING = {"reason": "I am travelling that week."}
DECLINED: dict[str, Any] = {
    **DRAFT,
    "status": "declined",
    "declineReason": DECLINING["reason"],
    "updatedAt": "2030-05-01T12:30:00Z",
}
WITHDRAWING = {"reason": "I have found another time."}
WITHDRAWN: dict[str, Any] = {
    **DRAFT,
    "status": "cancelled",
    "cancelReason": WITHDRAWING["reason"],
    "updatedAt": "2030-05-01T12:30:00Z",
}
CANCELLED_AS_SESSION: dict[str, Any] = {**ACCEPTED, "cancellation": CANCELLED["cancellation"]}
# An accepted booking that a product or a credit paid for is cancelled with the fields of a session's cancellation.
CANCELLING_AS_SESSION = CANCELLATION
