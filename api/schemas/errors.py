"""The one shape of everything that goes wrong."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Answer


class Error(Answer):
    """Why a request was refused, or failed."""

    status_code = fields.Integer(metadata={"example": 400})
    error = fields.String(metadata={"example": "Bad Request"})
    message = fields.String(metadata={"description": "One sentence for the person who reads it."})
    code = fields.String(metadata={"description": "Stable, for programs.", "example": "invalid_transition"})
    details = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Reasons by field, where single fields are to blame."},
    )
    request_id = fields.String(metadata={"description": "The id under which the log knows this request."})

    optional = ("details",)
