-- A mentor's counts of a day are not what the counted events of that day add up to.
WITH counted AS (
    SELECT (e.occurred_at AT TIME ZONE 'UTC')::date AS day,
           (e.data ->> 'mentor_profile_id')::uuid AS mentor_profile_id,
           count(*) FILTER (WHERE e.type = 'session.created') AS created,
           count(*) FILTER (WHERE e.type = 'session.started') AS started,
           count(*) FILTER (WHERE e.type = 'session.completed') AS completed,
           coalesce(sum(floor(extract(epoch FROM (e.data ->> 'end_time')::timestamptz
                                               - (e.data ->> 'start_time')::timestamptz) / 60))
               FILTER (WHERE e.type = 'session.completed'), 0) AS minutes
    FROM deliveries d
    JOIN events e ON e.id = d.event_id
    WHERE d.state = 'done'
      AND d.effect IN ('analytics.session_created', 'analytics.session_started', 'analytics.session_completed')
    GROUP BY 1, 2
)
SELECT coalesce(c.day, s.day) || ' ' || coalesce(c.mentor_profile_id, s.mentor_profile_id)
FROM counted c
FULL JOIN daily_session_stats s ON s.day = c.day AND s.mentor_profile_id = c.mentor_profile_id
WHERE (c.created, c.started, c.completed, c.minutes)
      IS DISTINCT FROM (s.created, s.started, s.completed, s.minutes)
