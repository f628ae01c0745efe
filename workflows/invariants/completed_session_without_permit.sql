-- The delivery that unlocks a review is done, but not every mentee of the session has exactly one permit.
SELECT e.subject_id
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN sessions s ON s.id = e.subject_id
JOIN booking_participants p ON p.booking_id = s.booking_id
LEFT JOIN review_permits r ON r.session_id = s.id AND r.mentee_user_id = p.user_id
WHERE d.effect = 'reviews.unlock' AND d.state = 'done'
GROUP BY e.subject_id, p.user_id
HAVING count(r.id) <> 1
