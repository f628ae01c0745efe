CREATE OR REPLACE FUNCTION guard_delivery_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'pending' AND NOT (OLD.state = 'dead' AND NEW.state IN ('pending', 'cancelled')) THEN
        PERFORM refuse('tr_deliveries_state', format('A delivery cannot go from %s to %s.', OLD.state, NEW.state));
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_deliveries_update BEFORE UPDATE OF state ON deliveries
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION guard_delivery_update();
