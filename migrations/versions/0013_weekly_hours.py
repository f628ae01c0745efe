"""The weekly hours in which mentors can be booked.

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Reports count by them what has been, and bookings were let in by them.
HOURS_CHANGE = """
CREATE FUNCTION guard_hours_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_' || TG_TABLE_NAME || '_unchangeable', 'Hours are followed by others, never changed.');
    RETURN NULL;
END $$
"""

TRIGGERS = (
    "CREATE TRIGGER tr_weekly_hours_change BEFORE UPDATE ON weekly_hours FOR EACH ROW WHEN ("
    "OLD.until IS NOT NULL OR (NEW.id, NEW.mentor_profile_id, NEW.revision, NEW.time_zone, NEW.since)"
    " IS DISTINCT FROM (OLD.id, OLD.mentor_profile_id, OLD.revision, OLD.time_zone, OLD.since)"
    ") EXECUTE FUNCTION guard_hours_change()",
    "CREATE TRIGGER tr_weekly_hours_delete BEFORE DELETE ON weekly_hours"
    " FOR EACH ROW EXECUTE FUNCTION guard_hours_change()",
    "CREATE TRIGGER tr_availability_rules_change BEFORE UPDATE OR DELETE ON availability_rules"
    " FOR EACH ROW EXECUTE FUNCTION guard_hours_change()",
)


def upgrade() -> None:
    op.create_table(
        "weekly_hours",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_weekly_hours_revision")),
        sa.CheckConstraint("until >= since", name=op.f("ck_weekly_hours_holds_until_after_since")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_weekly_hours_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weekly_hours")),
        sa.UniqueConstraint("mentor_profile_id", "revision", name=op.f("uq_weekly_hours_mentor_profile_id_revision")),
    )
    op.create_index(
        "uq_weekly_hours_present",
        "weekly_hours",
        ["mentor_profile_id"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_table(
        "availability_rules",
        sa.Column("weekly_hours_id", sa.Uuid(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("opens", sa.SmallInteger(), nullable=False),
        sa.Column("closes", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_availability_rules_weekday")),
        sa.CheckConstraint(
            "0 <= opens AND opens < closes AND closes <= 1440", name=op.f("ck_availability_rules_within_a_day")
        ),
        sa.ForeignKeyConstraint(
            ["weekly_hours_id"], ["weekly_hours.id"], name=op.f("fk_availability_rules_weekly_hours_id")
        ),
        sa.PrimaryKeyConstraint("weekly_hours_id", "weekday", "opens", name=op.f("pk_availability_rules")),
        postgresql.ExcludeConstraint(
            (sa.column("weekly_hours_id"), "="),
            (sa.column("weekday"), "="),
            (sa.text("int4range(opens, closes)"), "&&"),
            using="gist",
            name=op.f("ex_availability_rules_weekly_hours_id_weekday"),
        ),
    )
    op.execute(HOURS_CHANGE)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    op.drop_table("availability_rules")
    op.drop_table("weekly_hours")
    op.execute("DROP FUNCTION guard_hours_change()")
