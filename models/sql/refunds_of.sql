-- The latest hundred refunds of a payment in their order, as they are shown; null where there are none. A function, since
-- a list of bookings with its text would be longer than the 4,096 characters up to which psycopg keeps a parsed statement.
CREATE OR REPLACE FUNCTION refunds_of(of_payment uuid, in_currency text) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_agg(to_jsonb(latest) ORDER BY latest.sequence) FROM (
        SELECT due.id, due.amount, in_currency AS currency, due.reason, due.sequence, due.created_at, done.reference,
               done.created_at AS done_at
        FROM payment_entries due LEFT JOIN LATERAL (
            SELECT e.kind, e.reference, e.created_at FROM payment_entries e
            WHERE e.refund_id = due.id ORDER BY e.sequence DESC LIMIT 1
        ) AS done ON done.kind = 'refund_done'
        WHERE due.payment_id = of_payment AND due.kind = 'refund_due'
        ORDER BY due.sequence DESC LIMIT 100
    ) AS latest
$$;
