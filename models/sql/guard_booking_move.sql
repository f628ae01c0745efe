-- A booking moves with its session and the blocked time of each of its people, or not at all, and no payment is awaited
-- beyond its start. Checked at the end of the transaction, which moves one after another.
CREATE OR REPLACE FUNCTION guard_booking_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved bookings%ROWTYPE;
BEGIN
    SELECT * INTO moved FROM bookings WHERE id = NEW.id;
    IF NOT EXISTS (
        SELECT FROM sessions
        WHERE booking_id = moved.id AND (start_time, end_time) = (moved.start_time, moved.end_time)
    ) OR EXISTS (
        SELECT FROM sessions s
        CROSS JOIN LATERAL (
            SELECT m.user_id, tstzrange(
                moved.start_time - moved.buffer_before_minutes * interval '1 minute',
                moved.end_time + moved.buffer_minutes * interval '1 minute'
            ) AS busy
            FROM mentor_profiles m WHERE m.id = moved.mentor_profile_id
            UNION ALL
            SELECT p.user_id, tstzrange(moved.start_time, moved.end_time)
            FROM booking_participants p WHERE p.booking_id = moved.id
        ) AS part
        LEFT JOIN person_busy block ON block.booking_id = moved.id AND block.user_id = part.user_id
        WHERE s.booking_id = moved.id AND s.status = 'scheduled' AND block.busy IS DISTINCT FROM part.busy
    ) OR EXISTS (
        SELECT FROM payments WHERE booking_id = moved.id AND status = 'awaiting' AND due_at > moved.start_time
    ) THEN
        PERFORM refuse('tr_bookings_moved', 'A booking moves with its session, the blocked time of its people and what is awaited for it.');
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS tr_bookings_moved ON bookings;
CREATE CONSTRAINT TRIGGER tr_bookings_moved AFTER UPDATE ON bookings DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.start_time <> OLD.start_time) EXECUTE FUNCTION guard_booking_move();
