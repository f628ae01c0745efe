"""Use of quotas over time."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, Uuid

from models.base import Timestamp, created, metadata
from models.personal import IMPERSONAL

quota_usage = Table(
    "quota_usage",
    metadata,
    Column("kind", Text, nullable=False, info=IMPERSONAL),
    # A webhook endpoint, a mentor, an owner: what `kind` counts by. It may be gone, so that no key leads there.
    Column("subject_id", Uuid, nullable=False),
    Column("used_until", Timestamp, nullable=False),
    created(),
    PrimaryKeyConstraint("kind", "subject_id"),
    Index("ix_quota_usage_used_until", "used_until"),
)
