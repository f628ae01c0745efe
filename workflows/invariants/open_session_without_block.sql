-- An accepted booking whose session is open, or yet to come, holds no time in its mentor's calendar.
SELECT b.id, b.id AS about
FROM bookings b
LEFT JOIN sessions s ON s.booking_id = b.id
LEFT JOIN mentor_busy m ON m.booking_id = b.id
WHERE true
  AND b.id = ANY(:ids) -- part
  AND b.status = 'accepted' AND coalesce(s.status, 'scheduled') IN ('scheduled', 'in_progress')
  AND (m.id IS NULL OR m.busy <> tstzrange(
    b.start_time - b.buffer_before_minutes * interval '1 minute', b.end_time + b.buffer_minutes * interval '1 minute'
  ))
