"""Push subscriptions: what a browser hands over when its user allows notifications (W3C Push API)."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Answer, Body, page_of
from api.schemas.fields import Id, Line, Moment
from api.schemas.lists import ListQuery
from workflows.webhooks.address import LONGEST


class BrowserKeys(Body):
    """What messages for a browser are encrypted by."""

    p256dh = Line(200, required=True, metadata={"description": "Its public key, in base64 for URLs."})
    auth = Line(100, required=True, metadata={"description": "Its secret of 16 bytes, in base64 for URLs."})


class NewPushSubscription(Body):
    """A browser's `PushSubscription` as JSON."""

    endpoint = Line(LONGEST, required=True, metadata={"example": "https://push.example/send/abc"})
    expiration_time = fields.Float(allow_none=True, metadata={"description": "As browsers send it; not looked at."})
    keys = fields.Nested(BrowserKeys, required=True)


class PushSubscription(Answer):
    """A browser that shows one's notifications. Where it is reached is not shown again."""

    id = Id()
    host = fields.String(metadata={"example": "push.example", "description": "Its maker's push service."})
    created_at = Moment()


class PushKey(Answer):
    """What a browser is told when it subscribes."""

    public_key = fields.String(metadata={"description": "`applicationServerKey` of `PushManager.subscribe()`."})


class PushFilters(ListQuery):
    """Which part of one's browsers to list."""


PushSubscriptions = page_of(PushSubscription, "PushSubscriptions")
