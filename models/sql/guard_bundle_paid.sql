-- The credits of a bundle that is paid before can be spent from its payment on, or are taken all.
CREATE OR REPLACE FUNCTION guard_bundle_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.remaining_sessions > 0 AND NOT EXISTS (
        SELECT FROM payments WHERE bundle_purchase_id = NEW.id AND status IN ('paid', 'waived')
    ) THEN
        PERFORM refuse('tr_bundle_purchases_unpaid', 'A bundle that is paid before opens by its payment.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_bundle_purchases_paid BEFORE UPDATE OF awaits_payment ON bundle_purchases
    FOR EACH ROW WHEN (OLD.awaits_payment AND NOT NEW.awaits_payment) EXECUTE FUNCTION guard_bundle_paid();
