-- Calendars believe a cancellation only with a higher sequence than the invitation before.
CREATE OR REPLACE FUNCTION raise_calendar_sequence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.calendar_sequence := OLD.calendar_sequence + 1;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_sessions_calendar BEFORE UPDATE OF status ON sessions
    FOR EACH ROW WHEN (NEW.status = 'cancelled' AND OLD.status <> 'cancelled')
    EXECUTE FUNCTION raise_calendar_sequence();
