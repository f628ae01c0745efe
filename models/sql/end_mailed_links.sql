-- A change of the address ends the links that were mailed to the former one.
CREATE OR REPLACE FUNCTION end_mailed_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.links_version := OLD.links_version + 1;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER end_mailed_links BEFORE UPDATE OF email ON users
    FOR EACH ROW WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION end_mailed_links();
