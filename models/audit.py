"""The audit log of what operators did, and why: append-only."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, Xid8, created, id_column, metadata

audit_entries = Table(
    "audit_entries",
    metadata,
    id_column(),
    # The order in which entries are read and chained, as that of events: a smaller sequence may commit later.
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("sequence", BigInteger, Identity(always=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("reason", Text),
    Column("data", JSONB, nullable=False, server_default=text("'{}'")),
    Column("occurred_at", Timestamp, nullable=False),
    created(),
    CheckConstraint("jsonb_typeof(data) = 'object'", name="data_is_an_object"),
    Index("ix_audit_entries_subject_id_id", "subject_id", "id"),
    Index("ix_audit_entries_actor_id", "actor", "id"),
    Index("ix_audit_entries_action_id", "action", "id"),
)
