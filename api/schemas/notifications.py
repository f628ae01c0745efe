"""Notifications: what a person is told, and which of that they want to hear by which way."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from api.schemas.base import Answer, Body, page_of
from api.schemas.fields import Id, Line, Moment, QueryFlag, TrueOrFalse
from api.schemas.lists import ListQuery
from models.notifications import Channel
from workflows.notifications.kinds import OFFERED
from workflows.notifications.preferences import Preferences as PreferencesRecord

# As clients write them.
CHANNELS = {Channel.IN_APP: "in_app", Channel.EMAIL: "email", Channel.PUSH: "push"}


class Notification(Answer):
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


class UnreadCount(Answer):
    """How many are unread."""

    unread = fields.Integer()


class ReadCount(Answer):
    """How many have become read by this."""

    read = fields.Integer()


class Channels(Answer):
    """By which ways a kind is heard of."""

    in_app = fields.Boolean()
    email = fields.Boolean()
    push = fields.Boolean(metadata={"description": "To browsers that have subscribed."})


class Preference(Answer):
    """One kind of notification, and by which ways it is heard of."""

    kind = fields.String(metadata={"example": "session_created"})
    description = fields.String()
    channels = fields.Nested(Channels)
    always = fields.List(
        fields.String(metadata={"enum": ["inApp", "email", "push"]}),
        metadata={"description": "The ways that cannot be switched off."},
    )


class Preferences(Answer):
    """Every kind of notification that there is."""

    items = fields.List(fields.Nested(Preference))


class ChannelWishes(Body):
    """By which ways a kind is to be heard of; what is left out is as the kind has it."""

    in_app = TrueOrFalse()
    email = TrueOrFalse()
    push = TrueOrFalse()


class Wish(Body):
    """How one kind is to be heard of."""

    kind = Line(100, required=True, metadata={"example": "session_completed"})
    channels = fields.Nested(ChannelWishes, required=True)
    # Whoever changes what they have read sends it back whole.
    description = fields.String(metadata={"description": "As it was read; it changes nothing."})
    always = fields.List(fields.String(), metadata={"description": "As it was read; it changes nothing."})


class Wishes(Body):
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
