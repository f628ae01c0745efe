-- Whether no two objects of a list have one id. A function, since a CHECK cannot have a subquery.
CREATE OR REPLACE FUNCTION has_distinct_ids(list jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(list) WHEN 'array' THEN (
        SELECT count(DISTINCT each ->> 'id') = count(each ->> 'id') FROM jsonb_array_elements(list) AS each
    ) ELSE true END
$$;
