"""Notifications, notification preferences, push subscriptions and calendar feeds."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Line, Moment, QueryFlag, Text, TrueOrFalse
from models.notifications import Channel
from workflows.kernel.address import MAX_URL_CHARACTERS
from workflows.kernel.language import Language
from workflows.notifications.kinds import OFFERED
from workflows.notifications.preferences import Preferences as PreferencesRecord

# As clients write them.
CHANNELS = {Channel.IN_APP: "in_app", Channel.EMAIL: "email", Channel.PUSH: "push"}


class Notification(ResponseSchema):
    """An in-app notification."""

    id = Id()
    kind = fields.String(metadata={"example": "session_created"})
    title = fields.String()
    body = fields.String(metadata={"description": "Plain text in paragraphs; lines that begin with > are quoted."})
    created_at = Moment()
    read_at = Moment(allow_none=True)
    session_id = Id(allow_none=True)
    booking_id = Id(allow_none=True)


class NotificationFilters(ListQuery):
    unread = QueryFlag(metadata={"description": "true: only unread ones; false: only read ones."})


class UnreadCount(ResponseSchema):
    unread = fields.Integer()


class ReadCount(ResponseSchema):
    read = fields.Integer()


class NotificationChannels(ResponseSchema):
    in_app = fields.Boolean()
    email = fields.Boolean()
    push = fields.Boolean(metadata={"description": "To subscribed browsers."})


class NotificationPreference(ResponseSchema):
    kind = fields.String(metadata={"example": "session_created"})
    description = fields.String()
    channels = fields.Nested(NotificationChannels)
    always = fields.List(
        fields.String(metadata={"enum": ["inApp", "email", "push"]}),
        metadata={"description": "Channels that cannot be switched off."},
    )


class NotificationPreferences(ResponseSchema):
    items = fields.List(fields.Nested(NotificationPreference))


class ChannelPreferences(RequestSchema):
    """The wanted channels of one kind of notification; omitted ones get their default."""

    in_app = TrueOrFalse()
    email = TrueOrFalse()
    push = TrueOrFalse()


class NotificationPreferenceUpdate(RequestSchema):
    kind = Line(100, required=True, metadata={"example": "session_completed"})
    channels = fields.Nested(ChannelPreferences, required=True)
    # Clients send back what they have read, with changes.
    description = Text(1000, metadata={"description": "Ignored: as read."})
    always = fields.List(Line(20), metadata={"description": "Ignored: as read."})


class NotificationPreferencesUpdate(RequestSchema):
    """Preferences that differ from the defaults; they replace earlier ones."""

    items = fields.List(
        fields.Nested(NotificationPreferenceUpdate), required=True, validate=validate.Length(max=10 * len(OFFERED))
    )

    @ma.validates_schema(skip_on_field_errors=True)
    def check_each_once(self, data: dict[str, Any], **_context: object) -> None:
        kinds = [item["kind"] for item in data["items"]]
        if len(kinds) != len(set(kinds)):
            raise ma.ValidationError("Each kind must be given once.", "items")


Notifications = page_of(Notification, "Notifications")


def shown_preferences(preferences: PreferencesRecord, language: Language) -> dict[str, Any]:
    return {
        "items": [
            {
                "kind": item.kind,
                "description": language.gettext(item.sentence),
                "channels": {name: item.channels[channel] for channel, name in CHANNELS.items()},
                "always": sorted("inApp" if channel is Channel.IN_APP else channel.value for channel in item.always),
            }
            for item in preferences.items
        ]
    }


def channels_by_kind(body: dict[str, Any]) -> dict[str, dict[Channel, bool]]:
    return {
        item["kind"]: {
            channel: item["channels"][name] for channel, name in CHANNELS.items() if name in item["channels"]
        }
        for item in body["items"]
    }


class BrowserKeys(RequestSchema):
    """The keys with which messages to a browser are encrypted."""

    p256dh = Line(200, required=True, metadata={"description": "Public key, base64url."})
    auth = Line(100, required=True, metadata={"description": "Secret of 16 bytes, base64url."})


class NewPushSubscription(RequestSchema):
    """A browser's `PushSubscription` as JSON."""

    endpoint = Line(MAX_URL_CHARACTERS, required=True, metadata={"example": "https://push.example/send/abc"})
    expiration_time = fields.Float(allow_none=True, metadata={"description": "Ignored."})
    keys = fields.Nested(BrowserKeys, required=True)


class PushSubscription(ResponseSchema):
    """A browser that shows the caller's notifications. Its endpoint is secret and not shown."""

    id = Id()
    host = fields.String(metadata={"example": "push.example", "description": "The browser's push service."})
    created_at = Moment()


class PushKey(ResponseSchema):
    """The server's public key (VAPID)."""

    public_key = fields.String(metadata={"description": "`applicationServerKey` of `PushManager.subscribe()`."})


class PushFilters(ListQuery):
    """Query of push subscriptions."""


PushSubscriptions = page_of(PushSubscription, "PushSubscriptions")


class CalendarSecret(ResponseSchema):
    """The secret address of a calendar feed. Only its hash is stored."""

    secret = fields.String(
        metadata={
            "description": "Gives access to the feed; create a new one to revoke it.",
            "example": "pK7bT0yq3mVhO2c9XwZ5sLr8dNfEaGu1iJtR4kYvQ6A",
        }
    )
    url = fields.String(
        metadata={
            "format": "uri",
            "description": "The address to subscribe to.",
            "example": "https://tutelage.example/calendar/pK7bT0yq3mVhO2c9XwZ5sLr8dNfEaGu1iJtR4kYvQ6A.ics",
        }
    )
