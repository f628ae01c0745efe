CREATE OR REPLACE FUNCTION guard_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_events_append_only', 'What happened is never changed and never deleted.');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_events_change BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION guard_event_change();
