"""Examples of the OpenAPI document: each field has one, by its metadata, its type or its name, and bodies have theirs.

Tools make the example of an answer from its fields' examples. The document has further ones for what is sent, and for
answers in which a step of a life cycle shows.
"""

from enum import Enum
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import marshmallow as ma

from api.schemas.base import camel

MOMENT, DAY = "2030-05-04T09:00:00Z", "2030-05-04"
MENTOR_ID, SESSION_ID = (str(uuid5(NAMESPACE_URL, name)) for name in ("mentorProfileId", "sessionId"))
# By the names of fields that have none of their own.
BY_NAME: dict[str, str | int | float | dict[str, Any]] = {
    "accepted": 160,
    "acceptedBookings": 160,
    "actionItems": "Write down three goals",
    "active": True,
    "addressHash": "1f0e5c2b7a9d4836b1c4e7f20a5d9386",
    "allowed": True,
    "always": "inApp",
    "answer": "Thank you, I enjoyed it too.",
    "attempts": 2,
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    "avatarUrl": "https://tutelage.example/grace.png",
    "averageSeconds": 5400.0,
    "balance": 5,
    "bio": "I have led teams of five to fifty.",
    "body": "From engineer to manager, on 4 May 2030 from 10:00 to 11:00 (Europe/London).",
    "bookedMinutes": 180,
    "bufferBeforeMinutes": 0,
    "bufferMinutes": 10,
    "cancelled": 2,
    "capacity": 6,
    "comment": "I left with a plan for my first ninety days.",
    "completed": 140,
    "connectedSeconds": 312.5,
    "consecutiveFailures": 0,
    "count": 80,
    "created": 14,
    "credits": 5,
    "description": "Vectors, matrices, and what they are for.",
    "disconnectedSeconds": 1.5,
    "durationMinutes": 60,
    "durationMs": 84,
    "earlyStartMinutes": 15,
    "effect": "mail.send",
    "email": "ada@example.org",
    "eventType": "session.completed",
    "eventTypes": "session.created",
    "firstSlotSeconds": 0.87,
    "formerEmail": "ada@former.example",
    "graceHours": 24,
    "headline": "Engineering manager, 12 years",
    "horizonDays": 60,
    "hour": 9,
    "kind": "online",
    "languages": "en",
    "lastStatusCode": 204,
    "lateCancellations": 1,
    "lateFeePercent": 50,
    "loadSeconds": 0.41,
    "locale": "en-GB",
    "maxPerDay": 5,
    "maxPerMenteePerDay": 1,
    "maxPerMenteePerWeek": 2,
    "maxTimes": 2,
    "mentorName": "Grace Hopper",
    "mentors": 12,
    "message": "The mentor is already booked at this time; choose another time.",
    "minNoticeMinutes": 0,
    "minutes": 630,
    "name": "Ada Lovelace",
    "network": 1,
    "nextCursor": "WyI3NTMiLCI0NzExIl0.x7Qk",
    "notes": "I would like to talk about my first weeks.",
    "number": 1,
    "openMinutes": 240,
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "p50Seconds": 3600.0,
    "p90Seconds": 14400.0,
    "p99Seconds": 72000.0,
    "position": 1,
    "publicKey": "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
    "rate": 1.0,
    "rateLimit": 10,
    "rating": 5,
    "read": 3,
    "reason": "I have fallen ill.",
    "reconnections": 1,
    "recovered": 42,
    "remainingSessions": 4,
    "reminderMinutes": 60,
    "requestId": "5f0c7e0d9b6b4a0e8f7d1c2b3a495867",
    "requests": 200,
    "retried": 132,
    "reviewCount": 12,
    "reviewed": 70,
    "seats": 3,
    "seatsJoined": 6,
    "seatsLeft": 1,
    "seatsLeftLate": 1,
    "seatsOffered": 1,
    "seatsRefunded": 2,
    "seatsTaken": 4,
    "sessionCount": 5,
    "sessions": 160,
    "skill": "go",
    "skills": "go",
    "started": 11,
    "statusCode": 204,
    "stepMinutes": 30,
    "target": "01986f21-3b44-7c52-8d13-7a8b9c0d1e09",
    "telemetryPercent": 10,
    "timeZone": "Europe/Berlin",
    "title": "From engineer to manager",
    "totalSessions": 5,
    "type": "review.unlocked",
    "unread": 3,
    "url": "https://partner.example/webhooks",
    "validDays": 180,
    "violations": 0,
    "weekday": 5,
    "windowHours": 24,
}
_LEAVES = {ma.fields.String: str, ma.fields.Integer: int, ma.fields.Float: float, ma.fields.Boolean: bool}


def example_of(schema: ma.Schema | type[ma.Schema], **changed: Any) -> dict[str, Any]:
    """The example of a body: its required fields, and those whose metadata has an example.

    Args:
        changed: fields with values of their own, by the names that clients know.
    """
    known = schema() if isinstance(schema, type) else schema
    shown = {
        field.data_key or name: value_of(field)
        for name, field in known.fields.items()
        if field.required or "example" in field.metadata
    }
    return {**shown, **changed}


def value_of(field: ma.fields.Field[Any]) -> Any:
    if "example" in field.metadata or given_of(field) is not None:
        return field.metadata["example"] if "example" in field.metadata else given_of(field)
    if isinstance(field, ma.fields.Nested):
        return [example_of(field.schema)] if field.many else example_of(field.schema)
    if field.allow_none:
        return None
    match field:
        case ma.fields.List():
            return [value_of(field.inner)]
        case ma.fields.Enum():
            member: Enum = next(iter(field.enum.__members__.values()))
            return member.value if field.by_value else member.name
        case ma.fields.UUID():
            return str(uuid5(NAMESPACE_URL, _key_of(field)))
        case ma.fields.DateTime():
            return MOMENT
        case ma.fields.Date():
            return DAY
        case ma.fields.Boolean():
            return False
        case _:
            return {}


def _key_of(field: ma.fields.Field[Any]) -> str:
    # The element of a list has the list's name.
    return field.data_key or camel(field.name or "")


def given_of(field: ma.fields.Field[Any]) -> Any:
    """The example that a field is given by its metadata, or by its name where that is of its type; None without one."""
    if field.metadata.get("example") is not None:
        return field.metadata["example"]
    for each in field.validators:
        if isinstance(each, ma.validate.OneOf):
            return next(iter(each.choices))
    named = BY_NAME.get(_key_of(field))
    kind = next((kind for base, kind in _LEAVES.items() if isinstance(field, base)), None)
    is_plain = not isinstance(field, ma.fields.UUID | ma.fields.Enum)
    return named if is_plain and kind is not None and type(named) in (kind, int if kind is float else kind) else None


def add_example(_converter: Any, field: ma.fields.Field[Any], **_options: Any) -> dict[str, Any]:
    given = given_of(field)
    if given is not None:
        return {"example": given}
    is_leaf = isinstance(field, ma.fields.String | ma.fields.Number | ma.fields.DateTime | ma.fields.Dict)
    return {"example": None} if field.allow_none and is_leaf else {}
