-- Called under the mentee's lock. Each statement of a function has a snapshot of its own, so that the count is younger
-- than the lock. A series counts as one draft.
CREATE OR REPLACE FUNCTION guard_open_drafts(
    mentee uuid, mentor uuid, series uuid, max_per_mentor integer, max_of_all integer
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    of_mentor bigint;
    of_all bigint;
BEGIN
    SELECT count(DISTINCT coalesce(series_id, id)) FILTER (WHERE mentor_profile_id = mentor),
           count(DISTINCT coalesce(series_id, id))
    INTO of_mentor, of_all
    FROM bookings
    WHERE mentee_user_id = mentee AND status = 'draft' AND (series IS NULL OR series_id IS DISTINCT FROM series);
    IF of_mentor >= max_per_mentor THEN
        PERFORM refuse('open_drafts_of_mentor', format('There are %s open drafts for the mentor.', of_mentor));
    END IF;
    IF of_all >= max_of_all THEN
        PERFORM refuse('open_drafts', format('There are %s open drafts.', of_all));
    END IF;
    RETURN true;
END $$;
