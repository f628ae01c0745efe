-- A session moves with its booking alone, to which a composite key ties its times.
CREATE OR REPLACE FUNCTION guard_session_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status
        AND (OLD.status, NEW.status) NOT IN (
            ('scheduled', 'in_progress'), ('scheduled', 'cancelled'),
            ('in_progress', 'completed'), ('in_progress', 'cancelled')
        ) THEN
        PERFORM refuse('tr_sessions_status', format('A session cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF (NEW.start_time, NEW.end_time) IS DISTINCT FROM (OLD.start_time, OLD.end_time) THEN
        IF (OLD.status, NEW.status) IS DISTINCT FROM ('scheduled', 'scheduled') OR NEW.rescheduled_at IS NULL THEN
            PERFORM refuse('tr_sessions_unchangeable', 'Only a session that is scheduled moves to another time.');
        END IF;
        NEW.rescheduled_from := OLD.start_time;
        NEW.reschedule_count := OLD.reschedule_count + 1;
        -- Calendars believe another time only with a higher sequence than the invitation before.
        NEW.calendar_sequence := OLD.calendar_sequence + 1;
    ELSIF (NEW.rescheduled_from, NEW.reschedule_count, NEW.rescheduled_at)
        IS DISTINCT FROM (OLD.rescheduled_from, OLD.reschedule_count, OLD.rescheduled_at) THEN
        PERFORM refuse('tr_sessions_unchangeable', 'What a move has written changes with the next move alone.');
    END IF;
    IF (NEW.id, NEW.booking_id, NEW.mentor_profile_id, NEW.mentee_user_id)
        IS DISTINCT FROM (OLD.id, OLD.booking_id, OLD.mentor_profile_id, OLD.mentee_user_id) THEN
        PERFORM refuse('tr_sessions_unchangeable', 'The booking and the parties of a session never change.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_sessions_update BEFORE UPDATE ON sessions
    FOR EACH ROW EXECUTE FUNCTION guard_session_update();
