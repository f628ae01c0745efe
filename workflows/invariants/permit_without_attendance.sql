-- A review is permitted of a session that is not completed, of another mentor's, or to a user who did not take part.
SELECT r.id, s.booking_id AS about
FROM review_permits r
LEFT JOIN sessions s ON s.id = r.session_id
LEFT JOIN booking_participants p ON p.booking_id = s.booking_id AND p.user_id = r.mentee_user_id
WHERE true
  AND s.booking_id = ANY(:ids) -- part
  AND (s.id IS NULL OR s.mentor_profile_id <> r.mentor_profile_id OR s.status <> 'completed' OR p.user_id IS NULL)
