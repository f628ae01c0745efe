CREATE OR REPLACE FUNCTION guard_session_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status
        AND (OLD.status, NEW.status) NOT IN (
            ('scheduled', 'in_progress'), ('scheduled', 'cancelled'),
            ('in_progress', 'completed'), ('in_progress', 'cancelled')
        ) THEN
        PERFORM refuse('tr_sessions_status', format('A session cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF (NEW.id, NEW.booking_id, NEW.mentor_profile_id, NEW.mentee_user_id, NEW.start_time, NEW.end_time)
        IS DISTINCT FROM
       (OLD.id, OLD.booking_id, OLD.mentor_profile_id, OLD.mentee_user_id, OLD.start_time, OLD.end_time) THEN
        PERFORM refuse('tr_sessions_unchangeable', 'The booking, the parties and the times of a session never change.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_sessions_update BEFORE UPDATE ON sessions
    FOR EACH ROW EXECUTE FUNCTION guard_session_update();
