"""The first answers under an Idempotency-Key, kept so that a repeated request gets them again."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, created, metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("expires_at", Timestamp, nullable=False, server_default=text("now() + interval '72 hours'")),
    created(),
    PrimaryKeyConstraint("caller", "method", "route", "key"),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)
