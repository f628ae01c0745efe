CREATE OR REPLACE FUNCTION guard_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.number < OLD.number OR NEW.noted < OLD.noted THEN
        PERFORM refuse('tr_audit_chain_forward', 'The chain goes on, and never back.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_audit_chain_change BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION guard_audit_chain();
