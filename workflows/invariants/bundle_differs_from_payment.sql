-- A bundle awaits a payment that is not awaited, or does not await one that is.
SELECT b.id, b.id AS about
FROM bundle_purchases b
LEFT JOIN payments p ON p.bundle_purchase_id = b.id
WHERE true
  AND b.id = ANY(:ids) -- part
  AND b.awaits_payment <> coalesce(p.status = 'awaiting', false)
