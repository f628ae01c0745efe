-- A payment is awaited, and no booking, bundle or seat waits for it.
SELECT p.id, p.id AS about
FROM payments p
WHERE true
  AND p.id = ANY(:ids) -- part
  AND p.status = 'awaiting'
  AND NOT EXISTS (
      SELECT FROM bookings b
      WHERE (b.id = p.booking_id OR b.series_id = p.series_id) AND b.status = 'awaiting_payment'
  )
  AND NOT EXISTS (SELECT FROM bundle_purchases b WHERE b.id = p.bundle_purchase_id AND b.awaits_payment)
  -- The time of a person is blocked for a seat that waits.
  AND NOT EXISTS (
      SELECT FROM person_busy m
      WHERE p.seat_id IS NOT NULL AND m.booking_id = p.booking_id AND m.user_id = p.user_id
  )
