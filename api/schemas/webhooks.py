"""Webhook endpoints, their secrets, their deliveries and the event types that they can ask for."""

from datetime import datetime

import marshmallow as ma
from marshmallow import fields

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Choice, Id, Line, Moment, QueryWhole, Text, Whole
from models.events import DeliveryState, ErrorClass
from models.webhooks import EndpointState, Signing
from workflows.kernel.address import MAX_URL_CHARACTERS
from workflows.webhooks.actions import STATES_BY_OWNER

MAX_GRACE_HOURS = 168
ERROR_CLASSES = {
    "enum": [*(each.value for each in ErrorClass), None],
    "component": "FailureClass",
    "description": "The kind of failure; `internal` was ours, not the endpoint's.",
}


class _EndpointSettings(RequestSchema):
    url = Line(MAX_URL_CHARACTERS, required=True, metadata={"example": "https://partner.example/hooks/tutelage"})
    event_types = fields.List(
        Line(100),
        required=True,
        validate=ma.validate.Length(min=1, max=50),
        metadata={"example": ["session.completed"], "description": "Names, families such as `session.*`, or `*`."},
    )
    description = Text(1000, allow_none=True)
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(metadata={"pattern": "^[ -~]*$"}),
        allow_none=True,
        metadata={"description": "Sent along with every message; at most 20. Their values are not shown again."},
    )
    rate_limit = Whole(1, 1000, allow_none=True, metadata={"description": "Messages a second; null for no limit."})


class NewWebhookEndpoint(_EndpointSettings):
    signing = Choice(
        Signing,
        metadata={"description": "`hmac-sha256` (v1, with a shared secret) unless said otherwise, or `ed25519` (v1a)."},
    )


class WebhookEndpointChanges(_EndpointSettings):
    url = Line(
        MAX_URL_CHARACTERS,
        metadata={"description": "A new address makes the endpoint `pending` until it has answered a ping."},
    )
    event_types = fields.List(Line(100), validate=ma.validate.Length(min=1, max=50))
    state = Choice(
        EndpointState,
        validate=ma.validate.OneOf(sorted(STATES_BY_OWNER), error="Must be active or paused."),
        metadata={"enum": sorted(state.value for state in STATES_BY_OWNER)},
    )


class WebhookEndpoint(ResponseSchema):
    """A webhook endpoint; events are sent to it once it has answered a ping."""

    id = Id()
    url = fields.String()
    event_types = fields.List(fields.String())
    description = fields.String(allow_none=True)
    header_names = fields.Function(
        lambda endpoint: list(endpoint.headers),
        metadata={
            "type": "array",
            "items": {"type": "string"},
            "description": "The names of its own headers.",
            "example": [],
        },
    )
    rate_limit = fields.Integer(allow_none=True)
    signing = Choice(Signing)
    state = Choice(EndpointState, metadata={"description": "`pending` until its ping got a 2xx answer."})
    disabled_reason = fields.String(allow_none=True)
    consecutive_failures = fields.Integer(
        attribute="failures", metadata={"description": "Failed attempts since the last success."}
    )
    failing_since = Moment(allow_none=True, metadata={"description": "When the first of them failed."})
    retrying_at = Moment(
        attribute="open_until",
        allow_none=True,
        metadata={"description": "While the circuit breaker is open: when a single message is sent to try again."},
    )
    created_at = Moment()


class WebhookSecret(ResponseSchema):
    """The secret that verifies an endpoint's messages (Standard Webhooks)."""

    secret = fields.String(
        metadata={"example": "whsec_…", "description": "The secret itself, or the public key (`whpk_…`) of Ed25519."}
    )


class SecretRotation(RequestSchema):
    grace_hours = Whole(0, MAX_GRACE_HOURS, load_default=24, metadata={"description": "0 ends the old ones at once."})
    secret = Line(
        200,
        metadata={
            "description": "Your own: `whsec_` and the base64 of 24 to 64 bytes, or for Ed25519 `whsk_` and the base64"
            " of seed and public key. A fresh one when left out."
        },
    )


class WebhookPing(ResponseSchema):
    """A ping or an example that is being sent; `eventId` is its `webhook-id`."""

    endpoint_id = Id()
    event_id = Id()


class WebhookExampleRequest(RequestSchema):
    event_type = Line(100, required=True, metadata={"example": "session.completed"})


class WebhookRecovery(RequestSchema):
    """The period whose missed messages are sent again."""

    since = Moment(required=True, metadata={"description": "At most 14 days ago."})
    until = Moment(metadata={"description": "Now, when left out."})

    @ma.validates_schema(skip_on_field_errors=True)
    def check_order(self, data: dict[str, datetime], **_context: object) -> None:
        since, until = data["since"], data.get("until")
        if until is not None and until <= since:
            raise ma.ValidationError("Must be after since.", "until")


class RecoveredCount(ResponseSchema):
    recovered = fields.Integer()


class WebhookEndpointFilters(ListQuery):
    """Pages of the caller's endpoints."""


class WebhookDelivery(ResponseSchema):
    """One message to one endpoint; `eventId` is its `webhook-id`."""

    id = Id()
    endpoint_id = Id()
    event_id = Id()
    event_type = fields.String()
    state = Choice(DeliveryState, metadata={"description": "`dead` when its attempts are used up."})
    attempts = fields.Integer()
    next_attempt_at = Moment(allow_none=True)
    last_status_code = fields.Integer(allow_none=True)
    last_error = fields.String(
        attribute="shown_error",
        allow_none=True,
        metadata={"description": "Why the last attempt failed, or why the delivery waits or was cancelled."},
    )
    last_error_class = fields.String(allow_none=True, metadata=ERROR_CLASSES)
    created_at = Moment()
    done_at = Moment(allow_none=True)


class DeliveryAttempt(ResponseSchema):
    number = fields.Integer(attribute="attempt")
    at = Moment(attribute="began_at", metadata={"description": "When it began."})
    outcome = fields.String(metadata={"enum": ["done", "retry", "cancelled", "dead"]})
    status_code = fields.Integer(allow_none=True)
    duration_ms = fields.Integer()
    error = fields.String(attribute="shown_error", allow_none=True)
    error_class = fields.String(allow_none=True, metadata=ERROR_CLASSES)
    response = fields.String(allow_none=True, metadata={"description": "The beginning of the endpoint's answer."})


class WebhookDeliveryDetails(WebhookDelivery):
    attempt_log = fields.List(
        fields.Nested(DeliveryAttempt), metadata={"description": "The latest 100, the oldest of them first."}
    )


class WebhookDeliveryFilters(ListQuery):
    endpoint_id = Id()
    state = Choice(DeliveryState)


class EventType(ResponseSchema):
    type = fields.String()
    description = fields.String()
    schema = fields.Dict(metadata={"description": "The JSON Schema of its messages."})
    example = fields.Dict()


class EventTypes(ResponseSchema):
    items = fields.List(fields.Nested(EventType))


class EventQuery(RequestSchema):
    limit = QueryWhole(1, 100, load_default=20)
    after = Text(500, metadata={"description": "The `nextCursor` of the answer before; without it, from the first on."})
    types = Text(
        5000,
        load_default="*",
        metadata={"description": "Names and families, separated by commas.", "example": "session.*,seat.joined"},
    )


class WebhookMessage(ResponseSchema):
    """A message as webhooks have it; the document's `webhooks` have the `data` of each `type`."""

    id = fields.String(metadata={"format": "uuid", "description": "The event's id, which is the `webhook-id` too."})
    timestamp = fields.String(metadata={"format": "date-time", "description": "When it happened."})
    sequence = fields.Integer(metadata={"example": 4711})
    type = fields.String(metadata={"example": "session.completed"})
    data = fields.Dict(metadata={"example": {}})


class Events(ResponseSchema):
    """Events in the order of their commits."""

    items = fields.List(fields.Nested(WebhookMessage))
    next_cursor = fields.String(
        metadata={"description": "Pass it as `after`, also when there was nothing: later events come after it."}
    )
    has_more = fields.Boolean(metadata={"description": "Whether there may be more by now: ask again at once."})


WebhookEndpoints = page_of(WebhookEndpoint, "WebhookEndpoints")
WebhookDeliveries = page_of(WebhookDelivery, "WebhookDeliveries")
