-- An entry of a ledger is append-only; an erasure may take its reason away.
CREATE OR REPLACE FUNCTION guard_payment_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected payment_entries%ROWTYPE := OLD;
BEGIN
    expected.reason := NULL;
    IF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM expected THEN
        RETURN NEW;
    END IF;
    PERFORM refuse('tr_payment_entries_append_only', 'An entry of a ledger is never changed and never deleted.');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_payment_entries_change BEFORE UPDATE OR DELETE ON payment_entries
    FOR EACH ROW EXECUTE FUNCTION guard_payment_entry();
