-- A session's times or parties are not its booking's, or its booking is not accepted.
SELECT s.id, s.booking_id AS about
FROM sessions s
JOIN bookings b ON b.id = s.booking_id
WHERE true
  AND s.booking_id = ANY(:ids) -- part
  AND ((s.id, s.start_time, s.end_time, s.mentor_profile_id, s.mentee_user_id)
       IS DISTINCT FROM (b.session_id, b.start_time, b.end_time, b.mentor_profile_id, b.mentee_user_id)
       OR b.status <> 'accepted')
