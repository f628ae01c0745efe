-- The participant of a group gets the start of its session, by which lists of seats are ordered. The mentee of an
-- individual booking has no seat and costs the comparison alone.
CREATE OR REPLACE FUNCTION copy_start_to_seat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT start_time INTO NEW.start_time FROM bookings WHERE id = NEW.booking_id;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_booking_participants_start_time BEFORE INSERT ON booking_participants
    FOR EACH ROW WHEN (NEW.seat_id IS NOT NULL) EXECUTE FUNCTION copy_start_to_seat();
