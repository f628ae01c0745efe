"""Avatars and languages of mentors, locales of users, and the room in which a session meets.

Revision: 0034, after 0033.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mentor_profiles", sa.Column("avatar_url", sa.Text(), nullable=True))
    op.add_column(
        "mentor_profiles",
        sa.Column("languages", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_mentor_profiles_avatar_url"),
        "mentor_profiles",
        "avatar_url ~ '^https?://' AND char_length(avatar_url) <= 2000",
    )
    op.add_column("users", sa.Column("locale", sa.Text(), server_default=sa.text("'en'"), nullable=False))
    op.create_check_constraint(op.f("ck_users_locale"), "users", "char_length(locale) BETWEEN 2 AND 35")
    # Of sessions from now on by the default, and of those to come: others need none. The table is not written anew.
    op.add_column("sessions", sa.Column("room", sa.Uuid(), nullable=True))
    op.alter_column("sessions", "room", server_default=sa.text("gen_random_uuid()"))
    op.execute("ALTER TABLE sessions DISABLE TRIGGER USER")
    op.execute("UPDATE sessions SET room = gen_random_uuid() WHERE status IN ('scheduled', 'in_progress')")
    op.execute("ALTER TABLE sessions ENABLE TRIGGER USER")


def downgrade() -> None:
    op.drop_column("sessions", "room")
    op.drop_column("users", "locale")
    op.drop_column("mentor_profiles", "languages")
    op.drop_column("mentor_profiles", "avatar_url")
