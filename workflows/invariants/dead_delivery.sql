-- A delivery has used up its retries and waits for an operator.
SELECT id FROM deliveries WHERE state = 'dead'
