"""Deliveries as operators see them, and what operators do with them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Line, Moment, Text
from models.events import DeliveryState


class OperatedDelivery(ResponseSchema):
    """One run of one effect for one event."""

    id = Id()
    effect = fields.String(metadata={"example": "mail.send"})
    queue = fields.String(metadata={"example": "notifications"})
    target = fields.String(metadata={"description": "For whom, in the words of its effect; empty where there is one."})
    event_id = Id()
    event_type = fields.String(metadata={"example": "session.created"})
    subject_type = fields.String(metadata={"example": "session", "description": "What the event was about."})
    subject_id = Id()
    state = fields.Enum(DeliveryState, by_value=True, metadata={"description": "`dead` when its attempts are used up."})
    attempts = fields.Integer()
    due_at = Moment()
    next_attempt_at = Moment(allow_none=True)
    done_at = Moment(allow_none=True)
    last_error = fields.String(allow_none=True)
    created_at = Moment()


class OperatedDeliveryFilters(ListQuery):
    """Which deliveries to list."""

    state = fields.Enum(DeliveryState, by_value=True)
    effect = Text(100, metadata={"description": "Runs of this effect.", "example": "mail.send"})


class Cancelling(RequestSchema):
    """Why a delivery is not to be made any more."""

    reason = Text(
        2000,
        shortest=1,
        load_default=None,
        allow_none=True,
        metadata={"description": "Kept as the delivery's `lastError`, and in the audit."},
    )


class Retrying(RequestSchema):
    """Which deliveries are to be retried."""

    state = fields.String(required=True, validate=ma.validate.OneOf(["dead"]))
    effect = Line(100, metadata={"description": "Of this effect alone."})
    since = Moment(metadata={"description": "Of events that occurred from then on."})


class Retried(ResponseSchema):
    """How many are on their way again; `id` is the audit entry's `subjectId`."""

    id = Id()
    retried = fields.Integer()


OperatedDeliveries = page_of(OperatedDelivery, "OperatedDeliveries")
