CREATE OR REPLACE FUNCTION guard_booking_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status NOT IN ('draft', 'accepted') THEN
        PERFORM refuse('tr_bookings_status', format('A booking begins as draft or accepted, not as %s.', NEW.status));
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_bookings_insert BEFORE INSERT ON bookings
    FOR EACH ROW EXECUTE FUNCTION guard_booking_insert();
