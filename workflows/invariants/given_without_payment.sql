-- What is paid before was given without its payment: a booking or a seat; or waits for a payment that is not awaited.
SELECT b.id, b.id AS about
FROM bookings b
LEFT JOIN payments p ON p.seat_id IS NULL AND (p.booking_id = b.id OR p.series_id = b.series_id)
WHERE true
  AND b.id = ANY(:ids) -- part
  AND b.payment_mode = 'before' AND b.price_amount > 0 AND b.kind = 'individual'
  AND CASE b.status WHEN 'accepted' THEN coalesce(p.status NOT IN ('paid', 'waived'), true)
      WHEN 'awaiting_payment' THEN coalesce(p.status <> 'awaiting', true) ELSE false END
UNION ALL
SELECT s.booking_id, s.booking_id
FROM booking_participants s
WHERE true
  AND s.booking_id = ANY(:ids) -- part
  AND s.seat_id IS NOT NULL AND s.price_amount > 0
  AND (SELECT b.payment_mode FROM bookings b WHERE b.id = s.booking_id) = 'before'
  AND coalesce((SELECT p.status FROM payments p WHERE p.seat_id = s.seat_id), 'lapsed') NOT IN ('paid', 'waived')
