-- Called under the locks of its people; each statement of a function has a snapshot younger than them. Time off and
-- times of outside calendars keep a person from being booked as a mentor alone, and the buffers of a session may reach
-- into time off. A constraint cannot know the time: holds that have expired give way, as do holds of the booking's own
-- mentee. Sessions that a mentee booked before the setting let them overlap may overlap from then on. The exclusion
-- constraint behind this trigger does not say whose calendar refuses.
CREATE OR REPLACE FUNCTION guard_person_busy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_mentor boolean := NEW.mentor_profile_id IS NOT NULL;
    begins timestamptz := NEW.held_start;
    ends timestamptz := NEW.held_end;
    holder uuid;
    is_away boolean;
    is_elsewhere boolean;
    is_taken boolean;
BEGIN
    SELECT is_mentor AND EXISTS (
               SELECT FROM time_off WHERE mentor_profile_id = NEW.mentor_profile_id
                   AND end_time > lower(NEW.busy) AND start_time < upper(NEW.busy)
           ),
           is_mentor AND EXISTS (
               SELECT FROM outside_busy WHERE mentor_profile_id = NEW.mentor_profile_id AND busy && NEW.busy
           ),
           EXISTS (
               SELECT FROM person_busy WHERE user_id = NEW.user_id AND busy && NEW.busy
                   AND NOT (may_overlap AND NEW.may_overlap)
           )
    INTO is_away, is_elsewhere, is_taken;
    IF is_mentor AND NEW.booking_id IS NOT NULL AND (is_away OR is_taken) THEN
        SELECT start_time, end_time, mentee_user_id INTO begins, ends, holder FROM bookings WHERE id = NEW.booking_id;
    END IF;
    IF is_away THEN
        PERFORM FROM time_off WHERE mentor_profile_id = NEW.mentor_profile_id
            AND end_time > begins AND start_time < ends;
        IF FOUND THEN
            PERFORM refuse('tr_person_busy_time_off', 'The mentor has time off at this time.');
        END IF;
    END IF;
    IF is_elsewhere THEN
        PERFORM refuse('tr_person_busy_outside', 'The mentor is busy elsewhere at this time.');
    END IF;
    IF is_taken THEN
        DELETE FROM person_busy
        WHERE user_id = NEW.user_id AND busy && NEW.busy AND (expires_at <= now() OR held_by_user_id = holder);
        IF NEW.may_overlap THEN
            UPDATE person_busy SET may_overlap = true
            WHERE user_id = NEW.user_id AND busy && NEW.busy AND mentor_profile_id IS NULL AND NOT may_overlap;
        END IF;
        PERFORM FROM person_busy WHERE user_id = NEW.user_id AND busy && NEW.busy
            AND NOT (may_overlap AND NEW.may_overlap);
        IF FOUND AND is_mentor THEN
            PERFORM refuse('tr_person_busy_mentor', 'The mentor is busy at this time.');
        ELSIF FOUND THEN
            PERFORM refuse('tr_person_busy_mentee', 'The mentee is busy at this time.');
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_person_busy_insert BEFORE INSERT ON person_busy
    FOR EACH ROW EXECUTE FUNCTION guard_person_busy();
