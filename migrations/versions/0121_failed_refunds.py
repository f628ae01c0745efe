"""Let a refund fail after it was done, and be due again.

Revision: 0121, after 0120. A step back takes failed refunds out of the ledger, with the entries that they were done.
"""

from __future__ import annotations

from alembic import op

from migrations import function_sql

revision = "0121"
down_revision = "0120"
branch_labels = None
depends_on = None

ADDED = """
ALTER TABLE payment_entries DROP CONSTRAINT ck_payment_entries_refund_id;
ALTER TABLE payment_entries DROP CONSTRAINT uq_payment_entries_refund_id;
ALTER TABLE payment_entries ADD CONSTRAINT ck_payment_entries_refund_id
    CHECK ((refund_id IS NULL) = (kind IN ('charge', 'refund_due')));
CREATE INDEX ix_payment_entries_refund_id_sequence ON payment_entries (refund_id, sequence);
"""
# A value of an enum cannot be dropped: the column gets another type, without all that names it meanwhile.
TAKEN_BACK = """
DROP TRIGGER tr_payment_entries_refund ON payment_entries;
DROP FUNCTION guard_refund_entry();
DROP FUNCTION refunds_of(uuid, text);
ALTER TABLE payment_entries DISABLE TRIGGER tr_payment_entries_change;
DELETE FROM payment_entries USING payment_entries failed
WHERE failed.kind = 'refund_failed' AND payment_entries.refund_id = failed.refund_id
    AND payment_entries.sequence <= failed.sequence;
ALTER TABLE payment_entries ENABLE TRIGGER tr_payment_entries_change;
SET CONSTRAINTS ALL IMMEDIATE;
DROP INDEX ix_payment_entries_refund_id_sequence;
ALTER TABLE payment_entries DROP CONSTRAINT ck_payment_entries_refund_id;
ALTER TABLE payment_entries DROP CONSTRAINT ck_payment_entries_reference;
ALTER TYPE payment_entry_kind RENAME TO payment_entry_kind_before;
CREATE TYPE payment_entry_kind AS ENUM ('charge', 'refund_due', 'refund_done');
ALTER TABLE payment_entries ALTER COLUMN kind TYPE payment_entry_kind
    USING CAST(CAST(kind AS text) AS payment_entry_kind);
DROP TYPE payment_entry_kind_before;
ALTER TABLE payment_entries ADD CONSTRAINT ck_payment_entries_refund_id
    CHECK ((refund_id IS NOT NULL) = (kind = 'refund_done'));
ALTER TABLE payment_entries ADD CONSTRAINT ck_payment_entries_reference
    CHECK ((reference IS NULL) = (kind = 'refund_due'));
ALTER TABLE payment_entries ADD CONSTRAINT uq_payment_entries_refund_id UNIQUE (refund_id);
"""


def upgrade() -> None:
    op.execute("ALTER TYPE payment_entry_kind ADD VALUE 'refund_failed'")
    op.execute(ADDED)
    op.execute(function_sql("refunds_of", at=revision))
    op.execute(function_sql("guard_refund_entry", at=revision))


def downgrade() -> None:
    op.execute(TAKEN_BACK)
    op.execute(function_sql("refunds_of", at=down_revision))
