-- A booking that is paid before is accepted without having been paid, or waits for a payment that is not awaited.
SELECT b.id, b.id AS about
FROM bookings b
LEFT JOIN payments p ON p.seat_id IS NULL AND (p.booking_id = b.id OR p.series_id = b.series_id)
WHERE true
  AND b.id = ANY(:ids) -- part
  AND b.payment_mode = 'before' AND b.price_amount > 0 AND b.kind = 'individual'
  AND CASE b.status WHEN 'accepted' THEN coalesce(p.status NOT IN ('paid', 'waived'), true)
      WHEN 'awaiting_payment' THEN coalesce(p.status <> 'awaiting', true) ELSE false END
