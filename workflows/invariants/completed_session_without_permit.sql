-- Reviews are unlocked, but a mentee who was present has not exactly one permit, or one who was absent can use theirs.
SELECT s.id, s.booking_id AS about
FROM sessions s
JOIN events e ON e.subject_id = s.id AND e.type = 'session.completed'
JOIN deliveries d ON d.event_id = e.id AND d.effect = 'reviews.unlock' AND d.state = 'done'
JOIN booking_participants p ON p.booking_id = s.booking_id
-- No condition for an index: a mentee may have far more permits than a session has.
LEFT JOIN review_permits r ON r.session_id = s.id AND (r.mentee_user_id = p.user_id) IS TRUE
WHERE true
  AND s.booking_id = ANY(:ids) -- part
GROUP BY s.id, s.booking_id, p.user_id, p.present
HAVING CASE WHEN p.present IS FALSE THEN count(r.id) FILTER (WHERE r.withdrawn_at IS NULL) > 0 ELSE count(r.id) <> 1 END
