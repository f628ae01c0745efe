"""The audit: who did what, append-only and in partitions by month; and the chain of hashes that shows tampering."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.base import Timestamp, Xid8, created, id_column, metadata
from models.personal import IMPERSONAL, kept

_KEPT_AUDIT = kept("the audit holds ids and no names, and nothing of it is ever changed")

# Partitioned by the UUIDv7 of its key, which begins with the time: `make_audit_partition` makes the months.
audit_entries = Table(
    "audit_entries",
    metadata,
    id_column(),
    # Taken before `sequence`: an entry with a number has a transaction id that the chain can wait for.
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("sequence", BigInteger, Identity(always=True), nullable=False, info=IMPERSONAL),
    Column("occurred_at", Timestamp, nullable=False),
    Column("actor", Text, nullable=False, info=_KEPT_AUDIT),
    Column("action", Text, nullable=False, info=IMPERSONAL),
    Column("subject_type", Text, info=IMPERSONAL),
    Column("subject_id", Uuid),
    # `ok`, or the code of the refusal.
    Column("result", Text, nullable=False, server_default=text("'ok'"), info=IMPERSONAL),
    Column("method", Text, info=IMPERSONAL),
    Column("route", Text, info=IMPERSONAL),
    Column("address_hash", LargeBinary, info=_KEPT_AUDIT),
    Column("request_id", Text, info=IMPERSONAL),
    Column("reason", Text, info=_KEPT_AUDIT),
    Column("data", JSONB, nullable=False, server_default=text("'{}'"), info=_KEPT_AUDIT),
    # How many equal refusals the entry counts.
    Column("count", Integer, nullable=False, server_default=text("1"), info=IMPERSONAL),
    created(),
    CheckConstraint("jsonb_typeof(data) = 'object'", name="data_is_an_object"),
    CheckConstraint("count >= 1", name="count"),
    CheckConstraint("octet_length(address_hash) = 16", name="address_hash"),
    Index("ix_audit_entries_subject_id_id", "subject_id", "id"),
    Index("ix_audit_entries_actor_id", "actor", "id"),
    Index("ix_audit_entries_action_id", "action", "id"),
    # Few among all that are kept.
    Index("ix_audit_entries_refused", "result", "id", postgresql_where=text("result <> 'ok'")),
    # The order in which entries are chained.
    Index("ix_audit_entries_sequence", "sequence"),
    postgresql_partition_by="RANGE (id)",
)

# The chain: each block lists entries by their ids and digests, and its hash covers the hash of the block before.
audit_blocks = Table(
    "audit_blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, info=IMPERSONAL),
    # The latest month of its entries and of the blocks before; the block is deleted with the partition of that month.
    Column("month", Date, nullable=False, info=IMPERSONAL),
    # It covers the entries after the block before, up to this sequence.
    Column("up_to", BigInteger, nullable=False, info=IMPERSONAL),
    Column("previous", LargeBinary, nullable=False, info=IMPERSONAL),
    Column("hash", LargeBinary, nullable=False, info=IMPERSONAL),
    Column("entry_ids", ARRAY(Uuid), nullable=False, info=IMPERSONAL),
    # 32 bytes for each of the entries, in their order.
    Column("digests", LargeBinary, nullable=False, info=IMPERSONAL),
    # Only in a block that replaces a dropped month: the month, its last block, from which the chain goes on, and how
    # many entries its blocks had.
    Column("dropped_month", Date, info=IMPERSONAL),
    Column("dropped_number", BigInteger, info=IMPERSONAL),
    Column("dropped_up_to", BigInteger, info=IMPERSONAL),
    Column("dropped_hash", LargeBinary, info=IMPERSONAL),
    Column("dropped_entries", BigInteger, info=IMPERSONAL),
    created(),
    CheckConstraint("octet_length(digests) = 32 * cardinality(entry_ids)", name="digests"),
    CheckConstraint(
        "num_nulls(dropped_month, dropped_number, dropped_up_to, dropped_hash, dropped_entries) IN (0, 5)"
        " AND (dropped_month IS NULL OR cardinality(entry_ids) = 0 AND dropped_number < number)",
        name="dropped",
    ),
    Index("ix_audit_blocks_month", "month", "number"),
    Index("ix_audit_blocks_dropped", "number", postgresql_where=text("dropped_month IS NOT NULL")),
)

# One row: up to which sequence entries may be chained once no transaction below `horizon` still runs, which block
# was checked last, and with which block the chain ends.
audit_chain = Table(
    "audit_chain",
    metadata,
    Column("id", Boolean, primary_key=True, server_default=text("true"), info=IMPERSONAL),
    Column("noted", BigInteger, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("horizon", Xid8, nullable=False, server_default=text("'0'::xid8")),
    Column("checked", BigInteger, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("number", BigInteger, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("hash", LargeBinary, nullable=False, server_default=text(rf"'\x{'00' * 32}'::bytea"), info=IMPERSONAL),
    created(),
    CheckConstraint("id", name="one_row"),
)
