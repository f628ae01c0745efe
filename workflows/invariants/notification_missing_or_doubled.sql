-- A person has more or fewer than one notification per wanted channel of an event whose notifications are done.
SELECT e.id, s.booking_id AS about
FROM sessions s
JOIN events e ON e.subject_id = s.id AND e.type IN ('session.created', 'session.completed')
JOIN deliveries d
  ON d.event_id = e.id AND d.effect = 'notifications.' || replace(e.type, '.', '_') AND d.state = 'done'
JOIN mentor_profiles m ON m.id = s.mentor_profile_id
CROSS JOIN LATERAL (
    SELECT m.user_id
    UNION ALL
    -- A mentee who joins a group later is not notified that it was made.
    SELECT p.user_id FROM booking_participants p
    WHERE p.booking_id = s.booking_id AND (s.mentee_user_id IS NOT NULL OR e.type <> 'session.created')
) reader
CROSS JOIN (VALUES ('in_app'::notification_channel), ('email')) AS offered(channel)
LEFT JOIN notification_preferences chosen
  ON chosen.user_id = reader.user_id AND chosen.channel = offered.channel
  AND chosen.kind = split_part(d.effect, '.', 2)
LEFT JOIN notification_kinds switched ON switched.kind = split_part(d.effect, '.', 2)
LEFT JOIN notifications n ON n.event_id = e.id AND n.user_id = reader.user_id AND n.channel = offered.channel
WHERE true
  -- Nobody is notified whose account is erased, and their preferences are gone.
  AND NOT EXISTS (SELECT FROM users erased WHERE erased.id = reader.user_id AND erased.erased_at IS NOT NULL)
  AND s.booking_id = ANY(:ids) -- part
  -- Older ones may have been deleted.
  AND NOT EXISTS (
      SELECT FROM maintenance_cursors kept
      WHERE kept.name IN ('retention of notifications', 'retention of deliveries') AND e.created_at < kept.moment
  )
  -- No one is notified of a session that is cancelled already; which was first is unknown of the same moment.
  AND (e.type <> 'session.created' OR s.cancelled_at IS NULL OR s.cancelled_at > d.done_at + interval '1 minute')
  -- What was wanted at the time is known unless it has been changed since, or in the same moment.
  AND (chosen.user_id IS NULL OR chosen.updated_at < d.done_at - interval '1 minute')
  AND (switched.kind IS NULL OR switched.changed_at < d.done_at - interval '1 minute')
GROUP BY e.id, s.booking_id, reader.user_id, offered.channel
HAVING count(n.id) <> CASE
    WHEN coalesce(bool_and(chosen.wanted), true)
     AND coalesce(bool_and(CASE offered.channel WHEN 'email' THEN switched.email ELSE switched.in_app END), true)
    THEN 1 ELSE 0
END
