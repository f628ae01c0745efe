-- A booking or seat names a bundle of which no credit was spent on it, or the reverse, or came to nothing and keeps it.
SELECT b.id, b.id AS about
FROM bookings b
LEFT JOIN bundle_entries spent ON spent.booking_id = b.id AND spent.kind = 'spend' AND spent.seat_id IS NULL
LEFT JOIN bundle_entries returned ON returned.booking_id = b.id AND returned.kind = 'give_back' AND returned.seat_id IS NULL
WHERE true
  AND b.id = ANY(:ids) -- part
  AND (b.bundle_purchase_id IS DISTINCT FROM spent.bundle_purchase_id
       OR (returned.id IS NOT NULL AND returned.bundle_purchase_id IS DISTINCT FROM spent.bundle_purchase_id)
       OR (b.status IN ('declined', 'cancelled') AND spent.id IS NOT NULL AND returned.id IS NULL))
UNION
SELECT p.booking_id, p.booking_id AS about
FROM booking_participants p
LEFT JOIN bundle_entries spent ON spent.seat_id = p.seat_id AND spent.kind = 'spend'
WHERE true
  AND p.booking_id = ANY(:ids) -- part
  AND (p.bundle_purchase_id, CASE WHEN spent.id IS NOT NULL THEN p.booking_id END)
      IS DISTINCT FROM (spent.bundle_purchase_id, spent.booking_id)
