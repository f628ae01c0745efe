-- A seat of a group that is paid before is taken by its payment; who pays with a credit, or nothing, costs the
-- comparison alone.
CREATE OR REPLACE FUNCTION guard_seat_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM bookings b WHERE b.id = NEW.booking_id AND b.payment_mode = 'before' AND NOT EXISTS (
        SELECT FROM payments p WHERE p.seat_id = NEW.seat_id AND p.status IN ('paid', 'waived')
    );
    IF FOUND THEN
        PERFORM refuse('tr_booking_participants_paid', 'A seat that is paid before is taken by its payment.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_booking_participants_paid BEFORE INSERT ON booking_participants
    FOR EACH ROW WHEN (NEW.seat_id IS NOT NULL AND NEW.price_amount > 0) EXECUTE FUNCTION guard_seat_paid();
