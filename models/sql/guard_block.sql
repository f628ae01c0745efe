-- A person whom a mentor has blocked books, holds and joins nothing of the mentor. Each statement of a function has a
-- snapshot of its own, so that the look is younger than the locks that the insert has taken. A seat that was kept until
-- its payment is no new one: a block that came meanwhile leaves it.
CREATE OR REPLACE FUNCTION guard_block() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mentor uuid;
    person uuid;
BEGIN
    IF TG_TABLE_NAME = 'bookings' THEN
        mentor := NEW.mentor_profile_id;
        person := NEW.mentee_user_id;
    ELSIF TG_TABLE_NAME = 'person_busy' THEN
        mentor := NEW.mentor_profile_id;
        person := NEW.held_by_user_id;
    ELSE
        SELECT mentor_profile_id INTO mentor FROM bookings WHERE id = NEW.booking_id;
        person := NEW.user_id;
    END IF;
    IF EXISTS (SELECT FROM mentor_blocks WHERE mentor_profile_id = mentor AND user_id = person) THEN
        IF TG_TABLE_NAME = 'booking_participants' THEN
            PERFORM FROM payments WHERE seat_id = NEW.seat_id;
            IF FOUND THEN
                RETURN NEW;
            END IF;
        END IF;
        PERFORM refuse('mentor_block', 'The mentor has blocked this person.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_bookings_block BEFORE INSERT ON bookings
    FOR EACH ROW WHEN (NEW.mentee_user_id IS NOT NULL) EXECUTE FUNCTION guard_block();
CREATE OR REPLACE TRIGGER tr_person_busy_block BEFORE INSERT ON person_busy
    FOR EACH ROW WHEN (NEW.held_by_user_id IS NOT NULL) EXECUTE FUNCTION guard_block();
CREATE OR REPLACE TRIGGER tr_booking_participants_block BEFORE INSERT ON booking_participants
    FOR EACH ROW WHEN (NEW.seat_id IS NOT NULL) EXECUTE FUNCTION guard_block();
CREATE OR REPLACE TRIGGER tr_waitlist_entries_block BEFORE INSERT ON waitlist_entries
    FOR EACH ROW EXECUTE FUNCTION guard_block();
