"""Digests of the secrets in the addresses of calendar feeds: a secret grants access, so that none is stored."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, Table, Uuid

from models.base import changing, metadata

calendar_secrets = Table(
    "calendar_secrets",
    metadata,
    # One a user: a new one takes the place of the old, which then leads nowhere.
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    # SHA-256 of 32 random bytes' worth of secret: there is nothing to guess, and nothing to be read from a dump.
    Column("digest", LargeBinary, nullable=False, unique=True),
    *changing(),
    CheckConstraint("octet_length(digest) = 32", name="digest"),
)
