"""Events of holds: `calendar.taken` when a mentor's time is held, `calendar.freed` when the hold ends, however it does.

Revision: 0037, after 0036.
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

# A hold ends in several statements: released, consumed by a booking, replaced, expired, or by time off. A trigger
# records each of them without a further statement where a booking is made. No effect follows from these events.
RECORD_HOLD = """
CREATE FUNCTION record_hold(event_type text, event_actor text, hold mentor_busy) RETURNS void LANGUAGE sql AS $$
    INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
    VALUES (
        -- A UUIDv7: the milliseconds, and random bits with the version (RFC 9562). PostgreSQL 17 makes none itself.
        CAST(encode(set_bit(set_bit(overlay(
            uuid_send(gen_random_uuid())
            PLACING substring(int8send(CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)) FROM 3)
            FROM 1 FOR 6
        ), 52, 1), 53, 1), 'hex') AS uuid),
        event_type, 'hold', hold.hold_id, event_actor,
        jsonb_build_object(
            'hold_id', hold.hold_id, 'mentor_profile_id', hold.mentor_profile_id,
            'start_time', lower(hold.busy), 'end_time', upper(hold.busy)
        ),
        clock_timestamp()
    )
$$
"""
RECORD_HOLD_TAKEN = """
CREATE FUNCTION record_hold_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM record_hold('calendar.taken', 'user:' || NEW.held_by_user_id, NEW);
    RETURN NULL;
END $$
"""
RECORD_HOLD_FREED = """
CREATE FUNCTION record_hold_freed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM record_hold('calendar.freed', 'system', OLD);
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    for function in (RECORD_HOLD, RECORD_HOLD_TAKEN, RECORD_HOLD_FREED):
        op.execute(function)
    op.execute(
        "CREATE TRIGGER tr_mentor_busy_hold_taken AFTER INSERT ON mentor_busy FOR EACH ROW"
        " WHEN (NEW.hold_id IS NOT NULL) EXECUTE FUNCTION record_hold_taken()"
    )
    op.execute(
        "CREATE TRIGGER tr_mentor_busy_hold_freed AFTER DELETE ON mentor_busy FOR EACH ROW"
        " WHEN (OLD.hold_id IS NOT NULL) EXECUTE FUNCTION record_hold_freed()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_mentor_busy_hold_freed ON mentor_busy")
    op.execute("DROP TRIGGER tr_mentor_busy_hold_taken ON mentor_busy")
    op.execute("DROP FUNCTION record_hold_freed()")
    op.execute("DROP FUNCTION record_hold_taken()")
    op.execute("DROP FUNCTION record_hold(text, text, mentor_busy)")
