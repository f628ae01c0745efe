CREATE OR REPLACE FUNCTION record_hold_freed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM record_hold('calendar.freed', 'system', OLD);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_person_busy_hold_freed AFTER DELETE ON person_busy
    FOR EACH ROW WHEN (OLD.hold_id IS NOT NULL) EXECUTE FUNCTION record_hold_freed();
