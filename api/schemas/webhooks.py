"""Webhook endpoints: where partners listen, of what, and by which secret they know us."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Line, Moment, Text, Whole
from models.webhooks import EndpointState, Signing
from workflows.webhooks.address import MAX_URL_CHARACTERS
from workflows.webhooks.endpoints import STATES_BY_OWNER

LONGEST_GRACE = 168  # hours


class _Settings(RequestSchema):
    """What can be chosen at first and changed later."""

    url = Line(MAX_URL_CHARACTERS, required=True, metadata={"example": "https://partner.example/hooks/tutelage"})
    event_types = fields.List(
        Line(100),
        required=True,
        validate=validate.Length(min=1, max=50),
        metadata={"example": ["session.completed"], "description": "Names, families such as `session.*`, or `*`."},
    )
    description = Text(1000, allow_none=True)
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        allow_none=True,
        metadata={"description": "Sent along with every message; at most 20. Their values are not shown again."},
    )
    rate_limit = Whole(1, 1000, allow_none=True, metadata={"description": "Messages a second; null for no limit."})


class NewEndpoint(_Settings):
    """An address to be told, and of what."""

    signing = fields.Enum(
        Signing,
        by_value=True,
        metadata={"description": "`hmac-sha256` (v1, with a shared secret) unless said otherwise, or `ed25519` (v1a)."},
    )


class EndpointChanges(_Settings):
    """What is to be different from now on; what is left out stays."""

    url = Line(
        MAX_URL_CHARACTERS,
        metadata={"description": "A new address makes the endpoint `pending` until it has answered a ping."},
    )
    event_types = fields.List(Line(100), validate=validate.Length(min=1, max=50))
    state = fields.Enum(
        EndpointState,
        by_value=True,
        validate=validate.OneOf(sorted(STATES_BY_OWNER), error="Must be active or paused."),
        metadata={"enum": sorted(state.value for state in STATES_BY_OWNER)},
    )


class Endpoint(ResponseSchema):
    """An address that is told, once it has answered a ping."""

    id = Id()
    url = fields.String()
    event_types = fields.List(fields.String())
    description = fields.String(allow_none=True)
    header_names = fields.Function(
        lambda endpoint: list(endpoint.headers),
        metadata={"type": "array", "items": {"type": "string"}, "description": "Of what is sent along."},
    )
    rate_limit = fields.Integer(allow_none=True)
    signing = fields.Enum(Signing, by_value=True)
    state = fields.Enum(
        EndpointState, by_value=True, metadata={"description": "`pending` until its ping got a 2xx answer."}
    )
    disabled_reason = fields.String(allow_none=True)
    created_at = Moment()


class Secret(ResponseSchema):
    """What the endpoint's messages are verified with (Standard Webhooks)."""

    secret = fields.String(
        metadata={"example": "whsec_…", "description": "The secret itself, or the public key (`whpk_…`) of Ed25519."}
    )


class Rotation(RequestSchema):
    """How long the old secrets stay valid, and which one follows."""

    grace_hours = Whole(0, LONGEST_GRACE, load_default=24, metadata={"description": "0 ends the old ones at once."})
    secret = Line(
        200,
        metadata={
            "description": "Your own: `whsec_` and the base64 of 24 to 64 bytes, or for Ed25519 `whsk_` and the base64"
            " of seed and public key. A fresh one when left out."
        },
    )


class Ping(ResponseSchema):
    """A ping on its way; `eventId` is its `webhook-id`."""

    endpoint_id = Id()
    event_id = Id()


class ExampleWanted(RequestSchema):
    """Of which type of event an example is wanted."""

    event_type = Line(100, required=True, metadata={"example": "session.completed"})


class Recovery(RequestSchema):
    """From when on, and until when, what has failed for good or was not sent is to be sent again."""

    since = Moment(required=True, metadata={"description": "At most 14 days ago."})
    until = Moment(metadata={"description": "Now, when left out."})

    @ma.validates_schema(skip_on_field_errors=True)
    def check_order(self, data: dict[str, object], **_context: object) -> None:
        """Refuse a time that ends before it begins."""
        since, until = data["since"], data.get("until")
        if until is not None and until <= since:  # type: ignore[operator]
            raise ma.ValidationError("Must be after since.", "until")


class Recovered(ResponseSchema):
    """How many deliveries are on their way again."""

    recovered = fields.Integer()


class EndpointFilters(ListQuery):
    """Which part of one's endpoints to list."""


Endpoints = page_of(Endpoint, "Endpoints")
