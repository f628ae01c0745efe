-- An endpoint ceases to listen by its owner's step, by policy and by a new address: all of them pass here.
CREATE OR REPLACE FUNCTION note_active_until() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.active_until := now();
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_webhook_endpoints_active_until BEFORE UPDATE OF state ON webhook_endpoints
    FOR EACH ROW WHEN (OLD.state = 'active' AND NEW.state <> 'active') EXECUTE FUNCTION note_active_until();
