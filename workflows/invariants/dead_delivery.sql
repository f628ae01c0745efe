-- A delivery has used up its attempts, for a reason that is ours to mend, and waits for an operator.
-- What a partner's receiver refused is the partner's to mend: of such there may be many, and the two halves
-- pass them over by ix_deliveries_dead, in whose order the others stand before and after, and by the defects' own index.
SELECT d.id
FROM deliveries d
WHERE d.state = 'dead' AND (d.effect < 'webhooks.send' OR d.effect > 'webhooks.send')
UNION ALL
SELECT d.id
FROM deliveries d
JOIN delivery_attempts a
  ON a.event_id = d.event_id AND a.effect = d.effect AND a.target = d.target AND a.attempt = d.attempts
WHERE d.state = 'dead' AND d.effect = 'webhooks.send' AND a.error_class = 'internal'
