"""One calendar for each person: what mentors hold and what mentees attend is one table, with one exclusion constraint.

`mentor_busy` becomes `person_busy`, and takes the rows of `mentee_busy`. Participants of open sessions who have no such
row, as where `MENTEE_OVERLAP` was set, get one that other sessions as a mentee may overlap. Of two sessions of one
person that overlap already, as mentor and as mentee, both stay: the mentor's block is kept, the mentee's is left out,
and the invariant `person_busy_twice` names the session until one of the two is over or cancelled.

Revision: 0054, after 0053.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

# Called under the locks of its people, which its looks are younger than, as each statement of a function is. Time off
# and times of outside calendars keep a person from being booked as a mentor alone; the buffers of a session may reach
# into time off. A constraint cannot know the time: what has expired gives way, as do holds that the mentee of a booking
# has on it. Sessions of a mentee that were booked before the setting let them overlap may do so as well from then on.
# The exclusion constraint behind all this does not tell whose calendar refuses.
GUARD_PERSON_BUSY = """
CREATE FUNCTION guard_person_busy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_mentor boolean := NEW.mentor_profile_id IS NOT NULL;
    begins timestamptz := NEW.held_start;
    ends timestamptz := NEW.held_end;
    holder uuid;
    is_away boolean;
    is_elsewhere boolean;
    is_taken boolean;
BEGIN
    SELECT is_mentor AND EXISTS (
               SELECT FROM time_off WHERE mentor_profile_id = NEW.mentor_profile_id
                   AND end_time > lower(NEW.busy) AND start_time < upper(NEW.busy)
           ),
           is_mentor AND EXISTS (
               SELECT FROM outside_busy WHERE mentor_profile_id = NEW.mentor_profile_id AND busy && NEW.busy
           ),
           EXISTS (
               SELECT FROM person_busy WHERE user_id = NEW.user_id AND busy && NEW.busy
                   AND NOT (may_overlap AND NEW.may_overlap)
           )
    INTO is_away, is_elsewhere, is_taken;
    IF is_mentor AND NEW.booking_id IS NOT NULL AND (is_away OR is_taken) THEN
        SELECT start_time, end_time, mentee_user_id INTO begins, ends, holder FROM bookings WHERE id = NEW.booking_id;
    END IF;
    IF is_away THEN
        PERFORM FROM time_off WHERE mentor_profile_id = NEW.mentor_profile_id
            AND end_time > begins AND start_time < ends;
        IF FOUND THEN
            PERFORM refuse('tr_person_busy_time_off', 'The mentor has time off at this time.');
        END IF;
    END IF;
    IF is_elsewhere THEN
        PERFORM refuse('tr_person_busy_outside', 'The mentor is busy elsewhere at this time.');
    END IF;
    IF is_taken THEN
        DELETE FROM person_busy
        WHERE user_id = NEW.user_id AND busy && NEW.busy AND (expires_at <= now() OR held_by_user_id = holder);
        IF NEW.may_overlap THEN
            UPDATE person_busy SET may_overlap = true
            WHERE user_id = NEW.user_id AND busy && NEW.busy AND mentor_profile_id IS NULL AND NOT may_overlap;
        END IF;
        PERFORM FROM person_busy WHERE user_id = NEW.user_id AND busy && NEW.busy
            AND NOT (may_overlap AND NEW.may_overlap);
        IF FOUND AND is_mentor THEN
            PERFORM refuse('tr_person_busy_mentor', 'The mentor is busy at this time.');
        ELSIF FOUND THEN
            PERFORM refuse('tr_person_busy_mentee', 'The mentee is busy at this time.');
        END IF;
    END IF;
    RETURN NEW;
END $$
"""
MOVE_MENTEES = """
INSERT INTO person_busy (id, user_id, busy, booking_id, may_overlap, created_at)
SELECT gen_random_uuid(), user_id, busy, booking_id, false, created_at FROM mentee_busy ORDER BY created_at, booking_id
ON CONFLICT DO NOTHING
"""
BLOCK_OTHERS = """
INSERT INTO person_busy (id, user_id, busy, booking_id, may_overlap)
SELECT gen_random_uuid(), p.user_id, tstzrange(b.start_time, b.end_time), b.id, true
FROM bookings b JOIN booking_participants p ON p.booking_id = b.id LEFT JOIN sessions s ON s.booking_id = b.id
WHERE b.status = 'accepted' AND coalesce(s.status, 'scheduled') IN ('scheduled', 'in_progress')
  AND NOT EXISTS (SELECT FROM mentee_busy m WHERE m.booking_id = b.id AND m.user_id = p.user_id)
ORDER BY b.id
ON CONFLICT DO NOTHING
"""
MOVE_MENTEES_BACK = """
INSERT INTO mentee_busy (booking_id, user_id, busy, created_at)
SELECT booking_id, user_id, busy, created_at FROM person_busy WHERE mentor_profile_id IS NULL AND NOT may_overlap
"""
# Of before.
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
END_HOLDS = """
CREATE FUNCTION end_holds(mentor uuid, holder uuid, wanted tstzrange) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM mentor_busy
    WHERE mentor_profile_id = mentor AND busy && wanted AND (expires_at <= now() OR held_by_user_id = holder);
    RETURN true;
END $$
"""
# PostgreSQL 18 names them after their table.
RENAME_NOT_NULL = """
DO $$
DECLARE
    constraint_name text;
BEGIN
    FOR constraint_name IN
        SELECT conname FROM pg_constraint WHERE conrelid = '{name}'::regclass AND contype = 'n'
    LOOP
        EXECUTE format(
            'ALTER TABLE {name} RENAME CONSTRAINT %I TO %I',
            constraint_name, replace(constraint_name, '{present}', '{name}')
        );
    END LOOP;
END $$
"""
CONSTRAINTS = (
    *("pk_{}", "fk_{}_booking_id", "fk_{}_mentor_profile_id", "fk_{}_held_by_user_id"),
    *("ck_{}_a_booking_or_a_hold", "ck_{}_a_hold_is_whole", "ck_{}_busy_is_a_half_open_stretch"),
)
INDEXES = ("ix_{}_held_by_user_id_id", "ix_{}_expires_at")
TRIGGERS = ("tr_{}_hold_taken", "tr_{}_hold_freed")


def upgrade() -> None:
    op.execute("DROP TRIGGER tr_mentor_busy_insert ON mentor_busy")
    op.execute("DROP TRIGGER tr_mentor_busy_outside ON mentor_busy")
    for function in ("guard_time_off()", "guard_outside_busy()", "end_holds(uuid, uuid, tstzrange)"):
        op.execute(f"DROP FUNCTION {function}")
    for constraint in ("ex_mentor_busy_mentor_profile_id_busy", "uq_mentor_busy_booking_id", "uq_mentor_busy_hold_id"):
        op.drop_constraint(op.f(constraint), "mentor_busy")
    _rename("mentor_busy", "person_busy")
    op.add_column("person_busy", sa.Column("user_id", sa.Uuid(), nullable=True))
    op.add_column(
        "person_busy", sa.Column("may_overlap", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute("UPDATE person_busy SET user_id = m.user_id FROM mentor_profiles m WHERE m.id = mentor_profile_id")
    op.alter_column("person_busy", "user_id", nullable=False)
    op.alter_column("person_busy", "mentor_profile_id", nullable=True)
    _constrain()
    op.execute(MOVE_MENTEES)
    op.execute(BLOCK_OTHERS)
    op.drop_table("mentee_busy")
    op.execute(GUARD_PERSON_BUSY)
    op.execute(
        "CREATE TRIGGER tr_person_busy_insert BEFORE INSERT ON person_busy"
        " FOR EACH ROW EXECUTE FUNCTION guard_person_busy()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_person_busy_insert ON person_busy")
    op.execute("DROP FUNCTION guard_person_busy()")
    _make_mentee_busy()
    op.execute(MOVE_MENTEES_BACK)
    op.execute("DELETE FROM person_busy WHERE mentor_profile_id IS NULL")
    op.drop_index("uq_person_busy_hold_id", "person_busy")
    for constraint in (
        *("ex_person_busy_user_id_busy", "uq_person_busy_booking_id_user_id", "fk_person_busy_user_id"),
        *("ck_person_busy_a_hold_is_of_a_mentor", "ck_person_busy_a_mentor_never_overlaps"),
    ):
        op.drop_constraint(op.f(constraint), "person_busy")
    op.drop_column("person_busy", "user_id")
    op.drop_column("person_busy", "may_overlap")
    op.alter_column("person_busy", "mentor_profile_id", nullable=False)
    _rename("person_busy", "mentor_busy")
    op.create_unique_constraint(op.f("uq_mentor_busy_booking_id"), "mentor_busy", ["booking_id"])
    op.create_unique_constraint(op.f("uq_mentor_busy_hold_id"), "mentor_busy", ["hold_id"])
    op.create_exclude_constraint(
        "ex_mentor_busy_mentor_profile_id_busy",
        "mentor_busy",
        (sa.column("mentor_profile_id"), "="),
        (sa.column("busy"), "&&"),
        using="gist",
    )
    for function in (GUARD_TIME_OFF, GUARD_OUTSIDE_BUSY, END_HOLDS):
        op.execute(function)
    for trigger, function in (("insert", "guard_time_off"), ("outside", "guard_outside_busy")):
        op.execute(
            f"CREATE TRIGGER tr_mentor_busy_{trigger} BEFORE INSERT ON mentor_busy"
            f" FOR EACH ROW EXECUTE FUNCTION {function}()"
        )


def _rename(present: str, name: str) -> None:
    op.rename_table(present, name)
    for each in CONSTRAINTS:
        op.execute(f"ALTER TABLE {name} RENAME CONSTRAINT {each.format(present)} TO {each.format(name)}")
    op.execute(RENAME_NOT_NULL.format(name=name, present=present))
    for each in INDEXES:
        op.execute(f"ALTER INDEX {each.format(present)} RENAME TO {each.format(name)}")
    for each in TRIGGERS:
        op.execute(f"ALTER TRIGGER {each.format(present)} ON {name} RENAME TO {each.format(name)}")


def _constrain() -> None:
    table = "person_busy"
    op.create_foreign_key(op.f(f"fk_{table}_user_id"), table, "users", ["user_id"], ["id"])
    op.create_unique_constraint(op.f(f"uq_{table}_booking_id_user_id"), table, ["booking_id", "user_id"])
    hold = sa.text("hold_id IS NOT NULL")
    op.create_index(f"uq_{table}_hold_id", table, ["hold_id"], unique=True, postgresql_where=hold)
    for name, check in (
        ("a_hold_is_of_a_mentor", "hold_id IS NULL OR mentor_profile_id IS NOT NULL"),
        ("a_mentor_never_overlaps", "NOT may_overlap OR mentor_profile_id IS NULL"),
    ):
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, check)
    op.execute(
        f"ALTER TABLE {table} ADD CONSTRAINT ex_{table}_user_id_busy EXCLUDE USING gist"
        " (user_id WITH =, busy WITH &&, (CASE WHEN may_overlap THEN user_id ELSE id END) WITH <>)"
    )


def _make_mentee_busy() -> None:
    op.create_table(
        "mentee_busy",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("busy", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mentee_busy_user_id")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_mentee_busy_booking_id")),
        sa.PrimaryKeyConstraint("booking_id", "user_id", name=op.f("pk_mentee_busy")),
        postgresql.ExcludeConstraint(
            (sa.column("user_id"), "="), (sa.column("busy"), "&&"), using="gist", name="ex_mentee_busy_user_id_busy"
        ),
    )
