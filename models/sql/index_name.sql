-- The profile shows the name, so that the version of the profile changes with it.
CREATE OR REPLACE FUNCTION index_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE mentor_profiles SET user_id = user_id WHERE user_id = NEW.id;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_users_search AFTER UPDATE OF name ON users
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION index_name();
