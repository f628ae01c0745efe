"""A dropped month of the audit is a block of its chain, and the chain's tables have guards.

Back at the revision before, `tutelage audit verify` names the blocks of dropped months: their hashes cover more than it
knows of.

Revision: 0050, after 0049.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

DROPPED = {
    "dropped_month": sa.Date(),
    "dropped_number": sa.BigInteger(),
    "dropped_up_to": sa.BigInteger(),
    "dropped_hash": sa.LargeBinary(),
    "dropped_entries": sa.BigInteger(),
}
NOTHING = f"'\\x{'00' * 32}'::bytea"
# The last of the months that were dropped becomes a block, as workflows/audit/chain.py makes them.
MAKE_BLOCK = """
INSERT INTO audit_blocks (
    number, month, up_to, previous, hash, entry_ids, digests,
    dropped_month, dropped_number, dropped_up_to, dropped_hash, dropped_entries
)
SELECT e.number + 1, greatest(e.month, CAST(date_trunc('month', now() AT TIME ZONE 'UTC') AS date)), e.up_to, e.hash,
    sha256(
        e.hash || int8send(e.number + 1) || int8send(e.up_to) || int8send(0)
        || convert_to(to_char(d.month, 'YYYY-MM-DD'), 'UTF8')
        || int8send(d.number) || int8send(d.up_to) || int8send(d.entries) || d.hash
    ),
    '{}', '', d.month, d.number, d.up_to, d.hash, d.entries
FROM (SELECT * FROM audit_dropped_months ORDER BY month DESC LIMIT 1) AS d CROSS JOIN LATERAL (
    SELECT number, month, up_to, hash FROM audit_blocks
    UNION ALL SELECT d.number, d.month, d.up_to, d.hash
    ORDER BY number DESC LIMIT 1
) AS e
"""
NOTE_END = """
UPDATE audit_chain SET number = b.number, hash = b.hash
FROM (SELECT number, hash FROM audit_blocks ORDER BY number DESC LIMIT 1) AS b
"""
GUARD_BLOCK = """
CREATE FUNCTION guard_audit_block() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last audit_blocks%ROWTYPE;
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT * INTO last FROM audit_blocks WHERE dropped_month IS NOT NULL ORDER BY number DESC LIMIT 1;
        IF OLD.number > coalesce(last.dropped_number, 0) THEN
            PERFORM refuse('tr_audit_blocks_chain', 'A block goes with its month alone, once a later block says so.');
        END IF;
        RETURN OLD;
    END IF;
    SELECT * INTO last FROM audit_blocks ORDER BY number DESC LIMIT 1;
    IF NEW.number <> coalesce(last.number, 0) + 1 OR NEW.previous <> last.hash THEN
        PERFORM refuse('tr_audit_blocks_chain', 'A block follows the last one.');
    END IF;
    IF NEW.dropped_month >= date_trunc('month', now() AT TIME ZONE 'UTC') THEN
        PERFORM refuse('tr_audit_blocks_chain', 'A month that is not over is never dropped.');
    END IF;
    RETURN NEW;
END $$
"""
GUARD_CHAIN = """
CREATE FUNCTION guard_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.number < OLD.number OR NEW.noted < OLD.noted THEN
        PERFORM refuse('tr_audit_chain_forward', 'The chain goes on, and never back.');
    END IF;
    RETURN NEW;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER tr_audit_blocks_chain BEFORE INSERT OR DELETE ON audit_blocks"
    " FOR EACH ROW EXECUTE FUNCTION guard_audit_block()",
    "CREATE TRIGGER tr_audit_chain_change BEFORE UPDATE OR DELETE ON audit_chain"
    " FOR EACH ROW EXECUTE FUNCTION guard_audit_chain()",
    "CREATE TRIGGER tr_audit_chain_truncate BEFORE TRUNCATE ON audit_chain"
    " FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change()",
)


def upgrade() -> None:
    for name, kind in DROPPED.items():
        op.add_column("audit_blocks", sa.Column(name, kind, nullable=True))
    op.create_check_constraint(
        op.f("ck_audit_blocks_dropped"),
        "audit_blocks",
        f"num_nulls({', '.join(DROPPED)}) IN (0, 5)"
        " AND (dropped_month IS NULL OR cardinality(entry_ids) = 0 AND dropped_number < number)",
    )
    where = sa.text("dropped_month IS NOT NULL")
    op.create_index("ix_audit_blocks_dropped", "audit_blocks", ["number"], postgresql_where=where)
    op.add_column("audit_chain", sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("audit_chain", sa.Column("hash", sa.LargeBinary(), server_default=sa.text(NOTHING), nullable=False))
    op.execute(MAKE_BLOCK)
    op.execute(NOTE_END)
    op.drop_table("audit_dropped_months")
    for statement in (GUARD_BLOCK, GUARD_CHAIN, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    op.create_table(
        "audit_dropped_months",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_audit_dropped_months")),
    )
    op.execute(
        f"INSERT INTO audit_dropped_months (month, number, up_to, hash, entries) SELECT {', '.join(DROPPED)}"
        " FROM audit_blocks WHERE dropped_month IS NOT NULL ORDER BY number DESC LIMIT 1"
    )
    op.execute(
        "CREATE TRIGGER tr_audit_dropped_months_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_dropped_months"
        " FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change()"
    )
    op.execute("DROP TRIGGER tr_audit_blocks_chain ON audit_blocks")
    for trigger in ("change", "truncate"):
        op.execute(f"DROP TRIGGER tr_audit_chain_{trigger} ON audit_chain")
    for function in ("guard_audit_block", "guard_audit_chain"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_index("ix_audit_blocks_dropped", "audit_blocks")
    for table, columns in (("audit_chain", ("number", "hash")), ("audit_blocks", tuple(DROPPED))):
        for name in columns:
            op.drop_column(table, name)
