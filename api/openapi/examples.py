"""Examples for the documentation: one booking with one mentor through its whole life, and what belongs to it."""

from __future__ import annotations

from typing import Any

_BOOKING_ID = "01985f3a-7c1e-7d20-9b54-2f6f0c8e1a01"
_SESSION_ID = "3c0f8b0e-52c7-5a55-8d0e-6a6f5f0f7b11"
_MENTOR = "01985f39-11aa-7b31-8c22-0a4b7e5d9f02"
_MENTEE = "01985f38-02bc-7f42-a1d3-5b8c9e7f1a03"
_LISTING = "01985f39-9fdd-7c53-b2e4-7c9d0f8a2b04"
_GROUP_ID = "01985f3b-2a4c-7e31-8c65-3d7e8f9a0b05"
_TEMPLATE_ID = "01985f3b-1b2d-7c42-9d76-4e8f9a0b1c06"
_TIMES = {"startTime": "2030-05-04T09:00:00Z", "endTime": "2030-05-04T10:00:00Z"}

_MENTOR_PARTY = {
    "id": _MENTOR,
    "name": "Grace Hopper",
    "headline": "Engineering manager, 12 years",
    "avatarUrl": None,
}

_ONLINE = {"kind": "online", "value": None}

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
    "mentor": _MENTOR_PARTY,
    "mentee": {"id": _MENTEE, "name": "Ada Lovelace"},
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
    "seriesId": None,
    "location": _ONLINE,
    "sessionId": None,
    "declineReason": None,
    "cancelReason": None,
    "createdAt": "2030-05-01T08:00:00Z",
    "updatedAt": "2030-05-01T08:00:00Z",
}

ACCEPTED = {**DRAFT, "status": "accepted", "sessionId": _SESSION_ID, "updatedAt": "2030-05-01T12:30:00Z"}

SESSION: dict[str, Any] = {
    "id": _SESSION_ID,
    "bookingId": _BOOKING_ID,
    "mentorProfileId": _MENTOR,
    "menteeUserId": _MENTEE,
    "mentor": _MENTOR_PARTY,
    "mentee": {"id": _MENTEE, "name": "Ada Lovelace"},
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
    "location": _ONLINE,
    "earlyStartMinutes": 15,
    "joinUrl": None,
    "createdAt": "2030-05-01T12:30:00.120000Z",
    "updatedAt": "2030-05-01T12:30:00.120000Z",
}

STARTED = {
    **SESSION,
    "status": "in_progress",
    "startedAt": "2030-05-04T08:58:12Z",
    "joinUrl": "https://meet.jit.si/9d0cbd1f4c5e4c2f8a4b7f1e2d3c4b5a",
    "updatedAt": "2030-05-04T08:58:12Z",
}

COMPLETION: dict[str, Any] = {
    "notes": "We went through the first ninety days.",
    "rating": 5,
    "feedback": "Well prepared.",
    "actionItems": ["Write down three goals", "Meet every report alone"],
}

ATTENDANCE: dict[str, Any] = {"attendance": [{"userId": _MENTEE, "present": True}]}

PARTICIPANTS: dict[str, Any] = {"items": [{"userId": _MENTEE, "name": "Ada Lovelace", "present": True}]}

COMPLETED = {
    **STARTED,
    **COMPLETION,
    "status": "completed",
    "completedAt": "2030-05-04T10:01:40Z",
    "joinUrl": None,
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
        "creditReturned": None,
        "creditValidTo": None,
        "policy": {"windowHours": 24, "lateFeePercent": 50},
        "waivedAt": None,
    },
    "fee": _HALF,
    "refund": _HALF,
    "updatedAt": "2030-05-03T18:00:00Z",
}

_PRICE = {"amount": 4000, "currency": "USD"}
_NOTHING = {"amount": 0, "currency": "USD"}

NO_SHOW = {"who": "mentee"}

NOT_ATTENDED: dict[str, Any] = {
    **CANCELLED,
    "cancelledAt": "2030-05-04T09:20:00Z",
    "cancellation": {
        **CANCELLED["cancellation"],
        "type": "no_show",
        "reason": "The mentee did not come.",
        "refundRequested": False,
    },
    "updatedAt": "2030-05-04T09:20:00Z",
}

VOIDING = {"reason": "The mentor fell ill during the session."}

VOIDED: dict[str, Any] = {
    **STARTED,
    "status": "cancelled",
    "cancelledAt": "2030-05-06T08:00:00Z",
    "cancellation": {
        **NOT_ATTENDED["cancellation"],
        "cancelledBy": "operator",
        "type": "void",
        **VOIDING,
        "late": False,
        "fee": _NOTHING,
        "refund": _PRICE,
    },
    "fee": _NOTHING,
    "refund": _PRICE,
    "updatedAt": "2030-05-06T08:00:00Z",
}

WAIVING = {"reason": "The mentee was in hospital."}

WAIVED: dict[str, Any] = {
    **CANCELLED,
    "cancellation": {**CANCELLED["cancellation"], "refund": _PRICE, "waivedAt": "2030-05-07T10:00:00Z"},
    "refund": _PRICE,
    "updatedAt": "2030-05-07T10:00:00Z",
}

QUOTE: dict[str, Any] = {
    "sessionId": _SESSION_ID,
    "allowed": True,
    "cancelledBy": "mentee",
    "late": True,
    "fee": _HALF,
    "refund": _HALF,
    "freeUntil": "2030-05-03T09:00:00Z",
    "creditReturned": None,
    "creditValidTo": None,
    "policy": {"windowHours": 24, "lateFeePercent": 50},
}

SESSION_OF_MENTEE = {**COMPLETED, "rating": None, "feedback": None}

BOOKED = {"booking": ACCEPTED, "session": SESSION}

NEW_SESSION: dict[str, Any] = {
    "mentorProfileId": _MENTOR,
    "scheduledAt": _TIMES["startTime"],
    "durationMinutes": 60,
    "title": NEW_BOOKING["title"],
    "description": NEW_BOOKING["notes"],
    "metadata": NEW_BOOKING["metadata"],
}

REQUESTED_DIRECTLY = {"booking": DRAFT, "session": None}
BOOKED_DIRECTLY = {"booking": ACCEPTED, "session": None}
_COURSE_ID = "01985f30-1c2d-7e40-9fa2-5e6f7a8b9c06"
_PRODUCT_ID = "01985f31-2d3e-7f51-8ab3-6f7a8b9c0d0c"
_SERIES_ID = "01985f3a-8d2f-7e31-8c65-3a7b1d9f2b0d"
_NEXT_BOOKING_ID = "01985f3a-7c1e-7d20-9b54-2f6f0c8e1a0e"

NEW_INDIVIDUAL_BOOKING: dict[str, Any] = {
    "courseId": _COURSE_ID,
    "startTime": _TIMES["startTime"],
    "durationMinutes": 60,
    "productId": _PRODUCT_ID,
    "notes": "Eigenvalues, please.",
    "recurrence": {"count": 3, "onConflict": "skip"},
    "timeZone": "Europe/Berlin",
}

INDIVIDUAL_BOOKING: dict[str, Any] = {
    **ACCEPTED,
    "title": None,
    "notes": NEW_INDIVIDUAL_BOOKING["notes"],
    "metadata": None,
    "courseId": _COURSE_ID,
    "productId": _PRODUCT_ID,
    "seriesId": _SERIES_ID,
    "series": {
        "id": _SERIES_ID,
        "made": [
            {"startTime": _TIMES["startTime"], "bookingId": _BOOKING_ID, "sessionId": _SESSION_ID},
            {
                "startTime": "2030-05-18T09:00:00Z",
                "bookingId": _NEXT_BOOKING_ID,
                "sessionId": "3c0f8b0e-52c7-5a55-8d0e-6a6f5f0f7b0f",
            },
        ],
        "skipped": [
            {
                "startTime": "2030-05-11T09:00:00Z",
                "code": "slot_taken",
                "message": "The mentor is already booked at this time; choose another time.",
            }
        ],
    },
}

BOOKED_INDIVIDUALLY = {
    "booking": {name: value for name, value in INDIVIDUAL_BOOKING.items() if name != "series"},
    "session": {
        **SESSION,
        "title": None,
        "description": NEW_INDIVIDUAL_BOOKING["notes"],
        "metadata": None,
    },
    "series": INDIVIDUAL_BOOKING["series"],
}

SERIES_CANCELLATION = {"from": "2030-05-11T00:00:00Z", "reason": "I have moved to another course."}
CANCELLED_SERIES = {"cancelled": [_NEXT_BOOKING_ID], "kept": []}

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

_MORNING = {"weekday": 0, "startTime": "09:00", "endTime": "12:30"}
_EVENING = {"weekday": 3, "startTime": "18:00", "endTime": "24:00"}

NEW_HOURS: dict[str, Any] = {"timeZone": "Europe/Berlin", "hours": [_MORNING, _EVENING]}

WEEKLY_HOURS: dict[str, Any] = {"mentorProfileId": COMPLETED["mentorProfileId"], **NEW_HOURS}

NEW_DATE_HOURS: dict[str, Any] = {"hours": [{"startTime": "10:00", "endTime": "14:00"}]}

DATE_HOURS: dict[str, Any] = {
    "mentorProfileId": COMPLETED["mentorProfileId"],
    "date": "2030-05-04",
    "timeZone": "Europe/Berlin",
    **NEW_DATE_HOURS,
}

NEW_TIME_OFF: dict[str, Any] = {
    "startTime": "2030-07-01T00:00:00Z",
    "endTime": "2030-07-15T00:00:00Z",
    "reason": "Summer holidays",
}

TIME_OFF: dict[str, Any] = {"id": "01985f3c-4b5d-7e61-8f82-6a7b8c9d0e07", **NEW_TIME_OFF}

NEW_BOOKING_RULES: dict[str, Any] = {
    "stepMinutes": 30,
    "horizonDays": 60,
    "maxPerDay": 5,
    "maxPerWeek": None,
    "maxPerMenteePerDay": 1,
    "maxPerMenteePerWeek": 2,
    "staleCalendars": "ignore",
}

BOOKING_RULES: dict[str, Any] = {"mentorProfileId": COMPLETED["mentorProfileId"], **NEW_BOOKING_RULES}

NEW_CALENDAR_FEED: dict[str, Any] = {"url": "https://calendar.example/private-8f2c/basic.ics", "name": "Private"}

NEW_FEED: dict[str, Any] = {
    "id": "01985f3c-6d7f-7083-8ba4-8c9d0e1f2a09",
    "name": "Private",
    "url": "https://calendar.example/…",
    "status": "pending",
    "lastFetchedAt": None,
    "lastError": None,
    "nextFetchAt": "2030-05-01T08:00:00Z",
    "createdAt": "2030-05-01T08:00:00Z",
}

CALENDAR_FEED_READ: dict[str, Any] = {
    **NEW_FEED,
    "status": "fresh",
    "lastFetchedAt": "2030-05-01T09:30:02Z",
    "nextFetchAt": "2030-05-01T09:45:31Z",
}

NEW_HOLD: dict[str, Any] = {"startTime": _TIMES["startTime"], "durationMinutes": 60}

HOLD: dict[str, Any] = {
    "id": "01985f3c-5c6e-7f72-9a93-7b8c9d0e1f08",
    "mentorProfileId": COMPLETED["mentorProfileId"],
    **_TIMES,
    "expiresAt": "2030-05-01T08:05:00Z",
    "createdAt": "2030-05-01T08:00:00Z",
}

_REVIEW_ID = "01986a10-5a21-7f30-8b91-4d5e6f7a8b05"

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
    "occurredAt": "2030-05-07T09:00:00Z",
    "actor": "operator:jo",
    "action": "review.hidden",
    "subjectType": "review",
    "subjectId": _REVIEW_ID,
    "result": "ok",
    "method": "PATCH",
    "route": "/reviews/<id:review_id>",
    "addressHash": "1f0e5c2b7a9d4836b1c4e7f20a5d9386",
    "requestId": "5f0c7e0d9b6b4a0e8f7d1c2b3a495867",
    "reason": MODERATION["reason"],
    "data": {"mentorProfileId": COMPLETED["mentorProfileId"], "rating": 5},
    "count": 1,
}

NEW_COURSE: dict[str, Any] = {"title": "Linear algebra I", "description": "Vectors, matrices, and what they are for."}

COURSE: dict[str, Any] = {"id": _COURSE_ID, **NEW_COURSE, "active": True, "createdAt": "2030-04-01T08:00:00Z"}

_LIBRARY = {"kind": "address", "value": "Library, room 2"}

_LEAVER = "01985f30-1c2d-7e40-9fa2-5e6f7a8b9c21"

LISTED_GROUP: dict[str, Any] = {
    **DRAFT,
    "id": _GROUP_ID,
    "listingId": None,
    "menteeUserId": None,
    "mentee": None,
    "kind": "group",
    "status": "accepted",
    "title": "Exercises in linear algebra",
    "notes": None,
    "metadata": None,
    "price": {"amount": 1500, "currency": "USD"},
    "courseId": _COURSE_ID,
    "seriesId": None,
    "location": {**_LIBRARY, "value": None},
    "sessionId": "8f4d2a61-0c3b-5e77-9a15-2b6c7d8e9f12",
    "templateId": _TEMPLATE_ID,
    "date": "2030-05-04",
    "capacity": 6,
    "seatsTaken": 4,
    "seatsOffered": 1,
    "full": False,
    "cancellationPolicy": {"windowHours": 24, "lateFeePercent": 50},
    "cancelledAt": None,
    "joined": True,
    "waitlistPosition": None,
}

GROUP: dict[str, Any] = {**LISTED_GROUP, "participants": None, "cancellations": []}

GROUP_OF_MENTOR: dict[str, Any] = {
    **LISTED_GROUP,
    "joined": False,
    "participants": [{"userId": _MENTEE, "name": "Ada Lovelace", "present": None}],
    "cancellations": [
        {
            "userId": _LEAVER,
            "name": "Ben Hall",
            "late": True,
            "fee": {"amount": 750, "currency": "USD"},
            "refund": {"amount": 750, "currency": "USD"},
            "creditReturned": None,
            "reason": "I am travelling.",
            "leftAt": "2030-05-03T20:12:00Z",
            "waivedAt": None,
        }
    ],
}

NEW_GROUP_TEMPLATE: dict[str, Any] = {
    "courseId": _COURSE_ID,
    "title": "Exercises in linear algebra",
    "weekday": 5,
    "startTime": "11:00",
    "timeZone": "Europe/Berlin",
    "durationMinutes": 60,
    "capacity": 6,
    "price": {"amount": 1500, "currency": "USD"},
    "location": _LIBRARY,
}

GROUP_TEMPLATE: dict[str, Any] = {
    "id": _TEMPLATE_ID,
    "mentorProfileId": _MENTOR,
    "productId": None,
    **NEW_GROUP_TEMPLATE,
    "earlyStartMinutes": 15,
    "bufferMinutes": 0,
    "cancellation": {"windowHours": 24, "lateFeePercent": 50},
    "active": True,
    "createdAt": "2030-04-20T08:00:00Z",
}

SCHEDULE_PERIOD: dict[str, Any] = {"from": "2030-05-01", "to": "2030-05-31"}

SCHEDULE: dict[str, Any] = {
    "made": [{"date": "2030-05-04", "bookingId": _GROUP_ID}],
    "conflicts": [{"date": "2030-05-11", "code": "slot_taken", "with": _BOOKING_ID}],
    "skipped": [{"date": "2030-05-18", "code": "exists"}],
}

PAYMENT: dict[str, Any] = {"bundlePurchaseId": "01985f3c-1d2e-7f40-8a51-6b7c8d9e0f13"}
JOINING = PAYMENT
JOINED_GROUP: dict[str, Any] = {**GROUP, "seatsTaken": 5, "full": True, "joined": True}
LEAVING = {"reason": "I have fallen ill."}
LEFT_GROUP: dict[str, Any] = {
    **GROUP,
    "joined": False,
    "cancellation": {
        "late": True,
        "fee": {"amount": 750, "currency": "USD"},
        "refund": {"amount": 750, "currency": "USD"},
        "creditReturned": None,
        "creditValidTo": None,
        "policy": {"windowHours": 24, "lateFeePercent": 50},
    },
}
WAITING: dict[str, Any] = {"position": 3, "offer": None}
OFFERED: dict[str, Any] = {"position": 1, "offer": {"expiresAt": "2030-05-03T18:00:00Z"}}

SKILL = {"skill": "linear algebra", "mentors": 12}

NEW_PRODUCT: dict[str, Any] = {
    "kind": "bundle",
    "title": "Five sessions",
    "sessionCount": 5,
    "durationMinutes": 60,
    "price": {"amount": 18000, "currency": "USD"},
    "validDays": 180,
}

PRODUCT: dict[str, Any] = {
    "id": "01985f31-2d3e-7f50-8ab3-6f7a8b9c0d0b",
    "courseId": _COURSE_ID,
    **NEW_PRODUCT,
    "active": True,
}

SUPPORT_OPTIONS: dict[str, Any] = {
    "course": COURSE,
    "mentors": [
        {
            "id": _MENTOR,
            "name": "Grace Hopper",
            "headline": "Engineering manager, 12 years",
            "rating": 4.8,
            "reviewCount": 12,
            "listings": [{"id": _LISTING, "durationMinutes": 60, "price": {"amount": 4000, "currency": "USD"}}],
        }
    ],
    "products": [PRODUCT],
    "groupSessions": [LISTED_GROUP],
}

DEAD_DELIVERY: dict[str, Any] = {
    "id": "6f0b7c0e-2f4d-5b1a-9a50-8d6f1e2c3b08",
    "effect": "mail.send",
    "queue": "notifications",
    "target": "01986f21-3b44-7c52-8d13-7a8b9c0d1e09",
    "eventId": "01986f20-9a33-7b41-9c02-6f7a8b9c0d0a",
    "eventType": "session.completed",
    "subjectType": "session",
    "subjectId": COMPLETED["id"],
    "state": "dead",
    "attempts": 8,
    "dueAt": "2030-05-05T11:20:00Z",
    "nextAttemptAt": None,
    "doneAt": None,
    "lastError": "550 Mailbox unavailable",
    "createdAt": "2030-05-04T10:01:40Z",
}

_NOW = "2030-05-06T07:30:00Z"
RETRIED_DELIVERY = {**DEAD_DELIVERY, "state": "pending", "dueAt": _NOW, "nextAttemptAt": _NOW}

DELIVERY_CANCELLATION = {"reason": "The mail address no longer exists."}
CANCELLED_DELIVERY = {
    **DEAD_DELIVERY,
    "state": "cancelled",
    "attempts": 3,
    "lastError": DELIVERY_CANCELLATION["reason"],
}

DELIVERIES_TO_RETRY = {"state": "dead", "effect": "mail.send", "since": "2030-05-04T00:00:00Z"}
RETRIED_DELIVERIES = {"id": "01986f30-5c55-7d63-9e24-8b9c0d1e2f0b", "retried": 132}


def page(item: dict[str, Any]) -> dict[str, Any]:
    """A page with one item, and nothing after it."""
    return {"items": [item], "nextCursor": None}


_BUNDLE_ID = "01985f31-4d5e-7a61-8b72-6c7d8e9f0a11"

NEW_BUNDLE: dict[str, Any] = {"productId": PRODUCT["id"]}

LISTED_BUNDLE: dict[str, Any] = {
    "id": _BUNDLE_ID,
    "menteeUserId": _MENTEE,
    "courseId": _COURSE_ID,
    "productId": PRODUCT["id"],
    "totalSessions": 5,
    "remainingSessions": 4,
    "durationMinutes": 60,
    "price": {"amount": 18000, "currency": "USD"},
    "validFrom": "2030-04-02T08:00:00Z",
    "validTo": "2030-09-29T08:00:00Z",
    "status": "active",
    "createdAt": "2030-04-02T08:00:00Z",
}

BUNDLE: dict[str, Any] = {
    **LISTED_BUNDLE,
    "ledger": [
        {
            "id": "01985f31-4d5e-7a61-8b72-6c7d8e9f0a12",
            "kind": "purchase",
            "credits": 5,
            "balance": 5,
            "bookingId": None,
            "reason": None,
            "createdAt": "2030-04-02T08:00:00Z",
        },
        {
            "id": "01985f3a-7c1e-7d20-9b54-2f6f0c8e1a13",
            "kind": "spend",
            "credits": -1,
            "balance": 4,
            "bookingId": _BOOKING_ID,
            "reason": None,
            "createdAt": "2030-05-01T08:00:00Z",
        },
    ],
}

BUNDLE_ADJUSTMENT: dict[str, Any] = {"credits": 1, "reason": "The connection broke down in the last session."}

ADJUSTED_BUNDLE: dict[str, Any] = {
    **BUNDLE,
    "totalSessions": 6,
    "remainingSessions": 5,
    "ledger": [
        *BUNDLE["ledger"],
        {
            "id": "01985f3f-9a0b-7c31-8d42-1e2f3a4b5c14",
            "kind": "adjust",
            "credits": 1,
            "balance": 5,
            "bookingId": None,
            "reason": BUNDLE_ADJUSTMENT["reason"],
            "createdAt": "2030-05-05T08:00:00Z",
        },
    ],
}
