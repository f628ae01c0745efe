"""What monitors and operators are told."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Answer


class Health(Answer):
    """Whether the service does what it is asked."""

    status = fields.String(metadata={"example": "ok"})


class Finding(Answer):
    """One invariant: how often it is violated, and where."""

    name = fields.String()
    violations = fields.Integer()
    sample = fields.List(fields.Raw())


class Invariants(Answer):
    """Every promise that the database can be asked about."""

    ok = fields.Boolean()
    items = fields.List(fields.Nested(Finding))
