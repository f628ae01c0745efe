-- A session's times, moves or parties are not its booking's, a seat has another start, or its booking is not accepted.
SELECT s.id, s.booking_id AS about
FROM sessions s
JOIN bookings b ON b.id = s.booking_id
WHERE true
  AND s.booking_id = ANY(:ids) -- part
  AND ((s.id, s.start_time, s.end_time, s.reschedule_count, s.mentor_profile_id, s.mentee_user_id)
       IS DISTINCT FROM
       (b.session_id, b.start_time, b.end_time, b.reschedule_count, b.mentor_profile_id, b.mentee_user_id)
       OR EXISTS (
           SELECT FROM booking_participants p
           WHERE p.booking_id = b.id AND p.seat_id IS NOT NULL AND p.start_time <> b.start_time
       )
       OR b.status <> 'accepted')
