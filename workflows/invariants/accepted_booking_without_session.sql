-- An accepted booking has had no session for over a minute.
SELECT b.id
FROM bookings b
LEFT JOIN sessions s ON s.booking_id = b.id
WHERE b.status = 'accepted' AND s.id IS NULL AND b.updated_at < now() - interval '1 minute'
