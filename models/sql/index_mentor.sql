CREATE OR REPLACE FUNCTION index_mentor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search := setweight(search_vector((SELECT name FROM users WHERE id = NEW.user_id)), 'A')
        || setweight(search_vector(array_to_string(NEW.skills, ' ')), 'A')
        || setweight(search_vector(NEW.headline), 'B') || setweight(search_vector(NEW.bio), 'C');
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_mentor_profiles_search BEFORE INSERT OR UPDATE OF user_id, skills, headline, bio
    ON mentor_profiles FOR EACH ROW EXECUTE FUNCTION index_mentor();
