-- A hold ends in several statements: released, consumed by a booking, replaced, expired, or by time off. A trigger
-- records each of them without a further statement where a booking is made. No effect follows from these events.
CREATE OR REPLACE FUNCTION record_hold(event_type text, event_actor text, hold person_busy) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)
    VALUES (
        -- A UUIDv7: the milliseconds, and random bits with the version (RFC 9562). PostgreSQL 17 makes none itself.
        CAST(encode(set_bit(set_bit(overlay(
            uuid_send(gen_random_uuid())
            PLACING substring(int8send(CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)) FROM 3)
            FROM 1 FOR 6
        ), 52, 1), 53, 1), 'hex') AS uuid),
        event_type, 'hold', hold.hold_id, event_actor,
        jsonb_build_object(
            'hold_id', hold.hold_id, 'mentor_profile_id', hold.mentor_profile_id,
            'start_time', lower(hold.busy), 'end_time', upper(hold.busy)
        ),
        clock_timestamp()
    )
$$;
