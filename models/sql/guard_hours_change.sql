-- Reports count by past hours, and bookings were accepted by them. Hours may only end.
CREATE OR REPLACE FUNCTION guard_hours_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_' || TG_TABLE_NAME || '_unchangeable', 'Hours are followed by others, never changed.');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_availability_rules_change BEFORE UPDATE OR DELETE ON availability_rules
    FOR EACH ROW EXECUTE FUNCTION guard_hours_change();
CREATE OR REPLACE TRIGGER tr_weekly_hours_change BEFORE UPDATE ON weekly_hours
    FOR EACH ROW WHEN (
        OLD.until IS NOT NULL
        OR (NEW.id, NEW.mentor_profile_id, NEW.revision, NEW.time_zone, NEW.since)
            IS DISTINCT FROM (OLD.id, OLD.mentor_profile_id, OLD.revision, OLD.time_zone, OLD.since)
    )
    EXECUTE FUNCTION guard_hours_change();
CREATE OR REPLACE TRIGGER tr_weekly_hours_delete BEFORE DELETE ON weekly_hours
    FOR EACH ROW EXECUTE FUNCTION guard_hours_change();
