CREATE OR REPLACE FUNCTION count_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (OLD.mentor_profile_id, OLD.status, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (NEW.mentor_profile_id, NEW.status, 1);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_sessions_count AFTER INSERT OR DELETE ON sessions
    FOR EACH ROW EXECUTE FUNCTION count_session();
CREATE OR REPLACE TRIGGER tr_sessions_recount AFTER UPDATE OF status, mentor_profile_id ON sessions
    FOR EACH ROW WHEN ((OLD.status, OLD.mentor_profile_id) IS DISTINCT FROM (NEW.status, NEW.mentor_profile_id))
    EXECUTE FUNCTION count_session();
