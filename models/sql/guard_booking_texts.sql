-- At most 4 MiB of metadata, notes and answers per mentee in 24 hours. The statement that inserts has locked the mentee's row,
-- and the sum is read after the lock. A booking without them costs the comparison alone.
CREATE OR REPLACE FUNCTION guard_booking_texts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (
        SELECT sum(
            coalesce(pg_column_size(b.metadata), 0) + coalesce(octet_length(b.notes), 0)
            + coalesce(octet_length(b.answers), 0)
        )
        FROM bookings b
        WHERE b.mentee_user_id = NEW.mentee_user_id AND b.created_at > now() - interval '24 hours'
          AND (b.metadata IS NOT NULL OR octet_length(b.notes) > 1000 OR octet_length(b.answers) > 1000)
    ) > 4194304 THEN
        PERFORM refuse('tr_bookings_texts', 'A mentee stores at most 4 MiB with the bookings of 24 hours.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_bookings_texts BEFORE INSERT ON bookings
    FOR EACH ROW WHEN (
        NEW.mentee_user_id IS NOT NULL
        AND (NEW.metadata IS NOT NULL OR octet_length(NEW.notes) > 1000 OR octet_length(NEW.answers) > 1000)
    )
    EXECUTE FUNCTION guard_booking_texts();
