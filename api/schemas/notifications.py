"""Notifications: what a person is told, and which of that they want to hear by which way."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Line, Moment, QueryFlag, TrueOrFalse
from models.notifications import Channel
from workflows.notifications.kinds import OFFERED
from workflows.notifications.preferences import Preferences as PreferencesRecord
from workflows.webhooks.address import LONGEST

# As clients write them.
CHANNELS = {Channel.IN_APP: "in_app", Channel.EMAIL: "email", Channel.PUSH: "push"}


class Notification(ResponseSchema):
    """Something that one person is told in the application."""

    id = Id()
    kind = fields.String(metadata={"example": "session_created"})
    title = fields.String()
    body = fields.String(metadata={"description": "Plain text in paragraphs; lines that begin with > are quoted."})
    created_at = Moment()
    read_at = Moment(allow_none=True)
    session_id = Id(allow_none=True)
    booking_id = Id(allow_none=True)


class NotificationFilters(ListQuery):
    """Which notifications to list."""

    unread = QueryFlag(metadata={"description": "true: only those that are unread; false: only those that are read."})


class UnreadCount(ResponseSchema):
    """How many are unread."""

    unread = fields.Integer()


class ReadCount(ResponseSchema):
    """How many have become read by this."""

    read = fields.Integer()


class Channels(ResponseSchema):
    """By which ways a kind is heard of."""

    in_app = fields.Boolean()
    email = fields.Boolean()
    push = fields.Boolean(metadata={"description": "To browsers that have subscribed."})


class Preference(ResponseSchema):
    """One kind of notification, and by which ways it is heard of."""

    kind = fields.String(metadata={"example": "session_created"})
    description = fields.String()
    channels = fields.Nested(Channels)
    always = fields.List(
        fields.String(metadata={"enum": ["inApp", "email", "push"]}),
        metadata={"description": "The ways that cannot be switched off."},
    )


class Preferences(ResponseSchema):
    """Every kind of notification that there is."""

    items = fields.List(fields.Nested(Preference))


class ChannelWishes(RequestSchema):
    """By which ways a kind is to be heard of; what is left out is as the kind has it."""

    in_app = TrueOrFalse()
    email = TrueOrFalse()
    push = TrueOrFalse()


class Wish(RequestSchema):
    """How one kind is to be heard of."""

    kind = Line(100, required=True, metadata={"example": "session_completed"})
    channels = fields.Nested(ChannelWishes, required=True)
    # Whoever changes what they have read sends it back whole.
    description = fields.String(metadata={"description": "As it was read; it changes nothing."})
    always = fields.List(fields.String(), metadata={"description": "As it was read; it changes nothing."})


class Wishes(RequestSchema):
    """All that somebody wants otherwise than it is by itself; it replaces what they wanted before."""

    items = fields.List(fields.Nested(Wish), required=True, validate=validate.Length(max=10 * len(OFFERED)))

    @ma.validates_schema(skip_on_field_errors=True)
    def check_each_once(self, data: dict[str, Any], **_context: object) -> None:
        """Refuse a kind that stands there twice: nobody could say which one is meant."""
        kinds = [item["kind"] for item in data["items"]]
        if len(kinds) != len(set(kinds)):
            raise ma.ValidationError("Each kind must be given once.", "items")


Notifications = page_of(Notification, "Notifications")


def shown_preferences(preferences: PreferencesRecord) -> dict[str, Any]:
    """Preferences as an answer shows them."""
    return {
        "items": [
            {
                "kind": item.kind,
                "description": item.sentence,
                "channels": {name: item.channels[channel] for channel, name in CHANNELS.items()},
                "always": sorted("inApp" if channel is Channel.IN_APP else channel.value for channel in item.always),
            }
            for item in preferences.items
        ]
    }


def wishes_of(body: dict[str, Any]) -> dict[str, dict[Channel, bool]]:
    """What a body asks for, by kind and channel."""
    return {
        item["kind"]: {
            channel: item["channels"][name] for channel, name in CHANNELS.items() if name in item["channels"]
        }
        for item in body["items"]
    }


class BrowserKeys(RequestSchema):
    """What messages for a browser are encrypted by."""

    p256dh = Line(200, required=True, metadata={"description": "Its public key, in base64 for URLs."})
    auth = Line(100, required=True, metadata={"description": "Its secret of 16 bytes, in base64 for URLs."})


class NewPushSubscription(RequestSchema):
    """A browser's `PushSubscription` as JSON."""

    endpoint = Line(LONGEST, required=True, metadata={"example": "https://push.example/send/abc"})
    expiration_time = fields.Float(allow_none=True, metadata={"description": "As browsers send it; not looked at."})
    keys = fields.Nested(BrowserKeys, required=True)


class PushSubscription(ResponseSchema):
    """A browser that shows one's notifications. Where it is reached is not shown again."""

    id = Id()
    host = fields.String(metadata={"example": "push.example", "description": "Its maker's push service."})
    created_at = Moment()


class PushKey(ResponseSchema):
    """What a browser is told when it subscribes."""

    public_key = fields.String(metadata={"description": "`applicationServerKey` of `PushManager.subscribe()`."})


class PushFilters(ListQuery):
    """Which part of one's browsers to list."""


PushSubscriptions = page_of(PushSubscription, "PushSubscriptions")


class CalendarSecret(ResponseSchema):
    """What leads to the caller's feed. It is shown this once: only what it hashes to is kept."""

    secret = fields.String(metadata={"description": "Whoever knows it reads the feed; make a new one to end that."})
    url = fields.String(metadata={"format": "uri", "description": "What a calendar program subscribes to."})
