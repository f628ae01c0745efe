-- A mentor's counted sessions, by status, or accepted bookings are not as many as there are.
SELECT m.id, m.id AS about
FROM mentor_profiles m
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(counter, amount), '{}') AS amounts
    FROM (
        SELECT counter, sum(amount) AS amount
        FROM (
            SELECT counter, amount FROM session_counts WHERE mentor_profile_id = m.id
            UNION ALL
            SELECT counter, amount FROM session_count_changes WHERE mentor_profile_id = m.id
        ) AS parts
        GROUP BY counter
        HAVING sum(amount) <> 0
    ) AS added_up
) AS counted
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(counter, amount), '{}') AS amounts
    FROM (
        SELECT status::text AS counter, count(*) AS amount FROM sessions WHERE mentor_profile_id = m.id GROUP BY 1
        UNION ALL
        SELECT 'accepted_bookings', count(*) FROM bookings
        WHERE mentor_profile_id = m.id AND status = 'accepted' HAVING count(*) > 0
    ) AS there_are
) AS actual
WHERE counted.amounts <> actual.amounts
  AND m.id = ANY(:ids) -- part
