-- The delivery that measures a completed session is done, but its measures are not recorded, or are another session's.
SELECT s.id, s.booking_id AS about
FROM sessions s
JOIN events e ON e.subject_id = s.id AND e.type = 'session.completed'
JOIN deliveries d ON d.event_id = e.id AND d.effect = 'analytics.session_completed' AND d.state = 'done'
LEFT JOIN session_metrics m ON m.session_id = s.id
WHERE true
  AND s.booking_id = ANY(:ids) -- part
  AND (m.mentor_profile_id, m.course_id, m.completed_at)
      IS DISTINCT FROM (s.mentor_profile_id, s.course_id, s.completed_at)
