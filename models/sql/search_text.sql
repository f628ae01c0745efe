-- Names and titles are in any language, so that no language's endings are cut off. Accents are: NFKD puts them behind
-- their letters. The parser would take "node.js" and "tcp/ip" for one word each.
CREATE OR REPLACE FUNCTION search_text(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT translate(regexp_replace(normalize(coalesce(words, ''), NFKD), '[\u0300-\u036f]', '', 'g'),
        './\-_@:<>&''', '           ')
$$;
