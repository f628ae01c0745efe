"""Deliveries as operators see them, and what operators do with them."""

import marshmallow as ma
from marshmallow import fields

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import OPTIONAL, Choice, Id, Line, Moment, Text
from models.events import DeliveryState


class OperatedDelivery(ResponseSchema):
    id = Id()
    effect = fields.String(metadata={"example": "mail.send"})
    queue = fields.String(metadata={"example": "notifications"})
    target = fields.String(
        metadata={"description": "The subject of the effect, e.g. a user's id; empty where an event has one delivery."}
    )
    event_id = Id()
    event_type = fields.String(metadata={"example": "session.created"})
    subject_type = fields.String(metadata={"example": "session", "description": "The kind of the event's subject."})
    subject_id = Id()
    state = Choice(DeliveryState, metadata={"description": "`dead` when its attempts are used up."})
    attempts = fields.Integer()
    due_at = Moment()
    next_attempt_at = Moment(allow_none=True)
    done_at = Moment(allow_none=True)
    last_error = fields.String(allow_none=True)
    created_at = Moment()


class OperatedDeliveryFilters(ListQuery):
    state = Choice(DeliveryState)
    effect = Text(100, metadata={"description": "Only deliveries of this effect.", "example": "mail.send"})
    subject_id = Id(metadata={"description": "Only deliveries of events about this session, booking, bundle, …"})


class DeliveryCancellation(RequestSchema):
    reason = Text(
        2000, shortest=1, **OPTIONAL, metadata={"description": "Kept as the delivery's `lastError`, and in the audit."}
    )


class DeliveryRetry(RequestSchema):
    state = fields.String(required=True, validate=ma.validate.OneOf(["dead"]))
    effect = Line(100, metadata={"description": "Only deliveries of this effect."})
    since = Moment(metadata={"description": "Only deliveries of events at or after this time."})


class RetriedCount(ResponseSchema):
    """The number of deliveries that are retried; `id` is the audit entry's `subjectId`."""

    id = Id()
    retried = fields.Integer()


OperatedDeliveries = page_of(OperatedDelivery, "OperatedDeliveries")
