"""Invitations, calendar feeds and reminders.

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# The cancellation of a session changes what calendars hold of it, and must be believed over the invitation before.
RAISE_SEQUENCE = """
CREATE FUNCTION raise_calendar_sequence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.calendar_sequence := OLD.calendar_sequence + 1;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column("sessions", sa.Column("calendar_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(op.f("ck_sessions_calendar_sequence"), "sessions", "calendar_sequence >= 0")
    op.execute(RAISE_SEQUENCE)
    op.execute(
        "CREATE TRIGGER tr_sessions_calendar BEFORE UPDATE OF status ON sessions FOR EACH ROW"
        " WHEN (NEW.status = 'cancelled' AND OLD.status <> 'cancelled') EXECUTE FUNCTION raise_calendar_sequence()"
    )
    op.add_column("listings", sa.Column("reminder_minutes", postgresql.ARRAY(sa.Integer()), nullable=True))
    op.create_check_constraint(
        op.f("ck_listings_reminder_minutes"),
        "listings",
        "cardinality(reminder_minutes) <= 5 AND 1 <= ALL (reminder_minutes) AND 43200 >= ALL (reminder_minutes)"
        " AND array_position(reminder_minutes, NULL) IS NULL",
    )
    op.create_table(
        "calendar_secrets",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_calendar_secrets_digest")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_calendar_secrets_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_calendar_secrets")),
        sa.UniqueConstraint("digest", name=op.f("uq_calendar_secrets_digest")),
    )
    op.execute(
        "CREATE TRIGGER tr_calendar_secrets_version BEFORE UPDATE ON calendar_secrets"
        " FOR EACH ROW EXECUTE FUNCTION touch()"
    )


def downgrade() -> None:
    op.drop_table("calendar_secrets")
    op.drop_constraint(op.f("ck_listings_reminder_minutes"), "listings", type_="check")
    op.drop_column("listings", "reminder_minutes")
    op.execute("DROP TRIGGER tr_sessions_calendar ON sessions")
    op.execute("DROP FUNCTION raise_calendar_sequence()")
    op.drop_constraint(op.f("ck_sessions_calendar_sequence"), "sessions", type_="check")
    op.drop_column("sessions", "calendar_sequence")
