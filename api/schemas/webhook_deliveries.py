"""Webhook deliveries: what endpoints were told, how that went, and what they can be told at all."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import ListQuery, ResponseSchema, page_of
from api.schemas.fields import Id, Moment
from models.events import DeliveryState, ErrorClass


class WebhookDelivery(ResponseSchema):
    """One message to one endpoint; `eventId` is its `webhook-id`."""

    id = Id()
    endpoint_id = Id()
    event_id = Id()
    event_type = fields.String()
    state = fields.Enum(DeliveryState, by_value=True, metadata={"description": "`dead` when its attempts are used up."})
    attempts = fields.Integer()
    next_attempt_at = Moment(allow_none=True)
    last_status_code = fields.Integer(allow_none=True)
    last_error = fields.String(attribute="shown_error", allow_none=True)
    created_at = Moment()
    done_at = Moment(allow_none=True)


class Attempt(ResponseSchema):
    """One attempt, and what came of it."""

    number = fields.Integer(attribute="attempt")
    at = Moment(attribute="began_at", metadata={"description": "When it began."})
    outcome = fields.String(metadata={"enum": ["done", "retry", "cancelled", "failed", "dead"]})
    status_code = fields.Integer(allow_none=True)
    duration_ms = fields.Integer()
    error = fields.String(attribute="shown_error", allow_none=True)
    error_class = fields.String(
        allow_none=True,
        metadata={
            "enum": [*(each.value for each in ErrorClass), None],
            "description": "What kind of failure it was; `internal` was ours, not the endpoint's.",
        },
    )
    response = fields.String(allow_none=True, metadata={"description": "The beginning of the endpoint's answer."})


class DeliveryWithAttempts(WebhookDelivery):
    """One message to one endpoint, with every attempt."""

    attempt_log = fields.List(fields.Nested(Attempt))


class DeliveryFilters(ListQuery):
    """Which deliveries to list."""

    endpoint_id = Id()
    state = fields.Enum(DeliveryState, by_value=True)


class EventType(ResponseSchema):
    """A type of event that endpoints can ask for."""

    type = fields.String()
    description = fields.String()
    schema = fields.Dict(metadata={"description": "The JSON Schema of its messages."})
    example = fields.Dict()


class EventTypes(ResponseSchema):
    """All of them."""

    items = fields.List(fields.Nested(EventType))


WebhookDeliveries = page_of(WebhookDelivery, "WebhookDeliveries")
