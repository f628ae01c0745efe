"""The audit of all changes and refusals, in partitions by month, and the chain of hashes over it.

What operators did before stays, under the same ids.

Revision: 0044, after 0043.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_kw: object) -> str:
        return "XID8"


# Lower bound of the UUIDv7 of a day, in UTC, as hexadecimal digits.
BOUND = "lpad(to_hex(CAST(extract(epoch FROM {day}) * 1000 AS bigint)), 12, '0') || repeat('0', 20)"
# The partition of a month, or the default one for NULL; whether it was made. A month of which the default partition has
# entries gets none: they stay there together.
MAKE_PARTITION = f"""
CREATE FUNCTION make_audit_partition(month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'audit_entries_' || coalesce(to_char(month, 'YYYY_MM'), 'default');
    lower uuid := CAST({BOUND.format(day="month")} AS uuid);
    upper uuid := CAST({BOUND.format(day="(month + interval '1 month')")} AS uuid);
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF month IS NOT NULL THEN
        PERFORM FROM audit_entries_default WHERE id >= lower AND id < upper;
        IF FOUND THEN
            RETURN false;
        END IF;
    END IF;
    -- Attaching a table locks out no writers; making it as a partition would.
    EXECUTE format(
        'CREATE TABLE %I (LIKE audit_entries INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', partition
    );
    EXECUTE format(
        'CREATE TRIGGER tr_audit_entries_truncate BEFORE TRUNCATE ON %I'
        ' FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change()', partition
    );
    IF month IS NULL THEN
        EXECUTE format('ALTER TABLE audit_entries ATTACH PARTITION %I DEFAULT', partition);
    ELSE
        EXECUTE format(
            'ALTER TABLE audit_entries ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, lower, upper
        );
    END IF;
    RETURN true;
END $$
"""
FIRST_PARTITIONS = """
SELECT make_audit_partition(CAST(month AS date)) FROM generate_series(
    date_trunc('month', least(now(), (SELECT min(occurred_at) FROM kept)) AT TIME ZONE 'UTC'),
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', interval '1 month'
) AS month
"""
TRIGGERS = (
    "CREATE TRIGGER tr_audit_entries_change BEFORE UPDATE OR DELETE ON audit_entries"
    " FOR EACH ROW EXECUTE FUNCTION guard_audit_change()",
    "CREATE TRIGGER tr_audit_entries_truncate BEFORE TRUNCATE ON audit_entries"
    " FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change()",
    "CREATE TRIGGER tr_audit_blocks_change BEFORE UPDATE OR TRUNCATE ON audit_blocks"
    " FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change()",
    "CREATE TRIGGER tr_audit_dropped_months_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_dropped_months"
    " FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change()",
)
COPIED = "id, actor, action, subject_type, subject_id, reason, data, occurred_at, created_at"


def upgrade() -> None:
    # Under another name, the old table would keep the names of the constraints.
    op.execute("CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM audit_entries")
    op.drop_table("audit_entries")
    _make_entries()
    op.create_table(
        "audit_blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("entry_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("octet_length(digests) = 32 * cardinality(entry_ids)", name=op.f("ck_audit_blocks_digests")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_blocks")),
    )
    op.create_index("ix_audit_blocks_month", "audit_blocks", ["month", "number"])
    op.create_table(
        "audit_dropped_months",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_audit_dropped_months")),
    )
    op.create_table(
        "audit_chain",
        sa.Column("id", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("noted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("horizon", Xid8(), server_default=sa.text("'0'::xid8"), nullable=False),
        sa.Column("checked", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("id", name=op.f("ck_audit_chain_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chain")),
    )
    for statement in TRIGGERS:
        op.execute(statement)


def _make_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("result", sa.Text(), server_default=sa.text("'ok'"), nullable=False),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("address_hash", sa.LargeBinary(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("jsonb_typeof(data) = 'object'", name=op.f("ck_audit_entries_data_is_an_object")),
        sa.CheckConstraint("count >= 1", name=op.f("ck_audit_entries_count")),
        sa.CheckConstraint("octet_length(address_hash) = 16", name=op.f("ck_audit_entries_address_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        postgresql_partition_by="RANGE (id)",
    )
    for column in ("subject_id", "actor", "action"):
        op.create_index(f"ix_audit_entries_{column}_id", "audit_entries", [column, "id"])
    op.create_index(
        "ix_audit_entries_refused", "audit_entries", ["result", "id"], postgresql_where=sa.text("result <> 'ok'")
    )
    op.create_index("ix_audit_entries_sequence", "audit_entries", ["sequence"])
    op.execute(MAKE_PARTITION)
    op.execute("SELECT make_audit_partition(NULL)")
    op.execute(FIRST_PARTITIONS)
    op.execute(f"INSERT INTO audit_entries ({COPIED}) SELECT {COPIED} FROM kept ORDER BY sequence")


def downgrade() -> None:
    for table in ("audit_chain", "audit_dropped_months", "audit_blocks"):
        op.drop_table(table)
    op.execute("CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM audit_entries WHERE result = 'ok'")
    op.drop_table("audit_entries")
    op.execute("DROP FUNCTION make_audit_partition(date)")
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("jsonb_typeof(data) = 'object'", name=op.f("ck_audit_entries_data_is_an_object")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    for column in ("subject_id", "actor", "action"):
        op.create_index(f"ix_audit_entries_{column}_id", "audit_entries", [column, "id"])
    op.execute(
        f"INSERT INTO audit_entries ({COPIED}) SELECT {COPIED} FROM kept WHERE subject_id IS NOT NULL ORDER BY sequence"
    )
    op.execute(
        "CREATE TRIGGER tr_audit_entries_change BEFORE UPDATE OR DELETE ON audit_entries"
        " FOR EACH ROW EXECUTE FUNCTION guard_audit_change()"
    )
