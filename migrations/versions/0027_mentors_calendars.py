"""Time off, hours of single dates, rules of booking, holds, buffers before a session; one open draft for one time.

Of a mentee's open drafts for one mentor and time, the first stays; the others are cancelled as `duplicate`.

Revision: 0027, after 0026.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

RULES = ("max_per_day", "max_per_week", "max_per_mentee_per_day", "max_per_mentee_per_week")
HOLD = ("hold_id", "expires_at", "held_by_user_id", "held_start", "held_end")

# The transaction that inserts a block has the mentor's lock. The look is younger than the lock, as each statement of a
# function is, so that no time off can be written meanwhile. The buffers of a session may reach into time off.
GUARD_TIME_OFF = """
CREATE FUNCTION guard_time_off() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    begins timestamptz := NEW.held_start;
    ends timestamptz := NEW.held_end;
BEGIN
    PERFORM FROM time_off WHERE mentor_profile_id = NEW.mentor_profile_id
        AND end_time > lower(NEW.busy) AND start_time < upper(NEW.busy);
    IF FOUND THEN
        IF NEW.booking_id IS NOT NULL THEN
            SELECT start_time, end_time INTO begins, ends FROM bookings WHERE id = NEW.booking_id;
        END IF;
        PERFORM FROM time_off WHERE mentor_profile_id = NEW.mentor_profile_id
            AND end_time > begins AND start_time < ends;
        IF FOUND THEN
            PERFORM refuse('tr_mentor_busy_time_off', 'The mentor has time off at this time.');
        END IF;
    END IF;
    RETURN NEW;
END $$
"""
# Called under the mentee's lock, which its looks are younger than. A series counts as one.
GUARD_OPEN_DRAFTS = """
CREATE FUNCTION guard_open_drafts(
    mentee uuid, mentor uuid, series uuid, max_per_mentor integer, max_of_all integer
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    of_mentor bigint;
    of_all bigint;
BEGIN
    SELECT count(DISTINCT coalesce(series_id, id)) FILTER (WHERE mentor_profile_id = mentor),
           count(DISTINCT coalesce(series_id, id))
    INTO of_mentor, of_all
    FROM bookings
    WHERE mentee_user_id = mentee AND status = 'draft' AND (series IS NULL OR series_id IS DISTINCT FROM series);
    IF of_mentor >= max_per_mentor THEN
        PERFORM refuse('open_drafts_of_mentor', format('There are %s open drafts for the mentor.', of_mentor));
    END IF;
    IF of_all >= max_of_all THEN
        PERFORM refuse('open_drafts', format('There are %s open drafts.', of_all));
    END IF;
    RETURN true;
END $$
"""
CANCEL_DUPLICATES = """
UPDATE bookings SET status = 'cancelled', cancel_reason = 'duplicate'
FROM bookings first
WHERE bookings.status = 'draft' AND first.status = 'draft' AND first.id < bookings.id
  AND first.mentee_user_id = bookings.mentee_user_id AND first.mentor_profile_id = bookings.mentor_profile_id
  AND first.start_time = bookings.start_time
"""


def upgrade() -> None:
    op.add_column(
        "mentor_profiles", sa.Column("calendar_version", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.execute("DROP TRIGGER tr_mentor_profiles_version ON mentor_profiles")
    # A change of the calendar is none of the profile.
    op.execute(
        "CREATE TRIGGER tr_mentor_profiles_version BEFORE UPDATE ON mentor_profiles FOR EACH ROW"
        " WHEN (OLD.calendar_version = NEW.calendar_version) EXECUTE FUNCTION touch()"
    )
    _make_time_off()
    _make_date_hours()
    _make_booking_rules()
    _extend_mentor_busy()
    for table, check in (
        ("listings", "buffer_before_minutes BETWEEN 0 AND 1440"),
        ("bookings", "buffer_before_minutes >= 0"),
    ):
        op.add_column(
            table, sa.Column("buffer_before_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False)
        )
        op.create_check_constraint(op.f(f"ck_{table}_buffer_before_minutes"), table, check)
    op.execute(CANCEL_DUPLICATES)
    op.create_index(
        "uq_bookings_open_draft",
        "bookings",
        ["mentee_user_id", "mentor_profile_id", "start_time"],
        unique=True,
        postgresql_where=sa.text("status = 'draft'"),
    )
    op.execute(GUARD_OPEN_DRAFTS)
    op.execute(GUARD_TIME_OFF)
    op.execute(
        "CREATE TRIGGER tr_mentor_busy_insert BEFORE INSERT ON mentor_busy"
        " FOR EACH ROW EXECUTE FUNCTION guard_time_off()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_mentor_busy_insert ON mentor_busy")
    op.execute("DROP FUNCTION guard_time_off()")
    op.execute("DROP FUNCTION guard_open_drafts(uuid, uuid, uuid, integer, integer)")
    op.drop_index("uq_bookings_open_draft", "bookings")
    for table in ("bookings", "listings"):
        op.drop_column(table, "buffer_before_minutes")
    op.drop_constraint(op.f("ck_mentor_busy_a_hold_is_whole"), "mentor_busy")
    op.drop_index("ix_mentor_busy_expires_at", "mentor_busy")
    op.drop_index("ix_mentor_busy_held_by_user_id_id", "mentor_busy")
    for name in ("held_by_user_id", "held_start", "held_end"):
        op.drop_column("mentor_busy", name)
    op.create_check_constraint(
        op.f("ck_mentor_busy_a_hold_expires"), "mentor_busy", "(hold_id IS NULL) = (expires_at IS NULL)"
    )
    for table in ("booking_rules", "date_hours", "time_off"):
        op.drop_table(table)
    op.execute("DROP TRIGGER tr_mentor_profiles_version ON mentor_profiles")
    op.execute(
        "CREATE TRIGGER tr_mentor_profiles_version BEFORE UPDATE ON mentor_profiles"
        " FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    op.drop_column("mentor_profiles", "calendar_version")


def _make_time_off() -> None:
    op.create_table(
        "time_off",
        sa.Column("id", sa.Uuid(), nullable=False),
        _mentor(),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        _created(),
        sa.CheckConstraint("end_time > start_time", name=op.f("ck_time_off_ends_after_it_starts")),
        sa.CheckConstraint("char_length(reason) <= 1000", name=op.f("ck_time_off_reason_length")),
        _of_a_mentor("time_off"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_off")),
    )
    # For a mentor's list, and for what overlaps a time: what has not ended by then is little.
    op.create_index(
        "ix_time_off_mentor_profile_id_start_time_id",
        "time_off",
        ["mentor_profile_id", sa.text("start_time DESC"), "id"],
    )
    op.create_index("ix_time_off_mentor_profile_id_end_time", "time_off", ["mentor_profile_id", "end_time"])


def _make_date_hours() -> None:
    op.create_table(
        "date_hours",
        _mentor(),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spans", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _created(),
        sa.CheckConstraint("jsonb_typeof(spans) = 'array'", name=op.f("ck_date_hours_spans_are_an_array")),
        _of_a_mentor("date_hours"),
        sa.PrimaryKeyConstraint("mentor_profile_id", "day", name=op.f("pk_date_hours")),
    )


def _make_booking_rules() -> None:
    op.create_table(
        "booking_rules",
        _mentor(),
        sa.Column("step_minutes", sa.Integer(), server_default=sa.text("15"), nullable=False),
        sa.Column("horizon_days", sa.Integer(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in RULES),
        sa.Column("stale_calendars", sa.Text(), server_default=sa.text("'ignore'"), nullable=False),
        *_changing(),
        sa.CheckConstraint("step_minutes BETWEEN 5 AND 1440", name=op.f("ck_booking_rules_step_minutes")),
        sa.CheckConstraint("horizon_days BETWEEN 1 AND 1830", name=op.f("ck_booking_rules_horizon_days")),
        *(sa.CheckConstraint(f"{name} BETWEEN 1 AND 1000", name=op.f(f"ck_booking_rules_{name}")) for name in RULES),
        sa.CheckConstraint("stale_calendars IN ('ignore', 'refuse')", name=op.f("ck_booking_rules_stale_calendars")),
        _of_a_mentor("booking_rules"),
        sa.PrimaryKeyConstraint("mentor_profile_id", name=op.f("pk_booking_rules")),
    )
    op.execute(
        "CREATE TRIGGER tr_booking_rules_version BEFORE UPDATE ON booking_rules FOR EACH ROW EXECUTE FUNCTION touch()"
    )


def _extend_mentor_busy() -> None:
    # Nothing has made holds so far.
    op.execute("DELETE FROM mentor_busy WHERE hold_id IS NOT NULL")
    op.add_column("mentor_busy", sa.Column("held_by_user_id", sa.Uuid(), nullable=True))
    op.add_column("mentor_busy", sa.Column("held_start", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mentor_busy", sa.Column("held_end", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("fk_mentor_busy_held_by_user_id"), "mentor_busy", "users", ["held_by_user_id"], ["id"])
    op.drop_constraint(op.f("ck_mentor_busy_a_hold_expires"), "mentor_busy")
    op.create_check_constraint(
        op.f("ck_mentor_busy_a_hold_is_whole"), "mentor_busy", f"num_nonnulls({', '.join(HOLD)}) IN (0, 5)"
    )
    for name, columns in (
        ("ix_mentor_busy_held_by_user_id_id", ["held_by_user_id", "id"]),
        ("ix_mentor_busy_expires_at", ["expires_at"]),
    ):
        op.create_index(name, "mentor_busy", columns, postgresql_where=sa.text(f"{columns[0]} IS NOT NULL"))


def _mentor() -> sa.Column[Any]:
    return sa.Column("mentor_profile_id", sa.Uuid(), nullable=False)


def _of_a_mentor(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_mentor_profile_id")
    return sa.ForeignKeyConstraint(["mentor_profile_id"], ["mentor_profiles.id"], name=name)


def _created() -> sa.Column[Any]:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _changing() -> tuple[sa.Column[Any], sa.Column[Any], sa.Column[Any]]:
    return (
        _created(),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )
