"""Examples for the documentation: one booking of one mentee with one mentor, followed through its whole life."""

from __future__ import annotations

from typing import Any

PREFER = {
    "in": "header",
    "name": "Prefer",
    "required": False,
    "description": "`wait=N`: wait up to N seconds (at most 10) for the session, and be answered 201 with it.",
    "schema": {"type": "string", "example": "wait=5"},
}

_BOOKING_ID = "01985f3a-7c1e-7d20-9b54-2f6f0c8e1a01"
_SESSION_ID = "3c0f8b0e-52c7-5a55-8d0e-6a6f5f0f7b11"
_MENTOR = "01985f39-11aa-7b31-8c22-0a4b7e5d9f02"
_MENTEE = "01985f38-02bc-7f42-a1d3-5b8c9e7f1a03"
_LISTING = "01985f39-9fdd-7c53-b2e4-7c9d0f8a2b04"
_TIMES = {"startTime": "2030-05-04T09:00:00Z", "endTime": "2030-05-04T10:00:00Z"}

NEW_BOOKING: dict[str, Any] = {
    "listingId": _LISTING,
    "startTime": _TIMES["startTime"],
    "title": "From engineer to manager",
    "notes": "I would like to talk about my first weeks.",
    "metadata": {"source": "website"},
}

DRAFT: dict[str, Any] = {
    "id": _BOOKING_ID,
    "listingId": _LISTING,
    "mentorProfileId": _MENTOR,
    "menteeUserId": _MENTEE,
    "kind": "individual",
    **_TIMES,
    "durationMinutes": 60,
    "status": "draft",
    "title": NEW_BOOKING["title"],
    "notes": NEW_BOOKING["notes"],
    "metadata": NEW_BOOKING["metadata"],
    "price": {"amount": 4000, "currency": "USD"},
    "courseId": None,
    "productId": None,
    "bundlePurchaseId": None,
    "sessionId": None,
    "declineReason": None,
    "createdAt": "2030-05-01T08:00:00Z",
    "updatedAt": "2030-05-01T08:00:00Z",
}

ACCEPTED = {**DRAFT, "status": "accepted", "sessionId": _SESSION_ID, "updatedAt": "2030-05-01T12:30:00Z"}

SESSION: dict[str, Any] = {
    "id": _SESSION_ID,
    "bookingId": _BOOKING_ID,
    "mentorProfileId": _MENTOR,
    "menteeUserId": _MENTEE,
    "title": NEW_BOOKING["title"],
    "description": None,
    **_TIMES,
    "status": "scheduled",
    "notes": None,
    "metadata": NEW_BOOKING["metadata"],
    "rating": None,
    "feedback": None,
    "actionItems": None,
    "startedAt": None,
    "completedAt": None,
    "cancelledAt": None,
    "cancellation": None,
    "joinUrl": None,
    "createdAt": "2030-05-01T12:30:00.120000Z",
    "updatedAt": "2030-05-01T12:30:00.120000Z",
}

STARTED = {
    **SESSION,
    "status": "in_progress",
    "startedAt": "2030-05-04T08:58:12Z",
    "updatedAt": "2030-05-04T08:58:12Z",
}

COMPLETION: dict[str, Any] = {
    "notes": "We went through the first ninety days.",
    "rating": 5,
    "feedback": "Well prepared.",
    "actionItems": ["Write down three goals", "Meet every report alone"],
}

COMPLETED = {
    **STARTED,
    **COMPLETION,
    "status": "completed",
    "completedAt": "2030-05-04T10:01:40Z",
    "updatedAt": "2030-05-04T10:01:40Z",
}

CANCELLATION: dict[str, Any] = {"reason": "I have fallen ill.", "type": "client_request", "refundRequested": True}

_HALF = {"amount": 2000, "currency": "USD"}

CANCELLED: dict[str, Any] = {
    **SESSION,
    "status": "cancelled",
    "cancelledAt": "2030-05-03T18:00:00Z",
    "cancellation": {
        "cancelledBy": "mentee",
        **CANCELLATION,
        "late": True,
        "fee": _HALF,
        "refund": _HALF,
        "policy": {"windowHours": 24, "lateFeePercent": 50},
    },
    "fee": _HALF,
    "refund": _HALF,
    "updatedAt": "2030-05-03T18:00:00Z",
}

QUOTE: dict[str, Any] = {
    "sessionId": _SESSION_ID,
    "allowed": True,
    "cancelledBy": "mentee",
    "late": True,
    "fee": _HALF,
    "refund": _HALF,
    "freeUntil": "2030-05-03T09:00:00Z",
    "policy": {"windowHours": 24, "lateFeePercent": 50},
}

SESSION_OF_MENTEE = {**COMPLETED, "rating": None, "feedback": None}

BOOKED = {"booking": ACCEPTED, "session": SESSION}

EFFECTS = {
    "items": [
        {
            "effect": "sessions.create",
            "event": "booking.accepted",
            "target": "",
            "state": "done",
            "attempts": 1,
            "dueAt": "2030-05-01T12:30:00Z",
            "doneAt": "2030-05-01T12:30:00.120000Z",
        },
        {
            "effect": "reviews.unlock",
            "event": "session.completed",
            "target": "",
            "state": "pending",
            "attempts": 0,
            "dueAt": "2030-05-04T10:01:40Z",
            "doneAt": None,
        },
    ]
}


CALENDAR_SECRET = {
    "secret": "pK7bT0yq3mVhO2c9XwZ5sLr8dNfEaGu1iJtR4kYvQ6A",
    "url": "https://tutelage.example/calendar/pK7bT0yq3mVhO2c9XwZ5sLr8dNfEaGu1iJtR4kYvQ6A.ics",
}

CALENDAR_FEED = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tutelage//Tutelage//EN",
        "BEGIN:VEVENT",
        f"UID:{_BOOKING_ID}",
        "SEQUENCE:0",
        "DTSTAMP:20300501T123000Z",
        "DTSTART:20300504T090000Z",
        "DTEND:20300504T100000Z",
        "SUMMARY:From engineer to manager\\, with Grace Hopper",
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)


def page(item: dict[str, Any]) -> dict[str, Any]:
    """A page with one item, and nothing after it."""
    return {"items": [item], "nextCursor": None}
