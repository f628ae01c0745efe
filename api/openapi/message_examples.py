"""Examples for the documentation: notifications, browsers for Web Push, webhook endpoints and their deliveries."""

from __future__ import annotations

from typing import Any

from api.openapi.examples import SESSION

NOTIFICATION: dict[str, Any] = {
    "id": "01986f22-3a4b-7c51-8d62-9e0f1a2b3c16",
    "kind": "session_created",
    "title": "Your session with Grace Hopper is booked",
    "body": "From engineer to manager, on 4 May 2030 from 10:00 to 11:00 (Europe/London).",
    "createdAt": "2030-05-01T12:30:00.300000Z",
    "readAt": None,
    "sessionId": SESSION["id"],
    "bookingId": SESSION["bookingId"],
}
READ_NOTIFICATION: dict[str, Any] = {**NOTIFICATION, "readAt": "2030-05-01T13:05:00Z"}
UNREAD_COUNT = {"unread": 3}
READ_COUNT = {"read": 3}

PREFERENCES_UPDATE: dict[str, Any] = {
    "items": [{"kind": "session_created", "channels": {"email": False, "push": True}}]
}
PREFERENCES: dict[str, Any] = {
    "items": [
        {
            "kind": "session_created",
            "description": "A session is booked.",
            "channels": {"inApp": True, "email": False, "push": True},
            "always": ["inApp"],
        }
    ]
}

PUSH_KEY = {
    "publicKey": "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
}
NEW_BROWSER: dict[str, Any] = {
    "endpoint": "https://push.example/send/dG9rZW4",
    "expirationTime": None,
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
BROWSER: dict[str, Any] = {
    "id": "01986f23-4b5c-7d61-8e72-0f1a2b3c4d17",
    "host": "push.example",
    "createdAt": "2030-05-01T13:10:00Z",
}

NEW_ENDPOINT: dict[str, Any] = {
    "url": "https://partner.example/webhooks",
    "eventTypes": ["session.created", "session.completed"],
    "description": "Billing",
    "rateLimit": 10,
}
ENDPOINT: dict[str, Any] = {
    "id": "01986f24-5c6d-7e71-8f82-1a2b3c4d5e18",
    **NEW_ENDPOINT,
    "headerNames": [],
    "signing": "hmac-sha256",
    "state": "active",
    "disabledReason": None,
    "consecutiveFailures": 0,
    "failingSince": None,
    "retryingAt": None,
    "createdAt": "2030-04-20T08:00:00Z",
}
# Until its ping has been answered.
NEW_ENDPOINT_ANSWER: dict[str, Any] = {**ENDPOINT, "state": "pending"}
ENDPOINT_CHANGES: dict[str, Any] = {"eventTypes": ["*"], "state": "paused"}
CHANGED_ENDPOINT: dict[str, Any] = {**ENDPOINT, **ENDPOINT_CHANGES}
SECRET = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
_EVENT_ID = "01986f25-6d7e-7f81-8092-2b3c4d5e6f19"
SECRET_ROTATION = {"graceHours": 24}
MESSAGE = {"endpointId": ENDPOINT["id"], "eventId": _EVENT_ID}
EXAMPLE_REQUEST = {"eventType": "session.completed"}
RECOVERY = {"since": "2030-05-01T00:00:00Z", "until": "2030-05-02T00:00:00Z"}
RECOVERED = {"recovered": 42}

DELIVERY: dict[str, Any] = {
    "id": "6f0b7c0e-2f4d-5b1a-9a50-8d6f1e2c3b1a",
    "endpointId": ENDPOINT["id"],
    "eventId": _EVENT_ID,
    "eventType": "session.completed",
    "state": "done",
    "attempts": 2,
    "nextAttemptAt": None,
    "lastStatusCode": 204,
    "lastError": None,
    "lastErrorClass": None,
    "createdAt": "2030-05-04T10:01:40Z",
    "doneAt": "2030-05-04T10:01:46Z",
}
DELIVERY_DETAILS: dict[str, Any] = {
    **DELIVERY,
    "attemptLog": [
        {
            "number": 1,
            "at": "2030-05-04T10:01:40.200000Z",
            "outcome": "retry",
            "statusCode": 503,
            "durationMs": 84,
            "error": "The endpoint answered 503.",
            "errorClass": "status",
            "response": "Please try again",
        },
        {
            "number": 2,
            "at": "2030-05-04T10:01:45.900000Z",
            "outcome": "done",
            "statusCode": 204,
            "durationMs": 61,
            "error": None,
            "errorClass": None,
            "response": "",
        },
    ],
}
RESENT_DELIVERY: dict[str, Any] = {
    **DELIVERY,
    "state": "pending",
    "nextAttemptAt": "2030-05-06T07:30:00Z",
    "doneAt": None,
}
EVENTS: dict[str, Any] = {
    "items": [
        {
            "id": _EVENT_ID,
            "type": "review.unlocked",
            "timestamp": "2030-05-04T10:00:00.000Z",
            "sequence": 4711,
            "data": {"sessionId": SESSION["id"]},
        }
    ],
    "nextCursor": "WyI3NTMiLCI0NzExIl0.x7Qk",
    "hasMore": False,
}
EVENT_TYPES: dict[str, Any] = {
    "items": [
        {
            "type": "review.unlocked",
            "description": "A mentee may review a completed session.",
            "schema": {"type": "object", "properties": {"data": {"type": "object"}}},
            "example": {"id": _EVENT_ID, "type": "review.unlocked", "data": {"sessionId": SESSION["id"]}},
        }
    ]
}
