"""When mentors can be booked: weekly hours, present and past, hours of single dates, time off, rules of booking, and
busy times out of mentors' other calendars."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from models.base import Timestamp, changing, created, id_column, metadata
from models.personal import DELETED, ERASED, IMPERSONAL, kept

_KEPT_HOURS = kept("reports of past hours are made of it; it names no one")

MINUTES_OF_A_DAY = 1440
# Also in the checks of booking_rules.
MIN_STEP_MINUTES = 5
MAX_HORIZON_DAYS = 1830  # five years
MAX_LIMIT = 1000

# One row for each change of a mentor's hours: valid from `since` until the next change, so that a report about last
# month does not change with today's hours. A trigger allows updates of `until` alone.
weekly_hours = Table(
    "weekly_hours",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("revision", Integer, nullable=False, info=IMPERSONAL),
    # The wall-clock time of the hours; it does not follow the profile's time zone.
    Column("time_zone", Text, nullable=False, info=_KEPT_HOURS),
    Column("since", Timestamp, nullable=False),
    Column("until", Timestamp),
    created(),
    UniqueConstraint("mentor_profile_id", "revision"),
    CheckConstraint("revision >= 1", name="revision"),
    CheckConstraint("until >= since", name="holds_until_after_since"),
    Index("uq_weekly_hours_present", "mentor_profile_id", unique=True, postgresql_where=text("until IS NULL")),
)

# One open period of a weekday, in minutes since midnight in the time zone of its hours.
availability_rules = Table(
    "availability_rules",
    metadata,
    Column("weekly_hours_id", Uuid, ForeignKey("weekly_hours.id"), nullable=False),
    Column("weekday", SmallInteger, nullable=False, info=_KEPT_HOURS),  # 0 for Monday
    Column("opens", SmallInteger, nullable=False, info=_KEPT_HOURS),
    Column("closes", SmallInteger, nullable=False, info=_KEPT_HOURS),
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

# The hours of one date, which replace the weekly ones: [[opens, closes], …] in minutes since midnight; an empty list is
# a closed day.
date_hours = Table(
    "date_hours",
    metadata,
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("day", Date, nullable=False, info=IMPERSONAL),
    # The time zone of the weekly hours or, without any, of the mentor's profile when the hours were set.
    Column("time_zone", Text, nullable=False, info=_KEPT_HOURS),
    Column("spans", JSONB, nullable=False, info=_KEPT_HOURS),
    created(),
    PrimaryKeyConstraint("mentor_profile_id", "day"),
    CheckConstraint("jsonb_typeof(spans) = 'array'", name="spans_are_an_array"),
)

# A trigger on person_busy refuses sessions and holds within it.
time_off = Table(
    "time_off",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("start_time", Timestamp, nullable=False),
    Column("end_time", Timestamp, nullable=False),
    Column("reason", Text, info=ERASED),
    created(),
    CheckConstraint("end_time > start_time", name="ends_after_it_starts"),
    CheckConstraint("char_length(reason) <= 1000", name="reason_length"),
    Index("ix_time_off_mentor_profile_id_start_time_id", "mentor_profile_id", text("start_time DESC"), "id"),
    # Finds the time off that overlaps a time: little of a mentor's time off has not ended by then.
    Index("ix_time_off_mentor_profile_id_end_time", "mentor_profile_id", "end_time"),
)

# When a mentor's changes were last announced to webhooks, how many changes have been held back since, and the event of
# the last of them.
availability_announcements = Table(
    "availability_announcements",
    metadata,
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), primary_key=True),
    Column("announced_at", Timestamp, nullable=False),
    Column("held_back", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("event_id", Uuid),
    created(),
    CheckConstraint("held_back >= 0 AND (held_back > 0) = (event_id IS NOT NULL)", name="held_back"),
)

# Null is no limit; days and ISO weeks are of the mentor's time zone.
booking_rules = Table(
    "booking_rules",
    metadata,
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), primary_key=True),
    Column("step_minutes", Integer, nullable=False, server_default=text("15"), info=IMPERSONAL),
    Column("horizon_days", Integer, info=IMPERSONAL),
    Column("max_per_day", Integer, info=IMPERSONAL),
    Column("max_per_week", Integer, info=IMPERSONAL),
    Column("max_per_mentee_per_day", Integer, info=IMPERSONAL),
    Column("max_per_mentee_per_week", Integer, info=IMPERSONAL),
    # Whether bookings are refused while an outside calendar cannot be read.
    Column("stale_calendars", Text, nullable=False, server_default=text("'ignore'"), info=IMPERSONAL),
    *changing(),
    CheckConstraint("step_minutes BETWEEN 5 AND 1440", name="step_minutes"),
    CheckConstraint("horizon_days BETWEEN 1 AND 1830", name="horizon_days"),
    CheckConstraint("max_per_day BETWEEN 1 AND 1000", name="max_per_day"),
    CheckConstraint("max_per_week BETWEEN 1 AND 1000", name="max_per_week"),
    CheckConstraint("max_per_mentee_per_day BETWEEN 1 AND 1000", name="max_per_mentee_per_day"),
    CheckConstraint("max_per_mentee_per_week BETWEEN 1 AND 1000", name="max_per_mentee_per_week"),
    CheckConstraint("stale_calendars IN ('ignore', 'refuse')", name="stale_calendars"),
)

# A mentor's calendar elsewhere, read repeatedly. Its address is a secret.
calendar_feeds = Table(
    "calendar_feeds",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("name", Text, info=DELETED),
    Column("sealed_url", Text, nullable=False, info=DELETED),
    # SHA-256 of the address and the mentor's id, to know an address again.
    Column("url_digest", LargeBinary, nullable=False, info=DELETED),
    # Scheme, host and port of the address, which may be shown.
    Column("origin", Text, nullable=False, info=DELETED),
    # The event whose delivery reads it; deliveries of earlier ones end.
    Column("scheduled_by", Uuid, nullable=False),
    Column("next_fetch_at", Timestamp, nullable=False),
    Column("attempted_at", Timestamp),
    Column("fetched_at", Timestamp),
    # When the last copy becomes too old to be relied on; at first, from the beginning.
    Column("stale_at", Timestamp, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("last_error", Text, info=DELETED),
    # About the last copy: validators of HTTP, a digest of its content, and how its busy times were found.
    Column("etag", Text, info=DELETED),
    Column("last_modified", Text, info=DELETED),
    Column("content_digest", LargeBinary, info=DELETED),
    Column("busy_until", Timestamp),
    Column("time_zone", Text, info=DELETED),
    *changing(),
    UniqueConstraint("mentor_profile_id", "url_digest"),
    # For the mentor's list, and for the busy times, which name both.
    UniqueConstraint("mentor_profile_id", "id"),
    CheckConstraint("char_length(name) <= 200", name="name_length"),
    CheckConstraint("octet_length(url_digest) = 32", name="url_digest"),
    CheckConstraint("failures >= 0", name="failures"),
)

# When a mentor is busy by one of these calendars. A trigger on person_busy refuses bookings and holds of such a time;
# sessions that were booked before stay.
outside_busy = Table(
    "outside_busy",
    metadata,
    Column("mentor_profile_id", Uuid, nullable=False),
    Column("calendar_feed_id", Uuid, nullable=False),
    Column("busy", TSTZRANGE, nullable=False, info=DELETED),
    created(),
    ForeignKeyConstraint(
        ["mentor_profile_id", "calendar_feed_id"], ["calendar_feeds.mentor_profile_id", "calendar_feeds.id"]
    ),
    # Of one calendar they are merged. Its index also finds what overlaps a time of a mentor.
    ExcludeConstraint(
        ("mentor_profile_id", "="),
        ("calendar_feed_id", "="),
        ("busy", "&&"),
        using="gist",
        name="ex_outside_busy_mentor_profile_id_calendar_feed_id_busy",
    ),
    CheckConstraint(
        "NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy) AND lower_inc(busy) AND NOT upper_inc(busy)",
        name="busy_is_a_half_open_stretch",
    ),
)
