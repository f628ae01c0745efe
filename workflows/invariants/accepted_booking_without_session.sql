-- An accepted booking has had no session for over a minute.
SELECT b.id, b.id AS about
FROM bookings b
LEFT JOIN sessions s ON s.booking_id = b.id
WHERE true
  AND b.id = ANY(:ids) -- part
  AND b.status = 'accepted' AND s.id IS NULL AND b.updated_at < now() - interval '1 minute'
