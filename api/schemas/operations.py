"""Health, invariants and the audit log."""

from typing import Any

from marshmallow import fields

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Moment, Text, TrueOrFalse
from workflows.notifications.switches import CHANNEL_NAMES


class Health(ResponseSchema):
    status = fields.String(metadata={"example": "ok"})


class InvariantResult(ResponseSchema):
    name = fields.String()
    violations = fields.Integer()
    sample = fields.List(fields.Raw())


class Invariants(ResponseSchema):
    ok = fields.Boolean()
    items = fields.List(fields.Nested(InvariantResult))
    looked_through_at = Moment(
        allow_none=True,
        metadata={"description": "When the latest check of everything began that has ended; null before the first."},
    )


class NotificationKindChannels(RequestSchema):
    mail = TrueOrFalse(required=True)
    push = TrueOrFalse(required=True)
    in_app = TrueOrFalse(required=True)


class NotificationKind(ResponseSchema):
    kind = fields.String(metadata={"example": "session_created"})
    description = fields.String(attribute="sentence", metadata={"example": "A session is booked."})
    mail = fields.Boolean()
    push = fields.Boolean()
    in_app = fields.Boolean()
    always = fields.Function(
        lambda switches: sorted(CHANNEL_NAMES[channel] for channel in switches.always),
        metadata={
            "type": "array",
            "items": {"type": "string", "enum": sorted(CHANNEL_NAMES.values())},
            "description": "Channels that cannot be switched off.",
            "example": [],
        },
    )


class NotificationKinds(ResponseSchema):
    items = fields.List(fields.Nested(NotificationKind))


class AddressHash(fields.String):
    """A keyed hash of a client's address, as 32 hexadecimal digits."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else value.hex()


class AuditEntry(ResponseSchema):
    id = Id()
    occurred_at = Moment()
    actor = fields.String(metadata={"example": "operator:jo"})
    action = fields.String(metadata={"example": "review.hidden"})
    subject_type = fields.String(allow_none=True, metadata={"example": "review"})
    subject_id = Id(allow_none=True)
    result = fields.String(metadata={"description": "`ok`, or the code of the refusal.", "example": "ok"})
    method = fields.String(allow_none=True, metadata={"description": "`CLI` for a command."})
    route = fields.String(allow_none=True, metadata={"description": "The rule of the route, or the command."})
    address_hash = AddressHash(
        allow_none=True, metadata={"description": "A keyed hash of the client's address: equal for equal ones."}
    )
    request_id = fields.String(allow_none=True)
    reason = fields.String(allow_none=True, metadata={"description": "As the operator gave it."})
    data = fields.Dict()
    count = fields.Integer(metadata={"description": "How many equal refusals the entry counts."})


class AuditFilters(ListQuery):
    actor = Text(300, metadata={"description": "Only entries of this actor.", "example": "operator:jo"})
    action = Text(100, metadata={"description": "Only entries of this action.", "example": "review.hidden"})
    subject_id = Id(metadata={"description": "Only entries about this subject."})
    result = Text(100, metadata={"description": "`ok`, or the code of refusals.", "example": "forbidden"})
    from_time = Moment(
        data_key="from",
        metadata={"description": "Only what occurred at or after this time.", "example": "2030-05-04T09:00:00Z"},
    )
    to_time = Moment(
        data_key="to",
        metadata={"description": "Only what occurred before this time.", "example": "2030-06-04T09:00:00Z"},
    )


AuditEntries = page_of(AuditEntry, "AuditEntries")
