CREATE OR REPLACE FUNCTION guard_audit_block() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last audit_blocks%ROWTYPE;
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT * INTO last FROM audit_blocks WHERE dropped_month IS NOT NULL ORDER BY number DESC LIMIT 1;
        IF OLD.number > coalesce(last.dropped_number, 0) THEN
            PERFORM refuse('tr_audit_blocks_chain', 'A block goes with its month alone, once a later block says so.');
        END IF;
        RETURN OLD;
    END IF;
    SELECT * INTO last FROM audit_blocks ORDER BY number DESC LIMIT 1;
    IF NEW.number <> coalesce(last.number, 0) + 1 OR NEW.previous <> last.hash THEN
        PERFORM refuse('tr_audit_blocks_chain', 'A block follows the last one.');
    END IF;
    IF NEW.dropped_month >= date_trunc('month', now() AT TIME ZONE 'UTC') THEN
        PERFORM refuse('tr_audit_blocks_chain', 'A month that is not over is never dropped.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_audit_blocks_chain BEFORE INSERT OR DELETE ON audit_blocks
    FOR EACH ROW EXECUTE FUNCTION guard_audit_block();
