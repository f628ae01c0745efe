-- Of the steps that a payment can take, each ends the wait for it, or is money that arrives after that.
CREATE OR REPLACE FUNCTION guard_payment_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status AND OLD.status <> 'awaiting'
        AND NOT (OLD.status IN ('lapsed', 'cancelled') AND NEW.status = 'paid') THEN
        PERFORM refuse('tr_payments_status', format('A payment cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF (NEW.id, NEW.paid_for, NEW.booking_id, NEW.series_id, NEW.seat_id, NEW.bundle_purchase_id, NEW.user_id,
        NEW.amount, NEW.currency, NEW.due_at) IS DISTINCT FROM
       (OLD.id, OLD.paid_for, OLD.booking_id, OLD.series_id, OLD.seat_id, OLD.bundle_purchase_id, OLD.user_id,
        OLD.amount, OLD.currency, OLD.due_at)
        OR (OLD.status = 'paid' AND (NEW.reference, NEW.paid_at) IS DISTINCT FROM (OLD.reference, OLD.paid_at)) THEN
        PERFORM refuse('tr_payments_unchangeable', 'What a payment is for, its amount and its reference never change.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_payments_update BEFORE UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION guard_payment_update();
