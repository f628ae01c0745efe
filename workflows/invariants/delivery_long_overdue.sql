-- A delivery has been due for over five minutes and is still pending.
SELECT id FROM deliveries WHERE state = 'pending' AND due_at < now() - interval '5 minutes'
