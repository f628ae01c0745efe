-- A decided booking never changes, so that its `updated_at` is when it was decided; but for a move of its session, which
-- keeps when that was. `guard_booking_move` holds the session and the blocked times to the same time. A transaction
-- that sets `tutelage.keep_versions` may encrypt its texts again, erase them, or date a seeded booking.
CREATE OR REPLACE FUNCTION guard_booking_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected bookings%ROWTYPE;
    is_moved boolean := (NEW.start_time, NEW.end_time) IS DISTINCT FROM (OLD.start_time, OLD.end_time);
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status AND OLD.status <> 'draft'
        AND NOT (OLD.status = 'awaiting_payment' AND NEW.status IN ('accepted', 'cancelled')) THEN
        PERFORM refuse('tr_bookings_status', format('A booking cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF NEW.status = 'accepted' AND OLD.status <> 'accepted' AND NEW.payment_mode = 'before' AND NEW.price_amount > 0 THEN
        PERFORM FROM payments
        WHERE status IN ('paid', 'waived') AND (booking_id = NEW.id OR series_id = NEW.series_id);
        IF NOT FOUND THEN
            PERFORM refuse('tr_bookings_unpaid', 'A booking that is paid before is accepted by its payment.');
        END IF;
    END IF;
    IF OLD.status NOT IN ('draft', 'awaiting_payment') THEN
        IF current_setting('tutelage.keep_versions', true) = 'on' THEN
            expected := OLD;
            expected.title := NEW.title;
            expected.notes := NEW.notes;
            expected.answers := NEW.answers;
            expected.metadata := NEW.metadata;
            expected.location := NEW.location;
            expected.decline_reason := NEW.decline_reason;
            expected.cancel_reason := NEW.cancel_reason;
            expected.created_at := NEW.created_at;
        END IF;
        IF is_moved AND OLD.status = 'accepted'
            AND NEW.end_time - NEW.start_time = OLD.end_time - OLD.start_time THEN
            NEW.reschedule_count := OLD.reschedule_count + 1;
            NEW.decided_at := coalesce(OLD.decided_at, OLD.updated_at);
            expected := OLD;
            expected.start_time := NEW.start_time;
            expected.end_time := NEW.end_time;
            expected.reschedule_count := NEW.reschedule_count;
            expected.decided_at := NEW.decided_at;
        END IF;
        IF NEW IS DISTINCT FROM expected THEN
            PERFORM refuse('tr_bookings_unchangeable', 'A booking that is decided never changes.');
        END IF;
    END IF;
    IF (is_moved AND OLD.status <> 'accepted')
        OR (NEW.id, NEW.listing_id, NEW.mentor_profile_id, NEW.mentee_user_id, NEW.kind, NEW.payment_mode)
        IS DISTINCT FROM
           (OLD.id, OLD.listing_id, OLD.mentor_profile_id, OLD.mentee_user_id, OLD.kind, OLD.payment_mode) THEN
        PERFORM refuse(
            'tr_bookings_unchangeable', 'The parties, the listing and the times of an open booking never change.'
        );
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_bookings_update BEFORE UPDATE ON bookings
    FOR EACH ROW EXECUTE FUNCTION guard_booking_update();
