CREATE OR REPLACE FUNCTION guard_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_audit_entries_append_only', 'What was done is never changed and never deleted.');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_audit_blocks_change BEFORE UPDATE OR TRUNCATE ON audit_blocks
    FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change();
CREATE OR REPLACE TRIGGER tr_audit_chain_truncate BEFORE TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change();
CREATE OR REPLACE TRIGGER tr_audit_entries_change BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION guard_audit_change();
CREATE OR REPLACE TRIGGER tr_audit_entries_truncate BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_change();
