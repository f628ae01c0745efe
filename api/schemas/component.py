"""Configuration and beacons of the booking component; beacons hold nothing personal."""

from enum import StrEnum
from typing import Any

from marshmallow import fields, validate

from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.fields import Choice, Whole

MAX_LOAD_SECONDS, MAX_OPEN_SECONDS = 600.0, 604_800.0
MAX_RECONNECTIONS, MAX_ERRORS = 10_000, 1_000


class Variant(StrEnum):
    BASIC = "basic"
    ENHANCED = "enhanced"
    REALTIME = "realtime"


class ErrorKind(StrEnum):
    """An error that a person saw: on the way, at the API, or in the component itself."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    SERVER = "server"
    RATE_LIMITED = "rate_limited"
    UNAUTHENTICATED = "unauthenticated"
    REFUSED = "refused"
    SCRIPT = "script"


class Seconds(fields.Float):
    """A duration within bounds: a number, no text and no boolean."""

    def __init__(self, maximum: float, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=0, max=maximum), **kwargs)

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool | str):
            raise self.make_error("invalid", input=value)
        read: float = super()._validated(value)
        return read


class StreamHealth(RequestSchema):
    """How live updates went, from the first connection until the page was left."""

    connected_seconds = Seconds(MAX_OPEN_SECONDS, required=True)
    disconnected_seconds = Seconds(MAX_OPEN_SECONDS, required=True)
    reconnections = Whole(0, MAX_RECONNECTIONS, required=True)


# Its names are fixed: a schema with a field for each, and no dictionary of whatever a page sends.
Errors = RequestSchema.from_dict(
    {kind.value: Whole(1, MAX_ERRORS, data_key=kind.value) for kind in ErrorKind}, name="ComponentErrors"
)


class Beacon(RequestSchema):
    """One visit of a page that has the component: no ids, no addresses, no texts."""

    variant = Choice(Variant, required=True)
    load_seconds = Seconds(
        MAX_LOAD_SECONDS,
        metadata={"description": "From when the element is in the page until it is shown with its data."},
    )
    first_slot_seconds = Seconds(
        MAX_LOAD_SECONDS,
        metadata={"description": "From when the element is in the page until the first free time is shown."},
    )
    stream = fields.Nested(StreamHealth)
    errors = fields.Nested(Errors, metadata={"description": "How many errors people saw, by their kind."})


class ComponentConfig(ResponseSchema):
    """Configuration that the component reads once, when it has time."""

    streams_url = fields.String(
        allow_none=True, metadata={"description": "Where live updates are; null: at the API's own address."}
    )
    telemetry_percent = fields.Integer(
        metadata={"description": "How many visits of a hundred report how they went; 0 for none."}
    )
