"""Weekly hours of mentors, present and past."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from models.base import Timestamp, created, id_column, metadata

MINUTES_OF_A_DAY = 1440

# One row for each change of a mentor's hours: valid from `since` until the next change, so that a report about last
# month does not change with today's hours. A trigger allows no update but that of `until`.
weekly_hours = Table(
    "weekly_hours",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    # The wall-clock time of the hours; it does not follow the profile's time zone.
    Column("time_zone", Text, nullable=False),
    Column("since", Timestamp, nullable=False),
    Column("until", Timestamp),
    created(),
    UniqueConstraint("mentor_profile_id", "revision"),
    CheckConstraint("revision >= 1", name="revision"),
    CheckConstraint("until >= since", name="holds_until_after_since"),
    Index(
        "uq_weekly_hours_present",
        "mentor_profile_id",
        unique=True,
        postgresql_where=text("until IS NULL"),
    ),
)

# One open period of a weekday, in minutes since midnight in the time zone of its hours.
availability_rules = Table(
    "availability_rules",
    metadata,
    Column("weekly_hours_id", Uuid, ForeignKey("weekly_hours.id"), nullable=False),
    Column("weekday", SmallInteger, nullable=False),  # 0 for Monday
    Column("opens", SmallInteger, nullable=False),
    Column("closes", SmallInteger, nullable=False),
    created(),
    PrimaryKeyConstraint("weekly_hours_id", "weekday", "opens"),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
    CheckConstraint("0 <= opens AND opens < closes AND closes <= 1440", name="within_a_day"),
    ExcludeConstraint(
        ("weekly_hours_id", "="),
        ("weekday", "="),
        (text("int4range(opens, closes)"), "&&"),
        using="gist",
        name="ex_availability_rules_weekly_hours_id_weekday",
    ),
)
