-- A group's seats are not as many as its participants, or its offered seats not those that wait for people or payments.
SELECT g.booking_id AS id, g.booking_id AS about
FROM group_sessions g
CROSS JOIN LATERAL (
    SELECT count(*) AS taken FROM booking_participants p WHERE p.booking_id = g.booking_id AND p.seat_id IS NOT NULL
) AS seats
CROSS JOIN LATERAL (
    SELECT (
        SELECT count(*) FROM waitlist_entries w WHERE w.booking_id = g.booking_id AND w.offered_until IS NOT NULL
    ) + (
        SELECT count(*) FROM payments p
        WHERE p.booking_id = g.booking_id AND p.seat_id IS NOT NULL AND p.status = 'awaiting'
    ) AS offered
) AS waiting
WHERE true
  AND g.booking_id = ANY(:ids) -- part
  AND (g.seats_taken, g.seats_offered) <> (seats.taken, waiting.offered)
