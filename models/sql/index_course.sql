CREATE OR REPLACE FUNCTION index_course() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search := setweight(search_vector(NEW.title), 'A') || setweight(search_vector(NEW.description), 'C');
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER tr_courses_search BEFORE INSERT OR UPDATE OF title, description ON courses
    FOR EACH ROW EXECUTE FUNCTION index_course();
