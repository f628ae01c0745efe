CREATE OR REPLACE FUNCTION guard_profile_of_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM users WHERE id = NEW.user_id AND erased_at IS NOT NULL) THEN
        PERFORM refuse('tr_mentor_profiles_erased', 'The mentor has deleted their account.');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_mentor_profiles_erased BEFORE UPDATE OF active ON mentor_profiles
    FOR EACH ROW WHEN (NEW.active AND NOT OLD.active) EXECUTE FUNCTION guard_profile_of_erased();
