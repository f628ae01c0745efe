"""`updated_at` is the time of the change itself, under the row's lock, and not that of its transaction's start.

Revision: 0061, after 0060.
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

TOUCH = import_module("migrations.versions.0041_encryption_anew").TOUCH_UNLESS_KEPT


def upgrade() -> None:
    op.execute(TOUCH.replace("now()", "clock_timestamp()"))


def downgrade() -> None:
    op.execute(TOUCH)
