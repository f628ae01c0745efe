"""The first answers under an Idempotency-Key, kept so that a repeated request gets them again."""

from sqlalchemy import Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, created, metadata
from models.personal import DELETED, IMPERSONAL, kept

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", Text, nullable=False, info=DELETED),
    Column("method", Text, nullable=False, info=IMPERSONAL),
    Column("route", Text, nullable=False, info=IMPERSONAL),
    Column("key", Text, nullable=False, info=IMPERSONAL),
    Column("fingerprint", LargeBinary, nullable=False, info=IMPERSONAL),
    Column("status_code", Integer, nullable=False, info=IMPERSONAL),
    Column(
        "headers",
        JSONB,
        nullable=False,
        info=kept("encrypted, and deleted after 72 hours; the person's own are deleted at once"),
    ),
    Column("body", LargeBinary, nullable=False, info=DELETED),
    Column("expires_at", Timestamp, nullable=False, server_default=text("now() + interval '72 hours'")),
    created(),
    PrimaryKeyConstraint("caller", "method", "route", "key"),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)
