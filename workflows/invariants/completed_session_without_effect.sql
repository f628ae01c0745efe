-- A completed session has no event of it, or the event lacks the delivery of an effect that was known by then.
-- A session that an import has brought over has no effects. What the event's writer knew it planned, or left out for a reason; but these three are never left out.
SELECT DISTINCT s.id, s.booking_id AS about
FROM sessions s
LEFT JOIN events e ON e.subject_id = s.id AND e.type IN ('session.completed', 'session.imported')
LEFT JOIN effect_catalogues writers ON writers.id = e.catalogue
LEFT JOIN subscriptions known
  ON known.event_type = e.type AND known.first_seen_at <= e.created_at
  AND e.created_at < now() - interval '1 minute'
  -- What is older may have been deleted.
  AND NOT EXISTS (
      SELECT FROM maintenance_cursors kept WHERE kept.name = 'retention of deliveries' AND e.created_at < kept.moment
  )
  AND (known.effect IN ('reviews.unlock', 'notifications.session_completed', 'analytics.session_completed')
       OR (known.effect || ' ' || known.event_type = ANY(writers.effects)) IS NOT TRUE)
LEFT JOIN deliveries d ON d.event_id = e.id AND d.effect = known.effect
WHERE true
  AND s.booking_id = ANY(:ids) -- part
  AND s.status = 'completed'
  AND NOT EXISTS (
      SELECT FROM maintenance_cursors kept
      WHERE kept.name = 'retention of events' AND s.completed_at < kept.moment + interval '1 day'
  )
  AND (e.id IS NULL OR (known.effect IS NOT NULL AND d.event_id IS NULL))
