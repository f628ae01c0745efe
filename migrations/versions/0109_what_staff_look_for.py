"""Let staff find bookings and sessions by a party's name or mail address, and by the course.

Revision: 0109, after 0108.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import build_index

revision = "0109"
down_revision = "0108"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_users_name": ("users", [sa.text("lower(name) text_pattern_ops")]),
    "ix_users_email": ("users", [sa.text("lower(email) text_pattern_ops")]),
    "ix_bookings_course_id_start_time": ("bookings", ["course_id", "start_time"]),
    "ix_sessions_course_id_start_time": ("sessions", ["course_id", "start_time"]),
}


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        build_index(name, table, columns)


def downgrade() -> None:
    for name, (table, _columns) in INDEXES.items():
        op.drop_index(name, table)
