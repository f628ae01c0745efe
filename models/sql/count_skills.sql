-- Rows are inserted and locked in the order of their names, so that two profiles that change at a time do not deadlock.
-- An insert waits for a transaction that is deleting the row, and inserts it again.
CREATE OR REPLACE FUNCTION count_skills() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text[] := '{}';
    after text[] := '{}';
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.active THEN
        before := OLD.skills;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.active THEN
        after := NEW.skills;
    END IF;
    INSERT INTO skills (skill, mentors)
    SELECT DISTINCT skill, 0 FROM unnest(before || after) skill
    WHERE (skill = ANY (after)) <> (skill = ANY (before)) ORDER BY skill
    ON CONFLICT (skill) DO UPDATE SET mentors = skills.mentors;
    -- A count that was wrong before must not be in the way of an erasure.
    UPDATE skills SET mentors = greatest(mentors + (skill = ANY (after))::integer - (skill = ANY (before))::integer, 0)
    WHERE skill = ANY (before || after) AND (skill = ANY (after)) <> (skill = ANY (before));
    DELETE FROM skills WHERE skill = ANY (before) AND NOT skill = ANY (after) AND mentors = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tr_mentor_profiles_skills AFTER INSERT OR DELETE OR UPDATE OF skills, active
    ON mentor_profiles FOR EACH ROW EXECUTE FUNCTION count_skills();
