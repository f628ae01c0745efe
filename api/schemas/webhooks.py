"""Webhook endpoints: where partners listen."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from api.schemas.base import Answer, Body, page_of
from api.schemas.fields import Id, Line, Moment, Text, Whole
from api.schemas.lists import ListQuery
from models.webhooks import EndpointState

MOST_HEADERS = 20
LONGEST_HEADER = 1000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[ -~]*")
# These are the message's own; an endpoint that set them would break its signature or its framing.
_OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer", "upgrade"}


class NewEndpoint(Body):
    """An address to be told, and of what."""

    url = Line(2048, required=True, metadata={"example": "https://partner.example/hooks/tutelage"})
    event_types = fields.List(
        Line(100),
        required=True,
        validate=validate.Length(min=1, max=50),
        metadata={"example": ["session.completed"], "description": "Names, families such as `session.*`, or `*`."},
    )
    description = Text(1000, load_default=None, allow_none=True)
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        load_default=None,
        allow_none=True,
        metadata={"description": "Sent along with every message; at most 20."},
    )
    rate_limit = Whole(
        1, 1000, load_default=None, allow_none=True, metadata={"description": "Messages a second; null for no limit."}
    )

    @ma.validates("headers")
    def check_headers(self, headers: dict[str, str] | None, **_context: Any) -> None:
        """Refuse headers that are none, or that belong to the message itself."""
        for name, value in (headers or {}).items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or len(value) > LONGEST_HEADER:
                raise ma.ValidationError("Must be HTTP headers of at most 1000 characters.")
            if name.lower() in _OURS or name.lower().startswith("webhook-"):
                raise ma.ValidationError(f"{name} is set by the message itself.")
        if len(headers or {}) > MOST_HEADERS:
            raise ma.ValidationError(f"Must not be more than {MOST_HEADERS}.")


class Endpoint(Answer):
    """An address that is told, once it has answered a ping."""

    id = Id()
    url = fields.String()
    event_types = fields.List(fields.String())
    state = fields.Enum(
        EndpointState, by_value=True, metadata={"description": "`pending` until its ping got a 2xx answer."}
    )
    disabled_reason = fields.String(allow_none=True)
    created_at = Moment()


class Secret(Answer):
    """What the endpoint's messages are signed with (Standard Webhooks)."""

    secret = fields.String(metadata={"example": "whsec_…"})


class Ping(Answer):
    """A ping on its way; `eventId` is its `webhook-id`."""

    endpoint_id = Id()
    event_id = Id()


class EndpointFilters(ListQuery):
    """Which part of one's endpoints to list."""


Endpoints = page_of(Endpoint, "Endpoints")
