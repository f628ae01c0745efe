CREATE OR REPLACE FUNCTION count_accepted_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status = 'accepted' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (OLD.mentor_profile_id, 'accepted_bookings', -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'accepted' THEN
        INSERT INTO session_count_changes (mentor_profile_id, counter, amount)
        VALUES (NEW.mentor_profile_id, 'accepted_bookings', 1);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_bookings_count AFTER INSERT OR DELETE ON bookings
    FOR EACH ROW EXECUTE FUNCTION count_accepted_booking();
CREATE OR REPLACE TRIGGER tr_bookings_recount AFTER UPDATE OF status, mentor_profile_id ON bookings
    FOR EACH ROW WHEN ((OLD.status, OLD.mentor_profile_id) IS DISTINCT FROM (NEW.status, NEW.mentor_profile_id))
    EXECUTE FUNCTION count_accepted_booking();
