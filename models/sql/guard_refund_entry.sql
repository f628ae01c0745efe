-- A refund is done once, and again only after it has failed; it fails only once it is done.
CREATE OR REPLACE FUNCTION guard_refund_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    latest text := (
        SELECT kind FROM payment_entries WHERE refund_id = NEW.refund_id ORDER BY sequence DESC LIMIT 1
    );
BEGIN
    IF (NEW.kind = 'refund_done') = (coalesce(latest, 'refund_failed') = 'refund_done') THEN
        PERFORM refuse('tr_payment_entries_refund', format('A refund that is %s cannot be %s.', latest, NEW.kind));
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_payment_entries_refund BEFORE INSERT ON payment_entries
    FOR EACH ROW WHEN (NEW.refund_id IS NOT NULL) EXECUTE FUNCTION guard_refund_entry();
