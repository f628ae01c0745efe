CREATE OR REPLACE FUNCTION record_hold_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM record_hold('calendar.taken', 'user:' || NEW.held_by_user_id, NEW);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_person_busy_hold_taken AFTER INSERT ON person_busy
    FOR EACH ROW WHEN (NEW.hold_id IS NOT NULL) EXECUTE FUNCTION record_hold_taken();
