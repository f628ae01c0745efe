"""Links in mails that have been used."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, Uuid

from models.base import Timestamp, created, metadata
from models.personal import IMPERSONAL

# Written in the transaction that acts, and deleted once the link would have expired.
spent_links = Table(
    "spent_links",
    metadata,
    Column("action", Text, nullable=False, info=IMPERSONAL),
    Column("subject_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    created(),
    PrimaryKeyConstraint("action", "subject_id", "user_id", "expires_at"),
    Index("ix_spent_links_expires_at", "expires_at"),
)
