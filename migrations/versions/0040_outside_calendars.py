"""Outside calendars of mentors: their addresses, and the busy times in them, in which nothing is booked or accepted.

Revision: 0040, after 0039.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

# As of time off, the look is younger than the mentor's lock, which the transaction that inserts a block has. Buffers
# are part of the block: they do not reach into times at which the mentor is busy elsewhere.
GUARD_OUTSIDE_BUSY = """
CREATE FUNCTION guard_outside_busy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM outside_busy WHERE mentor_profile_id = NEW.mentor_profile_id AND busy && NEW.busy;
    IF FOUND THEN
        PERFORM refuse('tr_mentor_busy_outside', 'The mentor is busy elsewhere at this time.');
    END IF;
    RETURN NEW;
END $$
"""
HALF_OPEN = (
    "NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy) AND lower_inc(busy) AND NOT upper_inc(busy)"
)


def upgrade() -> None:
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("sealed_url", sa.Text(), nullable=False),
        sa.Column("url_digest", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("scheduled_by", sa.Uuid(), nullable=False),
        sa.Column("next_fetch_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stale_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("content_digest", sa.LargeBinary(), nullable=True),
        sa.Column("busy_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("char_length(name) <= 200", name=op.f("ck_calendar_feeds_name_length")),
        sa.CheckConstraint("octet_length(url_digest) = 32", name=op.f("ck_calendar_feeds_url_digest")),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_calendar_feeds_failures")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_calendar_feeds_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint(
            "mentor_profile_id", "url_digest", name=op.f("uq_calendar_feeds_mentor_profile_id_url_digest")
        ),
        sa.UniqueConstraint("mentor_profile_id", "id", name=op.f("uq_calendar_feeds_mentor_profile_id_id")),
    )
    op.execute(
        "CREATE TRIGGER tr_calendar_feeds_version BEFORE UPDATE ON calendar_feeds FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    op.create_table(
        "outside_busy",
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("calendar_feed_id", sa.Uuid(), nullable=False),
        sa.Column("busy", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(HALF_OPEN, name=op.f("ck_outside_busy_busy_is_a_half_open_stretch")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id", "calendar_feed_id"],
            ["calendar_feeds.mentor_profile_id", "calendar_feeds.id"],
            name=op.f("fk_outside_busy_mentor_profile_id_calendar_feed_id"),
        ),
        postgresql.ExcludeConstraint(
            ("mentor_profile_id", "="),
            ("calendar_feed_id", "="),
            ("busy", "&&"),
            using="gist",
            name="ex_outside_busy_mentor_profile_id_calendar_feed_id_busy",
        ),
    )
    op.execute(GUARD_OUTSIDE_BUSY)
    op.execute(
        "CREATE TRIGGER tr_mentor_busy_outside BEFORE INSERT ON mentor_busy"
        " FOR EACH ROW EXECUTE FUNCTION guard_outside_busy()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_mentor_busy_outside ON mentor_busy")
    op.execute("DROP FUNCTION guard_outside_busy()")
    op.drop_table("outside_busy")
    op.drop_table("calendar_feeds")
