"""Let a seat that was kept until its payment be taken, though its mentor has blocked the person meanwhile.

Revision: 0128, after 0127.
"""

from __future__ import annotations

from alembic import op

from migrations import function_sql

revision = "0128"
down_revision = "0127"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(function_sql("guard_block", at=revision))


def downgrade() -> None:
    op.execute(function_sql("guard_block", at=down_revision))
