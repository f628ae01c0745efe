"""Let staff approve, reject and pause mentor profiles.

Revision: 0112, after 0111.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0112"
down_revision = "0111"
branch_labels = None
depends_on = None

STATE = postgresql.ENUM("pending", "active", "rejected", "paused", name="mentor_state")


def upgrade() -> None:
    STATE.create(op.get_bind())
    state = postgresql.ENUM(name="mentor_state", create_type=False)
    op.add_column("mentor_profiles", sa.Column("state", state, server_default="active", nullable=False))
    op.create_check_constraint(
        op.f("ck_mentor_profiles_active_once_approved"), "mentor_profiles", "NOT active OR state = 'active'"
    )


def downgrade() -> None:
    op.drop_column("mentor_profiles", "state")
    STATE.drop(op.get_bind())
