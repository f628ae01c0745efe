-- Somebody has not exactly one notification per channel of an event whose notifications are done.
SELECT e.id
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN sessions s ON s.id = e.subject_id
JOIN mentor_profiles m ON m.id = s.mentor_profile_id
CROSS JOIN LATERAL (
    SELECT m.user_id
    UNION ALL
    SELECT p.user_id FROM booking_participants p WHERE p.booking_id = s.booking_id
) reader
CROSS JOIN unnest(enum_range(NULL::notification_channel)) AS told(channel)
LEFT JOIN notifications n ON n.event_id = e.id AND n.user_id = reader.user_id AND n.channel = told.channel
WHERE d.effect IN ('notifications.session_created', 'notifications.session_completed') AND d.state = 'done'
GROUP BY e.id, reader.user_id, told.channel
HAVING count(n.id) <> 1
