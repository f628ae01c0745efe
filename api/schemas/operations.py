"""Health, invariants and the audit log."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import ListQuery, ResponseSchema, page_of
from api.schemas.fields import Id, Moment, Text


class Health(ResponseSchema):
    """Whether the service does what it is asked."""

    status = fields.String(metadata={"example": "ok"})


class Finding(ResponseSchema):
    """One invariant: how often it is violated, and where."""

    name = fields.String()
    violations = fields.Integer()
    sample = fields.List(fields.Raw())


class Invariants(ResponseSchema):
    """Every promise that the database can be asked about."""

    ok = fields.Boolean()
    items = fields.List(fields.Nested(Finding))


class AuditEntry(ResponseSchema):
    """Who did what to which subject, and why."""

    id = Id()
    actor = fields.String(metadata={"example": "operator:jo"})
    action = fields.String(metadata={"example": "review.hidden"})
    subject_type = fields.String(metadata={"example": "review"})
    subject_id = Id()
    reason = fields.String(allow_none=True)
    data = fields.Dict()
    occurred_at = Moment()


class AuditFilters(ListQuery):
    """Which entries to list."""

    actor = Text(300, metadata={"description": "What this one did.", "example": "operator:jo"})
    action = Text(100, metadata={"description": "What was done in this way.", "example": "review.hidden"})
    subject_id = Id(metadata={"description": "What was done to this."})


AuditEntries = page_of(AuditEntry, "AuditEntries")
