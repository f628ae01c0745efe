CREATE OR REPLACE FUNCTION guard_review_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.session_id, NEW.mentee_user_id, NEW.mentor_profile_id, NEW.rating)
        IS DISTINCT FROM (OLD.id, OLD.session_id, OLD.mentee_user_id, OLD.mentor_profile_id, OLD.rating) THEN
        PERFORM refuse('tr_reviews_unchangeable', 'The rating and the parties of a review never change.');
    END IF;
    -- An erasure takes the comment away.
    IF NEW.comment IS NOT NULL AND NEW.comment IS DISTINCT FROM OLD.comment THEN
        PERFORM refuse('tr_reviews_unchangeable', 'The comment of a review never changes.');
    END IF;
    IF OLD.answered_at IS NOT NULL AND (
        NEW.answered_at IS DISTINCT FROM OLD.answered_at
        OR NEW.answer IS DISTINCT FROM OLD.answer
        AND (NEW.answer IS NOT NULL OR current_setting('tutelage.keep_versions', true) IS DISTINCT FROM 'on')
    ) THEN
        PERFORM refuse('tr_reviews_answered_once', 'A review is answered once.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_reviews_update BEFORE UPDATE ON reviews
    FOR EACH ROW EXECUTE FUNCTION guard_review_update();
