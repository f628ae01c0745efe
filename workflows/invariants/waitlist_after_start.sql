-- A group session began more than ten minutes ago, or was cancelled, and someone is still on its waiting list.
SELECT DISTINCT w.booking_id AS id, w.booking_id AS about
FROM waitlist_entries w
JOIN group_sessions g ON g.booking_id = w.booking_id
JOIN bookings b ON b.id = w.booking_id
LEFT JOIN sessions s ON s.booking_id = w.booking_id
WHERE true
  AND w.booking_id = ANY(:ids) -- part
  AND least(b.start_time, s.started_at, g.cancelled_at) < now() - interval '10 minutes'
