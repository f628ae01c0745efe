-- A bundle's remaining or total sessions are not the sum of its ledger, or the balance of an entry is not the sum so far.
SELECT b.id, b.id AS about
FROM bundle_purchases b
CROSS JOIN LATERAL (
    SELECT coalesce(sum(credits), 0) AS remaining,
           coalesce(sum(credits) FILTER (WHERE kind IN ('purchase', 'adjust') AND credits > 0), 0) AS total,
           coalesce(bool_and(balance = so_far), false) AS balanced
    FROM (
        SELECT kind, credits, balance, sum(credits) OVER (ORDER BY sequence) AS so_far
        FROM bundle_entries WHERE bundle_purchase_id = b.id
    ) AS entries
) AS ledger
WHERE true
  AND b.id = ANY(:ids) -- part
  AND (b.remaining_sessions <> ledger.remaining OR b.total_sessions <> ledger.total OR NOT ledger.balanced)
