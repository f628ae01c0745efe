-- A delivery has used up its attempts, for a reason that is ours to mend, and waits for an operator.
-- What a partner's receiver would not take is no trouble of the house.
SELECT d.id
FROM deliveries d
WHERE d.state = 'dead'
  AND (d.effect <> 'webhooks.send'
       OR EXISTS (
           SELECT FROM delivery_attempts a
           WHERE a.event_id = d.event_id AND a.effect = d.effect AND a.target = d.target
             AND a.attempt = d.attempts AND a.error_class = 'internal'))
