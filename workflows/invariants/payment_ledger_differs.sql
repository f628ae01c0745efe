-- A payment's counters are not the sums of its ledger.
SELECT p.id, p.id AS about
FROM payments p
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'charge'), 0) AS charged,
           coalesce(sum(amount) FILTER (WHERE kind = 'refund_due'), 0) AS owed,
           coalesce(sum(amount) FILTER (WHERE kind = 'refund_done'), 0)
               - coalesce(sum(amount) FILTER (WHERE kind = 'refund_failed'), 0) AS refunded
    FROM payment_entries WHERE payment_id = p.id
) AS ledger
WHERE true
  AND p.id = ANY(:ids) -- part
  AND (p.charged, p.refunded, p.refund_due)
    IS DISTINCT FROM (ledger.charged, ledger.refunded, ledger.owed - ledger.refunded)
