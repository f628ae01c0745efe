"""What is counted: per course and quarter of an hour, cancellations and seats, requests, and how long steps took.

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BEFORE = ("created", "started", "completed", "minutes")
ADDED = (
    "cancelled",
    "late_cancellations",
    "seats_joined",
    "seats_left",
    "requests",
    "requests_accepted",
    "requests_with_session",
    "requests_completed",
    "requests_reviewed",
)
IN_ORDER = (
    "created, started, completed, cancelled, late_cancellations, minutes, seats_joined, seats_left,"
    " requests, requests_accepted, requests_with_session, requests_completed, requests_reviewed"
)
NONE_BELOW_ZERO = f"least({IN_ORDER}) >= 0"
ROOM = {"postgresql_with": {"fillfactor": "70"}}
WHOSE = ["mentor_profile_id", "course_id"]

# What the effects counted so far is counted anew, by course and quarter of an hour: their deliveries that are done.
COUNTED = """
CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
SELECT e.type, e.occurred_at, (e.data ->> 'mentor_profile_id')::uuid AS mentor_profile_id,
       (e.data ->> 'course_id')::uuid AS course_id,
       CASE WHEN e.data ->> 'mentee_user_id' IS NOT NULL
            THEN coalesce(booking.requested_at, booking.accepted_at) END AS requested_at,
       (e.data ->> 'start_time')::timestamptz AS start_time, (e.data ->> 'end_time')::timestamptz AS end_time,
       booking.accepted_at, session.started_at
FROM deliveries d
JOIN events e ON e.id = d.event_id
LEFT JOIN LATERAL (
    SELECT min(b.occurred_at) FILTER (WHERE b.type = 'booking.requested') AS requested_at,
           min(b.occurred_at) FILTER (WHERE b.type = 'booking.accepted') AS accepted_at
    FROM events b WHERE b.subject_id = (e.data ->> 'booking_id')::uuid
) AS booking ON true
LEFT JOIN LATERAL (
    SELECT min(s.occurred_at) AS started_at
    FROM events s WHERE s.subject_id = e.subject_id AND s.type = 'session.started'
) AS session ON true
WHERE d.state = 'done'
  AND d.effect IN ('analytics.session_created', 'analytics.session_started', 'analytics.session_completed')
"""
RECOUNT = """
INSERT INTO {table} ({column}, mentor_profile_id, course_id, created, started, completed, minutes,
                     requests_with_session, requests_completed)
SELECT {slot}, mentor_profile_id, course_id,
       sum(created), sum(started), sum(completed), sum(minutes), sum(with_session), sum(with_completion)
FROM (
    SELECT occurred_at AS at, mentor_profile_id, course_id,
           (type = 'session.created')::int AS created, (type = 'session.started')::int AS started,
           (type = 'session.completed')::int AS completed,
           CASE type WHEN 'session.completed'
                THEN floor(extract(epoch FROM end_time - start_time) / 60)::int ELSE 0 END AS minutes,
           0 AS with_session, 0 AS with_completion
    FROM counted
    UNION ALL
    SELECT requested_at, mentor_profile_id, course_id, 0, 0, 0, 0,
           (type = 'session.created')::int, (type = 'session.completed')::int
    FROM counted WHERE requested_at IS NOT NULL AND type IN ('session.created', 'session.completed')
) AS facts
GROUP BY 1, 2, 3
"""
SLOTS = {
    "daily_session_stats": ("day", "(at AT TIME ZONE 'UTC')::date"),
    "quarter_hour_session_stats": ("quarter_hour", "date_bin('15 minutes', at, TIMESTAMPTZ 'epoch')"),
}
TIMES = """
INSERT INTO daily_transition_times (day, mentor_profile_id, course_id, transition, bucket, count, milliseconds)
SELECT (occurred_at AT TIME ZONE 'UTC')::date, mentor_profile_id, course_id, transition::transition,
       width_bucket(ms, bounds), count(*), sum(ms)
FROM (
    SELECT counted.*, transition, bounds,
           CASE WHEN least_ms IS NULL THEN ms ELSE greatest(least_ms, ms) END::bigint AS ms
    FROM counted,
    LATERAL (VALUES
        ('session.created', 'acceptance_to_session', floor(extract(epoch FROM occurred_at - accepted_at) * 1000), 0,
         ARRAY[50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000]::bigint[]),
        ('session.started', 'start_delay', floor(extract(epoch FROM occurred_at - start_time) * 1000), NULL,
         ARRAY[-600000, -300000, 0, 60000, 300000, 600000, 900000, 1800000, 3600000]::bigint[]),
        ('session.completed', 'length', floor(extract(epoch FROM occurred_at - started_at) * 1000), 0,
         ARRAY[300000, 900000, 1800000, 2700000, 3600000, 5400000, 7200000, 10800000, 14400000, 28800000]::bigint[])
    ) AS taken(of_type, transition, ms, least_ms, bounds)
    WHERE of_type = counted.type AND taken.ms IS NOT NULL
) AS times
GROUP BY 1, 2, 3, 4, 5
"""
# Without courses: a day is one row again, if it counts anything that was counted then.
MERGED = """
CREATE TEMPORARY TABLE merged ON COMMIT DROP AS
SELECT day, mentor_profile_id, sum(created)::int AS created, sum(started)::int AS started,
       sum(completed)::int AS completed, sum(minutes)::int AS minutes
FROM daily_session_stats GROUP BY 1, 2 HAVING sum(created + started + completed) > 0
"""
MERGE_BACK = """
INSERT INTO daily_session_stats (day, mentor_profile_id, created, started, completed, minutes)
SELECT day, mentor_profile_id, created, started, completed, minutes FROM merged
"""


def upgrade() -> None:
    _by_course()
    _of_their_own("quarter_hour_session_stats", sa.Column("quarter_hour", sa.DateTime(timezone=True), nullable=False))
    _transition_times()
    op.execute(COUNTED)
    op.execute("DELETE FROM daily_session_stats")
    for table, (column, slot) in SLOTS.items():
        op.execute(RECOUNT.format(table=table, column=column, slot=slot))
    op.execute(TIMES)


def downgrade() -> None:
    op.drop_table("daily_transition_times")
    op.execute("DROP TYPE transition")
    op.drop_table("quarter_hour_session_stats")
    table = "daily_session_stats"
    op.execute(MERGED)
    op.execute("DELETE FROM daily_session_stats")
    op.drop_index("ix_daily_session_stats_mentor_profile_id_day", table)
    op.drop_constraint(op.f("ck_daily_session_stats_counters"), table, type_="check")
    op.drop_constraint(op.f("uq_daily_session_stats_day_mentor_profile_id_course_id"), table, type_="unique")
    for column in ("id", "course_id", *ADDED):
        op.drop_column(table, column)
    op.create_primary_key(op.f("pk_daily_session_stats"), table, ["day", "mentor_profile_id"])
    op.create_check_constraint(
        op.f("ck_daily_session_stats_counters"),
        table,
        "created >= 0 AND started >= 0 AND completed >= 0 AND minutes >= 0",
    )
    op.execute("ALTER TABLE daily_session_stats RESET (fillfactor)")
    op.execute(MERGE_BACK)


def _by_course() -> None:
    table = "daily_session_stats"
    # Old workers count into the table no more until they are replaced: the rule they would go by is gone.
    op.drop_constraint(op.f("pk_daily_session_stats"), table, type_="primary")
    op.drop_constraint(op.f("ck_daily_session_stats_counters"), table, type_="check")
    op.add_column(table, _id())
    op.create_primary_key(op.f("pk_daily_session_stats"), table, ["id"])
    op.add_column(table, sa.Column("course_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_daily_session_stats_course_id"), table, "courses", ["course_id"], ["id"])
    for counter in ADDED:
        op.add_column(table, _counter(counter))
    op.create_check_constraint(op.f("ck_daily_session_stats_counters"), table, NONE_BELOW_ZERO)
    op.create_unique_constraint(
        op.f("uq_daily_session_stats_day_mentor_profile_id_course_id"),
        table,
        ["day", *WHOSE],
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_daily_session_stats_mentor_profile_id_day", table, ["mentor_profile_id", "day"])
    op.execute("ALTER TABLE daily_session_stats SET (fillfactor = 70)")


def _of_their_own(table: str, slot: sa.Column) -> None:
    op.create_table(
        table,
        _id(),
        *_whose(table),
        slot,
        *(_counter(counter) for counter in (*BEFORE, *ADDED)),
        *_changing(),
        sa.CheckConstraint(NONE_BELOW_ZERO, name=op.f(f"ck_{table}_counters")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint(slot.name, *WHOSE, name=f"uq_{table}_whose", postgresql_nulls_not_distinct=True),
        **ROOM,
    )
    op.create_index(f"ix_{table}_mentor_profile_id_{slot.name}", table, ["mentor_profile_id", slot.name])
    _touch(table)


def _transition_times() -> None:
    table = "daily_transition_times"
    names = ("request_to_decision", "acceptance_to_session", "start_delay", "length")
    op.create_table(
        table,
        _id(),
        *_whose(table),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("transition", postgresql.ENUM(*names, name="transition"), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        _counter("count"),
        sa.Column("milliseconds", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        *_changing(),
        sa.CheckConstraint("bucket >= 0 AND count >= 0", name=op.f(f"ck_{table}_counters")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint(
            "day", *WHOSE, "transition", "bucket", name=f"uq_{table}_whose", postgresql_nulls_not_distinct=True
        ),
        **ROOM,
    )
    op.create_index(f"ix_{table}_mentor_profile_id_day", table, ["mentor_profile_id", "day"])
    _touch(table)


def _id() -> sa.Column:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def _counter(name: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _whose(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f(f"fk_{table}_mentor_profile_id")
        ),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f(f"fk_{table}_course_id")),
    )


def _changing() -> tuple[sa.Column, sa.Column, sa.Column]:
    return (
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )


def _touch(table: str) -> None:
    op.execute(f"CREATE TRIGGER tr_{table}_version BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION touch()")
