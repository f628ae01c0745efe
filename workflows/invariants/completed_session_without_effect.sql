-- A completed session has no event of it, or the event lacks the delivery of an effect that was known by then.
SELECT s.id
FROM sessions s
LEFT JOIN events e ON e.subject_id = s.id AND e.type = 'session.completed'
LEFT JOIN subscriptions known
  ON known.event_type = e.type AND known.first_seen_at <= e.created_at
  AND e.created_at < now() - interval '1 minute'
WHERE s.status = 'completed'
  AND (e.id IS NULL
       OR (known.effect IS NOT NULL AND NOT EXISTS (
           SELECT FROM deliveries d WHERE d.event_id = e.id AND d.effect = known.effect)))
