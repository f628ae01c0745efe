-- A person's time is blocked for a booking in which they do not take part, or whose session is cancelled.
SELECT m.booking_id AS id, m.booking_id AS about
FROM mentee_busy m
LEFT JOIN booking_participants p ON p.booking_id = m.booking_id AND p.user_id = m.user_id
LEFT JOIN sessions s ON s.booking_id = m.booking_id
WHERE true
  AND m.booking_id = ANY(:ids) -- part
  AND (p.user_id IS NULL OR s.status = 'cancelled')
