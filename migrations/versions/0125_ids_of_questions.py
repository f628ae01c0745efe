"""Hold the ids of a listing's or a template's questions apart.

Revision: 0125, after 0124.
"""

from __future__ import annotations

from alembic import op

from migrations import function_sql

revision = "0125"
down_revision = "0124"
branch_labels = None
depends_on = None
ASKING = ("listings", "group_session_templates")


def upgrade() -> None:
    op.execute(function_sql("has_distinct_ids", at=revision))
    for table in ASKING:
        rule = f"ck_{table}_question_ids"
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {rule} CHECK (has_distinct_ids(questions)) NOT VALID")


def downgrade() -> None:
    for table in ASKING:
        op.drop_constraint(op.f(f"ck_{table}_question_ids"), table)
    op.execute("DROP FUNCTION has_distinct_ids(jsonb)")
