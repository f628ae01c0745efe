CREATE OR REPLACE FUNCTION guard_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Retention notes up to when events may be gone before it deletes any.
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM maintenance_cursors WHERE name = 'retention of events' AND moment > OLD.created_at
    ) THEN
        RETURN OLD;
    END IF;
    PERFORM refuse('tr_events_append_only', 'What happened is never changed, and not deleted before its retention.');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_events_change BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION guard_event_change();
