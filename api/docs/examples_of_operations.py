"""Examples for the documentation: a mail that was given up while the mail server was away, and its retry."""

from __future__ import annotations

from typing import Any

from api.docs.examples import COMPLETED, page

__all__ = ["page"]

DEAD: dict[str, Any] = {
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
RETRIED = {**DEAD, "state": "pending", "dueAt": _NOW, "nextAttemptAt": _NOW}

CANCELLING = {"reason": "The address is nobody's any more."}
CANCELLED = {**DEAD, "state": "cancelled", "attempts": 3, "lastError": CANCELLING["reason"]}

RETRYING = {"state": "dead", "effect": "mail.send", "since": "2030-05-04T00:00:00Z"}
ALL_RETRIED = {"id": "01986f30-5c55-7d63-9e24-8b9c0d1e2f0b", "retried": 132}
