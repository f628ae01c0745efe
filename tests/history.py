"""History: as many lives as one wants, written by SQL behind the guards' backs, each with what follows from it."""

from datetime import timedelta

from sqlalchemy import Connection, text

MENTORS = 100

_PEOPLE = """
INSERT INTO users (id, email, name, time_zone)
SELECT CAST(md5('user' || n) AS uuid), 'person' || n || '@example.org', 'Person', 'UTC'
FROM generate_series(1, 2 * :mentors) AS n ON CONFLICT DO NOTHING;
INSERT INTO mentor_profiles (id, user_id, headline, time_zone)
SELECT CAST(md5('mentor' || n) AS uuid), CAST(md5('user' || n) AS uuid), 'Mentor', 'UTC'
FROM generate_series(1, :mentors) AS n ON CONFLICT DO NOTHING;
"""

# One life each: `n` tells them apart, `at` is when it was asked for. Ids are UUIDv7 of that time.
_LIVES = """
CREATE TEMPORARY TABLE lives ON COMMIT DROP AS
SELECT n, at, uuid_at(at, 'b' || tag || n) AS booking_id, CAST(md5('s' || tag || n) AS uuid) AS session_id,
       CAST(md5('mentor' || (1 + n % :mentors)) AS uuid) AS mentor_id,
       CAST(md5('user' || (1 + n % :mentors)) AS uuid) AS mentor_user_id,
       CAST(md5('user' || (1 + :mentors + n % :mentors)) AS uuid) AS mentee_id,
       -- No mentor twice at one time, nor of two histories.
       date_trunc('hour', at) + n * interval '2 hours' + abs(hashtext(tag)) % 100 * interval '120 years' AS starts, tag
FROM (SELECT n, CAST(:tag AS text) AS tag,
             now() - CAST(:from AS interval) + (CAST(:from AS interval) - CAST(:to AS interval)) * n / :lives AS at
      FROM generate_series(1, :lives) AS n) AS numbered;

INSERT INTO bookings (id, listing_id, mentor_profile_id, mentee_user_id, start_time, end_time, status, price_amount,
                      price_currency, late_fee_percent, session_id, created_at, updated_at)
SELECT booking_id, mentor_id, mentor_id, mentee_id, starts, starts + interval '1 hour', 'accepted', 1, 'USD',
       50, session_id, at, at FROM lives;

INSERT INTO booking_participants (booking_id, user_id, created_at) SELECT booking_id, mentee_id, at FROM lives;

INSERT INTO person_busy (id, user_id, mentor_profile_id, busy, booking_id, created_at)
SELECT uuid_at(at, 'm' || tag || n), mentor_user_id, mentor_id, tstzrange(starts, starts + interval '1 hour'),
       booking_id, at
FROM lives;

INSERT INTO person_busy (id, user_id, busy, booking_id, may_overlap, created_at)
SELECT uuid_at(at, 'a' || tag || n), mentee_id, tstzrange(starts, starts + interval '1 hour'), booking_id, true, at
FROM lives;

INSERT INTO sessions (id, booking_id, mentor_profile_id, mentee_user_id, start_time, end_time, status, started_at,
                      completed_at, created_at, updated_at)
SELECT session_id, booking_id, mentor_id, mentee_id, starts, starts + interval '1 hour', 'completed', at, at, at, at
FROM lives;

INSERT INTO session_metrics (session_id, mentor_profile_id, completed_at, booked_minutes, acceptance_to_session_ms,
                             start_delay_ms, length_ms)
SELECT session_id, mentor_id, at, 60, 0, 0, 0 FROM lives;

INSERT INTO review_permits (id, session_id, mentee_user_id, mentor_profile_id, unlocked_at, expires_at, created_at)
SELECT uuid_at(at, 'p' || tag || n), session_id, mentee_id, mentor_id, at, at + interval '30 days', at FROM lives;

INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at, created_at, catalogue)
SELECT uuid_at(at, type || tag || n), type, split_part(type, '.', 1),
       CASE WHEN type LIKE 'session.%' THEN session_id ELSE booking_id END, 'system',
       jsonb_build_object('booking_id', booking_id, 'session_id', session_id, 'mentor_profile_id', mentor_id,
                          'mentee_user_id', mentee_id, 'course_id', NULL, 'start_time', starts,
                          'end_time', starts + interval '1 hour', 'kind', 'individual'),
       at, at, CAST(:catalogue AS bigint)
FROM lives CROSS JOIN unnest(ARRAY['booking.requested', 'booking.accepted', 'session.created', 'session.started',
                                   'session.completed']) AS type;

INSERT INTO deliveries (event_id, effect, id, queue, state, due_at, nudge_at, done_at, attempts, created_at)
SELECT uuid_at(at, type || tag || n), effect, CAST(md5(effect || tag || n) AS uuid), queue, 'done', at, at, at, 1, at
FROM lives CROSS JOIN (VALUES
    ('booking.requested', 'notifications.booking_requested', 'notifications'),
    ('booking.requested', 'bookings.expire', 'sessions'),
    ('booking.accepted', 'sessions.create', 'sessions'),
    ('session.created', 'notifications.session_created', 'notifications'),
    ('session.completed', 'reviews.unlock', 'reviews'),
    ('session.completed', 'notifications.session_completed', 'notifications'),
    ('session.completed', 'analytics.session_completed', 'analytics')) AS follows(type, effect, queue);

INSERT INTO notifications (id, event_id, user_id, channel, kind, title, body, session_id, created_at)
SELECT uuid_at(at, 'n' || type || channel || reader || tag || n), uuid_at(at, type || tag || n), reader,
       CAST(channel AS notification_channel), replace(type, '.', '_'), 'A session', 'It is.', session_id, at
FROM lives
CROSS JOIN unnest(ARRAY['session.created', 'session.completed']) AS type
CROSS JOIN unnest(ARRAY['in_app', 'email']) AS channel
CROSS JOIN LATERAL (VALUES (mentor_user_id), (mentee_id)) AS readers(reader);
"""

_COUNTED = """
TRUNCATE session_counts, session_count_changes;
INSERT INTO session_counts (mentor_profile_id, counter, amount)
SELECT mentor_profile_id, status::text, count(*) FROM sessions GROUP BY 1, 2
UNION ALL SELECT mentor_profile_id, 'accepted_bookings', count(*) FROM bookings GROUP BY 1
"""

_UUID_AT = """
CREATE OR REPLACE FUNCTION pg_temp.uuid_at(at timestamptz, name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT CAST(lpad(to_hex(CAST(extract(epoch FROM at) * 1000 AS bigint)), 12, '0') || '7' || substr(md5(name), 1, 3)
                || '8' || substr(md5(name), 4, 15) AS uuid) $$
"""


def make_history(
    db: Connection, lives: int, *, since: timedelta, until: timedelta, tag: str, catalogue: int | None = None
) -> None:
    """Add completed lives, spread evenly over a stretch of time, with all that followed from them but its counts.

    Args:
        since: how long ago the first was asked for.
        until: and the last.
        tag: what sets these apart from others.
        catalogue: which effects their writer knew.
    """
    db.execute(text("SET LOCAL session_replication_role = replica"))
    db.execute(text("SET LOCAL statement_timeout = 0"))
    db.execute(text(_UUID_AT))
    values = {"lives": lives, "mentors": MENTORS, "from": since, "to": until, "tag": tag, "catalogue": catalogue}
    script = _PEOPLE + _LIVES.replace("uuid_at(", "pg_temp.uuid_at(") + _COUNTED
    for statement in filter(str.strip, script.split(";")):
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        db.execute(text(statement), wanted)
    db.execute(text("DROP TABLE lives"))
    db.execute(text("SET LOCAL session_replication_role = origin"))


def analyze(db: Connection) -> None:
    for table in ("bookings", "sessions", "events", "deliveries", "notifications", "review_permits", "person_busy",
                  "booking_participants", "mentor_profiles", "session_counts", "session_metrics"):  # fmt: skip
        db.execute(text(f"ANALYZE {table}"))
