"""Examples for the documentation: all that is kept of a person."""

from __future__ import annotations

from typing import Any

from api.openapi import examples
from api.openapi.account_examples import USER

EXPORT: dict[str, Any] = {
    "user": {**USER, "emailChanges": [], "pushSubscriptions": []},
    "mentorProfile": None,
    "listings": [],
    "bookings": [examples.ACCEPTED],
    "sessions": [{**examples.COMPLETED, "rating": None, "feedback": None}],
    "seats": [
        {
            "bookingId": "01985f3b-2a4c-7e31-8c65-3d7e8f9a0b05",
            "state": "left",
            "late": False,
            "fee": {"amount": 0, "currency": "USD"},
            "refund": {"amount": 1500, "currency": "USD"},
            "reason": None,
            "createdAt": "2030-05-02T10:00:00Z",
        }
    ],
    "bundles": [],
    "reviews": [],
    "notifications": [],
    "preferences": [
        {"kind": "session_started", "channel": "email", "wanted": False, "updatedAt": "2030-04-21T07:30:00Z"}
    ],
    "calendarFeeds": [],
    "holds": [],
    "audit": [],
}
