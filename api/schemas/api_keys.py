"""Keys of machines."""

from marshmallow import fields, validate

from api.schemas.base import RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Line, Moment, Whole
from models.keys import KeyScope

MAX_GRACE_HOURS = 720


class NewApiKey(RequestSchema):
    name = Line(200, required=True, metadata={"example": "Backend"})
    scopes = fields.List(
        fields.Enum(KeyScope, by_value=True),
        required=True,
        validate=validate.Length(min=1, max=len(KeyScope)),
        metadata={"example": ["read", "act"]},
    )
    expires_at = Moment(load_default=None, allow_none=True, metadata={"description": "Null for a key without end."})


class ApiKeyRotation(RequestSchema):
    grace_hours = Whole(
        0, MAX_GRACE_HOURS, load_default=24, metadata={"description": "How long the key before works, too."}
    )


class ApiKey(ResponseSchema):
    id = Id()
    name = fields.String()
    scopes = fields.List(fields.String(validate=validate.OneOf(list(KeyScope))))
    prefix = fields.String(metadata={"example": "tsk_4f0d1c"})
    created_by = fields.String(metadata={"example": "operator:ada"})
    created_at = Moment()
    last_used_at = Moment(allow_none=True, metadata={"description": "To the minute."})
    expires_at = Moment(allow_none=True)
    former_until = Moment(allow_none=True, metadata={"description": "Until when the key before the rotation works."})


class ApiKeyWithText(ApiKey):
    key = fields.String(metadata={"example": "tsk_4f0d1cR7mQ2bZkXw", "description": "Shown this once."})


ApiKeys = page_of(ApiKey, "ApiKeys")
