"""Let mentors block people.

Revision: 0105, after 0104.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations import function_sql

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None

GUARDED = ("bookings", "person_busy", "booking_participants", "waitlist_entries")


def upgrade() -> None:
    op.create_table(
        "mentor_blocks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_blocks")),
        sa.UniqueConstraint("mentor_profile_id", "user_id", name=op.f("uq_mentor_blocks_mentor_profile_id_user_id")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_mentor_blocks_mentor_profile_id")
        ),
    )
    op.create_index("ix_mentor_blocks_mentor_profile_id_id", "mentor_blocks", ["mentor_profile_id", "id"])
    op.create_index("ix_mentor_blocks_user_id", "mentor_blocks", ["user_id"])
    op.execute(function_sql("guard_block", at=revision))


def downgrade() -> None:
    for table in GUARDED:
        op.execute(f"DROP TRIGGER tr_{table}_block ON {table}")
    op.execute("DROP FUNCTION guard_block")
    op.drop_table("mentor_blocks")
