-- Someone's calendar lacks a booking that awaits its payment, or whose session is open or yet to come, or holds another time for it.
SELECT DISTINCT b.id, b.id AS about
FROM bookings b
JOIN mentor_profiles mentor ON mentor.id = b.mentor_profile_id
LEFT JOIN sessions s ON s.booking_id = b.id
CROSS JOIN LATERAL (
    SELECT mentor.user_id, tstzrange(
        b.start_time - b.buffer_before_minutes * interval '1 minute', b.end_time + b.buffer_minutes * interval '1 minute'
    ) AS busy
    UNION ALL
    SELECT p.user_id, tstzrange(b.start_time, b.end_time) FROM booking_participants p WHERE p.booking_id = b.id
) AS part
LEFT JOIN person_busy m ON m.booking_id = b.id AND m.user_id = part.user_id
WHERE true
  AND b.id = ANY(:ids) -- part
  AND b.status IN ('accepted', 'awaiting_payment') AND coalesce(s.status, 'scheduled') IN ('scheduled', 'in_progress')
  AND (m.id IS NULL OR m.busy <> part.busy)
