-- Counts of a day, of a quarter of an hour, or of how long a step took, are not what the counted events add up to.
-- Counted is what has a delivery that is done: counts and deliveries change in one transaction. Looks at the last three
-- days, or from tutelage.recount_since on: `tutelage analytics rebuild` sets that to the beginning, and reads the other
-- columns too. With tutelage.recount_until as well, at the quarters of an hour between the two alone: all that maintain
-- asks twice a minute.
WITH begun AS (
    SELECT coalesce(nullif(current_setting('tutelage.recount_since', true), '')::timestamptz,
                    date_trunc('day', now(), 'UTC') - interval '3 days') AS since,
           coalesce(nullif(current_setting('tutelage.recount_until', true), '')::timestamptz, 'infinity') AS until
),
-- An event is never recorded before it happens, but for clocks that differ: its UUIDv7 bounds the search. Both ways, as
-- a planner takes a range with one end for a third of the table.
bounds AS (
    SELECT (lpad(to_hex(greatest(0, extract(epoch FROM since) * 1000 - 3600000)::bigint), 12, '0')
            || repeat('0', 20))::uuid AS earliest,
           (lpad(to_hex((extract(epoch FROM now()) * 1000 + 86400000)::bigint), 12, '0')
            || repeat('0', 20))::uuid AS latest
    FROM begun
),
counted AS MATERIALIZED (
    SELECT e.type, e.subject_id, e.occurred_at AS at, e.data,
           (e.data ->> 'mentor_profile_id')::uuid AS mentor_profile_id, (e.data ->> 'course_id')::uuid AS course_id,
           (e.data ->> 'booking_id')::uuid AS booking_id,
           coalesce(e.data ->> 'kind' = 'individual', e.data ->> 'mentee_user_id' IS NOT NULL) AS individual
    FROM deliveries d
    JOIN events e ON e.id = d.event_id
    WHERE d.event_id BETWEEN (SELECT earliest FROM bounds) AND (SELECT latest FROM bounds) AND d.state = 'done'
      AND d.effect = 'analytics.' || replace(e.type, '.', '_')
),
of_bookings AS MATERIALIZED (
    SELECT c.type, c.at, c.mentor_profile_id, c.course_id, c.individual, c.data, history.*,
           coalesce(history.requested_at, history.accepted_at) AS asked_at
    FROM (
        SELECT type, at, mentor_profile_id, course_id, individual, data, booking_id, subject_id FROM counted
        WHERE booking_id IS NOT NULL
        UNION ALL
        SELECT c.type, c.at, c.mentor_profile_id, (s.data ->> 'course_id')::uuid,
               s.data ->> 'mentee_user_id' IS NOT NULL, c.data, (s.data ->> 'booking_id')::uuid, s.subject_id
        FROM counted c
        JOIN events s ON s.subject_id = (c.data ->> 'session_id')::uuid AND s.type = 'session.completed'
        WHERE c.type = 'review.submitted'
    ) AS c
    CROSS JOIN LATERAL (
        SELECT min(occurred_at) FILTER (WHERE type = 'booking.requested') AS requested_at,
               min(occurred_at) FILTER (WHERE type = 'booking.accepted') AS accepted_at,
               min(occurred_at) FILTER (WHERE type = 'session.started') AS started_at
        FROM events WHERE subject_id IN (c.booking_id, c.subject_id)
    ) AS history
),
facts(at, mentor_profile_id, course_id, counter, amount) AS (
    SELECT c.at, c.mentor_profile_id, c.course_id, then_counted.counter, then_counted.amount
    FROM counted c
    CROSS JOIN LATERAL (VALUES
        ('session.created', 'created', 1),
        ('session.started', 'started', 1),
        ('session.completed', 'completed', 1),
        ('session.completed', 'minutes', floor(extract(epoch FROM (c.data ->> 'end_time')::timestamptz
                                                                 - (c.data ->> 'start_time')::timestamptz) / 60)),
        ('session.cancelled', 'cancelled', 1),
        ('session.cancelled', 'late_cancellations', (c.data ->> 'late')::boolean::integer),
        ('seat.joined', 'seats_joined', 1),
        ('seat.left', 'seats_left', 1)
    ) AS then_counted(type, counter, amount)
    WHERE then_counted.type = c.type
    UNION ALL
    SELECT b.asked_at, b.mentor_profile_id, b.course_id, came_to.counter, 1
    FROM of_bookings b
    JOIN (VALUES
        ('booking.requested', 'requests'),
        ('booking.accepted', 'requests'),
        ('booking.accepted', 'requests_accepted'),
        ('session.created', 'requests_with_session'),
        ('session.completed', 'requests_completed'),
        ('review.submitted', 'requests_reviewed')
    ) AS came_to(type, counter) ON came_to.type = b.type
    WHERE b.individual AND b.asked_at IS NOT NULL
      -- What was asked for before it was accepted has its request counted already.
      AND ((came_to.type, came_to.counter) <> ('booking.accepted', 'requests') OR b.requested_at IS NULL)
),
times(at, mentor_profile_id, course_id, transition, took, bounds) AS (
    SELECT b.at, b.mentor_profile_id, b.course_id, taken.transition,
           greatest(taken.least_ms, floor(extract(epoch FROM b.at - taken.since) * 1000)), taken.bounds
    FROM of_bookings b
    CROSS JOIN LATERAL (VALUES
        ('booking.accepted', 'request_to_decision', b.requested_at, 0,
         ARRAY[60000, 300000, 900000, 1800000, 3600000, 7200000, 14400000, 28800000, 57600000, 86400000, 172800000,
               259200000]),
        ('booking.declined', 'request_to_decision', b.requested_at, 0,
         ARRAY[60000, 300000, 900000, 1800000, 3600000, 7200000, 14400000, 28800000, 57600000, 86400000, 172800000,
               259200000]),
        ('session.created', 'acceptance_to_session', b.accepted_at, 0,
         ARRAY[50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000]),
        ('session.started', 'start_delay', (b.data ->> 'start_time')::timestamptz, NULL,
         ARRAY[-600000, -300000, 0, 60000, 300000, 600000, 900000, 1800000, 3600000]),
        ('session.completed', 'length', b.started_at, 0,
         ARRAY[300000, 900000, 1800000, 2700000, 3600000, 5400000, 7200000, 10800000, 14400000, 28800000])
    ) AS taken(type, transition, since, least_ms, bounds)
    WHERE taken.type = b.type AND taken.since IS NOT NULL
),
expected AS (
    SELECT counted_in, key, jsonb_object_agg(counter, amount) AS counts
    FROM (
        SELECT slots.counted_in, slots.key, f.counter, sum(f.amount) AS amount
        FROM facts f
        CROSS JOIN LATERAL (VALUES
            ('daily_session_stats', jsonb_build_object(
                'day', (f.at AT TIME ZONE 'UTC')::date,
                'mentor_profile_id', f.mentor_profile_id, 'course_id', f.course_id)),
            ('quarter_hour_session_stats', jsonb_build_object(
                'quarter_hour', date_bin('15 minutes', f.at, TIMESTAMPTZ 'epoch'),
                'mentor_profile_id', f.mentor_profile_id, 'course_id', f.course_id))
        ) AS slots(counted_in, key)
        WHERE f.at >= (SELECT since FROM begun) AND f.at < (SELECT until FROM begun)
          AND (slots.counted_in = 'quarter_hour_session_stats' OR (SELECT until FROM begun) = 'infinity')
        GROUP BY 1, 2, 3
        HAVING sum(f.amount) <> 0
    ) AS totals
    GROUP BY 1, 2
    UNION ALL
    SELECT 'daily_transition_times',
           jsonb_build_object('day', (t.at AT TIME ZONE 'UTC')::date, 'mentor_profile_id', t.mentor_profile_id,
                              'course_id', t.course_id, 'transition', t.transition,
                              'bucket', width_bucket(t.took, t.bounds::numeric[])),
           jsonb_strip_nulls(jsonb_build_object('count', count(*), 'milliseconds', nullif(sum(t.took), 0)))
    FROM times t
    WHERE t.at >= (SELECT since FROM begun) AND (SELECT until FROM begun) = 'infinity'
    GROUP BY 2
),
rows_found AS (
    SELECT 'daily_session_stats' AS counted_in, to_jsonb(s) AS found FROM daily_session_stats s
    WHERE s.day >= (SELECT (since AT TIME ZONE 'UTC')::date FROM begun) AND (SELECT until FROM begun) = 'infinity'
    UNION ALL
    SELECT 'quarter_hour_session_stats', to_jsonb(s) FROM quarter_hour_session_stats s
    WHERE s.quarter_hour >= (SELECT since FROM begun) AND s.quarter_hour < (SELECT until FROM begun)
    UNION ALL
    SELECT 'daily_transition_times', to_jsonb(s) FROM daily_transition_times s
    WHERE s.day >= (SELECT (since AT TIME ZONE 'UTC')::date FROM begun) AND (SELECT until FROM begun) = 'infinity'
),
found AS (
    SELECT counted_in,
           (SELECT jsonb_object_agg(field, value) FROM jsonb_each(found) AS fields(field, value)
            WHERE field = ANY(names.of_key)) AS key,
           -- A counter at nothing says nothing.
           (SELECT jsonb_object_agg(field, value) FROM jsonb_each(found) AS fields(field, value)
            WHERE field <> ALL(names.of_key) AND field NOT IN ('id', 'created_at', 'updated_at', 'version')
              AND value <> '0') AS counts
    FROM rows_found,
         (SELECT ARRAY['day', 'quarter_hour', 'mentor_profile_id', 'course_id', 'transition', 'bucket'] AS of_key)
             AS names
)
SELECT concat_ws(' ', counted_in, key ->> 'day', key ->> 'quarter_hour', key ->> 'mentor_profile_id',
                 key ->> 'course_id', key ->> 'transition', key ->> 'bucket') AS id,
       counted_in, key, expected.counts AS expected, found.counts AS found
FROM expected
FULL JOIN found USING (counted_in, key)
WHERE expected.counts IS DISTINCT FROM found.counts
ORDER BY id
