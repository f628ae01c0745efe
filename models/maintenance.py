"""State of maintain between its rounds, and the counts of sessions that it keeps small."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Integer, PrimaryKeyConstraint, Table, Text, Uuid, text

from models.base import Timestamp, created, metadata
from models.personal import IMPERSONAL

# How far a search has come: up to a moment and, within that moment, up to an id.
maintenance_cursors = Table(
    "maintenance_cursors",
    metadata,
    Column("name", Text, primary_key=True, info=IMPERSONAL),
    Column("moment", Timestamp, nullable=False),
    Column("id", Uuid, nullable=False, server_default=text("'00000000-0000-0000-0000-000000000000'")),
    created(),
)

# Violations that were found, until a later check finds them repaired.
violations = Table(
    "violations",
    metadata,
    Column("invariant", Text, nullable=False, info=IMPERSONAL),
    # The violation as the invariant's query names it, and the subject that is checked again: the id of a booking or of
    # a mentor, or the moment at which a stretch of time begins.
    Column("subject", Text, nullable=False, info=IMPERSONAL),
    Column("about", Text, nullable=False, info=IMPERSONAL),
    Column("looked_at", Timestamp, nullable=False, server_default=text("now()")),
    created(),
    PrimaryKeyConstraint("invariant", "subject"),
)

# How many sessions of each status a mentor has, and how many accepted bookings, up to what has not been added yet.
session_counts = Table(
    "session_counts",
    metadata,
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("counter", Text, nullable=False, info=IMPERSONAL),
    Column("amount", Integer, nullable=False, info=IMPERSONAL),
    created(),
    PrimaryKeyConstraint("mentor_profile_id", "counter"),
)

# Triggers write these in the transaction of each step, so that no two steps wait for one counter; maintain sums them.
session_count_changes = Table(
    "session_count_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True, info=IMPERSONAL),
    Column("mentor_profile_id", Uuid, nullable=False),
    Column("counter", Text, nullable=False, info=IMPERSONAL),
    Column("amount", Integer, nullable=False, info=IMPERSONAL),
    created(),
    # Emptied twice a minute: dead rows must not be read for long.
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "5000"},
)
