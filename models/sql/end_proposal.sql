-- The open proposal of another time ends with what it was made for: the session has begun, is cancelled or has moved.
CREATE OR REPLACE FUNCTION end_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE reschedule_proposals SET status = 'expired' WHERE session_id = NEW.id AND status = 'open';
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_sessions_end_proposal AFTER UPDATE OF status, start_time ON sessions
    FOR EACH ROW WHEN (
        OLD.status = 'scheduled' AND (NEW.status, NEW.start_time) IS DISTINCT FROM (OLD.status, OLD.start_time)
    )
    EXECUTE FUNCTION end_proposal();
