"""Check the ids of the questions from before 0125, which requests have held apart.

Revision: 0126, after 0125.
"""

from __future__ import annotations

from alembic import op

revision = "0126"
down_revision = "0125"
branch_labels = None
depends_on = None
ASKING = ("listings", "group_session_templates")


def upgrade() -> None:
    for table in ASKING:
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_question_ids")


def downgrade() -> None:
    for table in ASKING:
        rule = f"ck_{table}_question_ids"
        op.drop_constraint(op.f(rule), table)
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {rule} CHECK (has_distinct_ids(questions)) NOT VALID")
