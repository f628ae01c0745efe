-- A delivery has been due for over five minutes and is still pending.
-- What is due is nudged, or leased, for less than a minute ahead, so that a look at the queues' index is enough.
SELECT d.id
FROM deliveries d
WHERE d.state = 'pending' AND d.due_at < now() - interval '5 minutes'
  AND d.queue IN ('sessions', 'reviews', 'notifications', 'analytics', 'webhooks') -- part
  AND d.nudge_at <= now() + interval '1 minute' -- part
