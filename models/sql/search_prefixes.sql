CREATE OR REPLACE FUNCTION search_prefixes(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(regexp_replace(CAST(search_words(words) AS text), '(''[^'']*'')', '\1:*', 'g') AS tsquery)
$$;
