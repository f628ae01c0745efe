-- A person's time is blocked for a booking in which they neither take part nor keep a seat, or that is not booked.
SELECT m.booking_id AS id, m.booking_id AS about
FROM person_busy m
LEFT JOIN bookings b ON b.id = m.booking_id AND b.mentor_profile_id = m.mentor_profile_id
LEFT JOIN booking_participants p
  ON p.booking_id = m.booking_id AND p.user_id = m.user_id AND m.mentor_profile_id IS NULL
LEFT JOIN payments w
  ON w.booking_id = m.booking_id AND w.user_id = m.user_id AND w.seat_id IS NOT NULL AND w.status = 'awaiting'
  AND m.mentor_profile_id IS NULL
LEFT JOIN sessions s ON s.booking_id = m.booking_id
WHERE true
  AND m.booking_id = ANY(:ids) -- part
  AND m.booking_id IS NOT NULL
  AND (coalesce(b.id, p.booking_id, w.booking_id) IS NULL OR s.status = 'cancelled'
       OR b.status NOT IN ('accepted', 'awaiting_payment'))
