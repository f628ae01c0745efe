"""What is counted: sessions and requests by day and by quarter of an hour, and how long each step took."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)

from models.base import Timestamp, changing, enum, metadata

# What happened then; `minutes` are those of completed sessions.
SESSION_COUNTERS = (
    "created",
    "started",
    "completed",
    "cancelled",
    "late_cancellations",
    "minutes",
    "seats_joined",
    "seats_left",
)
# Of the requests that were made then, by one mentee each: how many came so far, whenever they did.
REQUEST_COUNTERS = (
    "requests",
    "requests_accepted",
    "requests_with_session",
    "requests_completed",
    "requests_reviewed",
)
COUNTERS = (*SESSION_COUNTERS, *REQUEST_COUNTERS)


class Transition(StrEnum):
    """From where to where a time was taken."""

    REQUEST_TO_DECISION = "request_to_decision"  # the mentor's decision; an instant listing takes none
    ACCEPTANCE_TO_SESSION = "acceptance_to_session"
    START_DELAY = "start_delay"  # after the time agreed on; before it below zero
    LENGTH = "length"  # from the start to the completion


def _whose() -> tuple[Column[object], Column[object], Column[object]]:
    return (
        # A key of its own, since no part of a primary key may be null, and replication wants one.
        Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
        Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
        # Null for a listing that is of no course.
        Column("course_id", Uuid, ForeignKey("courses.id")),
    )


def _counters() -> tuple[Column[object], ...]:
    return tuple(Column(name, Integer, nullable=False, server_default=text("0")) for name in COUNTERS)


NONE_BELOW_ZERO = f"least({', '.join(COUNTERS)}) >= 0"
# Each row is rewritten with everything that happens in its time: room for that on its page, beside the indexes.
ROOM = {"fillfactor": "70"}

daily_session_stats = Table(
    "daily_session_stats",
    metadata,
    *_whose(),
    Column("day", Date, nullable=False),
    *_counters(),
    *changing(),
    UniqueConstraint("day", "mentor_profile_id", "course_id", postgresql_nulls_not_distinct=True),
    CheckConstraint(NONE_BELOW_ZERO, name="counters"),
    Index("ix_daily_session_stats_mentor_profile_id_day", "mentor_profile_id", "day"),
    postgresql_with=ROOM,
)

# A day in UTC cannot be cut into the days of other zones. Every zone's offset is a multiple of a quarter of an hour.
quarter_hour_session_stats = Table(
    "quarter_hour_session_stats",
    metadata,
    *_whose(),
    Column("quarter_hour", Timestamp, nullable=False),
    *_counters(),
    *changing(),
    UniqueConstraint(
        "quarter_hour",
        "mentor_profile_id",
        "course_id",
        name="uq_quarter_hour_session_stats_whose",
        postgresql_nulls_not_distinct=True,
    ),
    CheckConstraint(NONE_BELOW_ZERO, name="counters"),
    Index("ix_quarter_hour_session_stats_mentor_profile_id_quarter_hour", "mentor_profile_id", "quarter_hour"),
    postgresql_with=ROOM,
)

daily_transition_times = Table(
    "daily_transition_times",
    metadata,
    *_whose(),
    Column("day", Date, nullable=False),
    Column("transition", enum(Transition, "transition"), nullable=False),
    # The number of bounds that the time reached or passed.
    Column("bucket", SmallInteger, nullable=False),
    Column("count", Integer, nullable=False, server_default=text("0")),
    Column("milliseconds", BigInteger, nullable=False, server_default=text("0")),
    *changing(),
    UniqueConstraint(
        "day",
        "mentor_profile_id",
        "course_id",
        "transition",
        "bucket",
        name="uq_daily_transition_times_whose",
        postgresql_nulls_not_distinct=True,
    ),
    CheckConstraint("bucket >= 0 AND count >= 0", name="counters"),
    Index("ix_daily_transition_times_mentor_profile_id_day", "mentor_profile_id", "day"),
    postgresql_with=ROOM,
)
