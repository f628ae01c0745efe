-- A review is permitted of a session that is not completed, of another mentor's, or to somebody who was not there.
SELECT r.id
FROM review_permits r
LEFT JOIN sessions s ON s.id = r.session_id AND s.mentor_profile_id = r.mentor_profile_id AND s.status = 'completed'
LEFT JOIN booking_participants p ON p.booking_id = s.booking_id AND p.user_id = r.mentee_user_id
WHERE s.id IS NULL OR p.user_id IS NULL
