"""Read the refunds of a payment by a function.

Revision: 0120, after 0119.
"""

from __future__ import annotations

from alembic import op

from migrations import function_sql

revision = "0120"
down_revision = "0119"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(function_sql("refunds_of", at=revision))


def downgrade() -> None:
    op.execute("DROP FUNCTION refunds_of(uuid, text)")
