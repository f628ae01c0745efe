"""Health, invariants and the audit log."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import ListQuery, ResponseSchema, page_of
from api.schemas.fields import Id, Moment, Text


class Health(ResponseSchema):
    """The state of the service."""

    status = fields.String(metadata={"example": "ok"})


class InvariantResult(ResponseSchema):
    """The violations of one invariant."""

    name = fields.String()
    violations = fields.Integer()
    sample = fields.List(fields.Raw())


class Invariants(ResponseSchema):
    """The results of all invariants."""

    ok = fields.Boolean()
    items = fields.List(fields.Nested(InvariantResult))
    looked_through_at = Moment(
        allow_none=True,
        metadata={"description": "When the latest check of everything began that has ended; null before the first."},
    )


class AuditEntry(ResponseSchema):
    """What an operator did to which subject, and why."""

    id = Id()
    actor = fields.String(metadata={"example": "operator:jo"})
    action = fields.String(metadata={"example": "review.hidden"})
    subject_type = fields.String(metadata={"example": "review"})
    subject_id = Id()
    reason = fields.String(allow_none=True)
    data = fields.Dict()
    occurred_at = Moment()


class AuditFilters(ListQuery):
    """Filters of audit entries."""

    actor = Text(300, metadata={"description": "Only entries of this actor.", "example": "operator:jo"})
    action = Text(100, metadata={"description": "Only entries of this action.", "example": "review.hidden"})
    subject_id = Id(metadata={"description": "Only entries about this subject."})


AuditEntries = page_of(AuditEntry, "AuditEntries")
