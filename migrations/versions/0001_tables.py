"""The tables, with their constraints and indexes.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ENUMS = (
    "booking_kind",
    "booking_mode",
    "booking_status",
    "delivery_state",
    "notification_channel",
    "session_status",
    "webhook_endpoint_state",
)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_kw: object) -> str:
        return "XID8"


def upgrade() -> None:
    # An exclusion constraint over an id and a range needs equality of ids in a GiST index.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_subject_id", "events", ["subject_id"], unique=False)
    op.create_index("ix_events_type_id", "events", ["type", "id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now() + interval '72 hours'"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "method", "route", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("effect", "event_type", name=op.f("pk_subscriptions")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 320", name=op.f("ck_users_email_length")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 200", name=op.f("ck_users_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "deliveries",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("pending", "done", "dead", "cancelled", name="delivery_state"),
            server_default=sa.text("'pending'"),
            nullable=False,
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("nudge_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("nudges", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(done_at IS NOT NULL) = (state = 'done')", name=op.f("ck_deliveries_done_at")),
        sa.CheckConstraint("nudges >= 0 AND attempts >= 0", name=op.f("ck_deliveries_counters")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_deliveries_event_id")),
        sa.PrimaryKeyConstraint("event_id", "effect", "target", name=op.f("pk_deliveries")),
        postgresql_with={"fillfactor": "60", "autovacuum_vacuum_scale_factor": "0.01"},
    )
    op.create_index(
        "ix_deliveries_dead",
        "deliveries",
        ["effect", "event_id"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_deliveries_queue_nudge_at",
        "deliveries",
        ["queue", "nudge_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("uq_deliveries_id", "deliveries", ["id"], unique=True)
    op.create_table(
        "mentor_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("bio", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("skills", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("rating_sum", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("review_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("char_length(headline) BETWEEN 1 AND 200", name=op.f("ck_mentor_profiles_headline_length")),
        sa.CheckConstraint(
            "rating_sum BETWEEN review_count AND 5 * review_count",
            name=op.f("ck_mentor_profiles_rating_within_one_to_five"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mentor_profiles_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_profiles")),
        sa.UniqueConstraint("user_id", name=op.f("uq_mentor_profiles_user_id")),
    )
    op.create_index("ix_mentor_profiles_skills", "mentor_profiles", ["skills"], unique=False, postgresql_using="gin")
    op.create_table(
        "daily_session_stats",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("created", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("completed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "created >= 0 AND started >= 0 AND completed >= 0 AND minutes >= 0",
            name=op.f("ck_daily_session_stats_counters"),
        ),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_daily_session_stats_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("day", "mentor_profile_id", name=op.f("pk_daily_session_stats")),
    )
    op.create_table(
        "delivery_attempts",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('done', 'retry', 'cancelled', 'failed', 'dead')", name=op.f("ck_delivery_attempts_outcome")
        ),
        sa.CheckConstraint("duration_ms >= 0", name=op.f("ck_delivery_attempts_duration_ms")),
        sa.ForeignKeyConstraint(
            ["event_id", "effect", "target"],
            ["deliveries.event_id", "deliveries.effect", "deliveries.target"],
            name=op.f("fk_delivery_attempts_event_id_effect_target"),
        ),
        sa.PrimaryKeyConstraint("event_id", "effect", "target", "attempt", name=op.f("pk_delivery_attempts")),
    )
    op.create_table(
        "listings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("price_amount", sa.BigInteger(), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column(
            "booking_mode",
            sa.Enum("request", "instant", name="booking_mode"),
            server_default=sa.text("'request'"),
            nullable=False,
        ),
        sa.Column("early_start_minutes", sa.Integer(), server_default=sa.text("15"), nullable=True),
        sa.Column("min_notice_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("buffer_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancellation_window_hours", sa.Integer(), server_default=sa.text("24"), nullable=True),
        sa.Column("late_fee_percent", sa.Integer(), server_default=sa.text("50"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name=op.f("ck_listings_price_currency")),
        sa.CheckConstraint("buffer_minutes BETWEEN 0 AND 1440", name=op.f("ck_listings_buffer_minutes")),
        sa.CheckConstraint("cancellation_window_hours >= 0", name=op.f("ck_listings_cancellation_window_hours")),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 200", name=op.f("ck_listings_title_length")),
        sa.CheckConstraint("duration_minutes BETWEEN 5 AND 1440", name=op.f("ck_listings_duration_minutes")),
        sa.CheckConstraint("early_start_minutes >= 0", name=op.f("ck_listings_early_start_minutes")),
        sa.CheckConstraint("late_fee_percent BETWEEN 0 AND 100", name=op.f("ck_listings_late_fee_percent")),
        sa.CheckConstraint("min_notice_minutes >= 0", name=op.f("ck_listings_min_notice_minutes")),
        sa.CheckConstraint("price_amount >= 0", name=op.f("ck_listings_price_amount")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_listings_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
        sa.UniqueConstraint("id", "mentor_profile_id", name=op.f("uq_listings_id_mentor_profile_id")),
    )
    op.create_index("ix_listings_mentor_profile_id_id", "listings", ["mentor_profile_id", "id"], unique=False)
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("rate_limit", sa.Integer(), nullable=True),
        sa.Column(
            "state",
            sa.Enum("pending", "active", "paused", "disabled", name="webhook_endpoint_state"),
            server_default=sa.text("'pending'"),
            nullable=False,
        ),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(disabled_reason IS NOT NULL) = (state = 'disabled')", name=op.f("ck_webhook_endpoints_disabled_reason")
        ),
        sa.CheckConstraint("jsonb_typeof(headers) = 'object'", name=op.f("ck_webhook_endpoints_headers_are_an_object")),
        sa.CheckConstraint("cardinality(event_types) > 0", name=op.f("ck_webhook_endpoints_event_types_not_empty")),
        sa.CheckConstraint("char_length(url) BETWEEN 8 AND 2048", name=op.f("ck_webhook_endpoints_url_length")),
        sa.CheckConstraint("rate_limit > 0", name=op.f("ck_webhook_endpoints_rate_limit")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_webhook_endpoints_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        sa.UniqueConstraint(
            "mentor_profile_id",
            "url",
            name=op.f("uq_webhook_endpoints_mentor_profile_id_url"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "bookings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("mentee_user_id", sa.Uuid(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum("individual", "group", name="booking_kind"),
            server_default=sa.text("'individual'"),
            nullable=False,
        ),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status", sa.Enum("draft", "accepted", "declined", "cancelled", name="booking_status"), nullable=False
        ),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("price_amount", sa.BigInteger(), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("buffer_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("decline_reason", sa.Text(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("(mentee_user_id IS NULL) = (kind = 'group')", name=op.f("ck_bookings_mentee_unless_group")),
        sa.CheckConstraint(
            "(session_id IS NOT NULL) = (status = 'accepted')", name=op.f("ck_bookings_session_id_once_accepted")
        ),
        sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name=op.f("ck_bookings_metadata_is_an_object")),
        sa.CheckConstraint("buffer_minutes >= 0", name=op.f("ck_bookings_buffer_minutes")),
        sa.CheckConstraint("end_time > start_time", name=op.f("ck_bookings_ends_after_it_starts")),
        sa.CheckConstraint("price_amount >= 0", name=op.f("ck_bookings_price_amount")),
        sa.ForeignKeyConstraint(
            ["listing_id", "mentor_profile_id"],
            ["listings.id", "listings.mentor_profile_id"],
            name=op.f("fk_bookings_listing_id_mentor_profile_id"),
        ),
        sa.ForeignKeyConstraint(["mentee_user_id"], ["users.id"], name=op.f("fk_bookings_mentee_user_id")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_bookings_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.UniqueConstraint(
            "id",
            "start_time",
            "end_time",
            "mentor_profile_id",
            name=op.f("uq_bookings_id_start_time_end_time_mentor_profile_id"),
        ),
        sa.UniqueConstraint("session_id", name=op.f("uq_bookings_session_id")),
    )
    op.create_index("ix_bookings_listing_id", "bookings", ["listing_id"], unique=False)
    op.create_index(
        "ix_bookings_mentee_user_id_start_time_id",
        "bookings",
        ["mentee_user_id", sa.literal_column("start_time DESC"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_bookings_mentor_profile_id_start_time_id",
        "bookings",
        ["mentor_profile_id", sa.literal_column("start_time DESC"), "id"],
        unique=False,
    )
    op.create_index("ix_bookings_start_time", "bookings", ["start_time"], unique=False)
    op.create_index("ix_bookings_status_start_time", "bookings", ["status", "start_time"], unique=False)
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_secrets_endpoint_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
    )
    op.create_index("ix_webhook_secrets_endpoint_id", "webhook_secrets", ["endpoint_id"], unique=False)
    op.create_table(
        "booking_participants",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_booking_participants_booking_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_booking_participants_user_id")),
        sa.PrimaryKeyConstraint("booking_id", "user_id", name=op.f("pk_booking_participants")),
    )
    op.create_index("ix_booking_participants_user_id", "booking_participants", ["user_id"], unique=False)
    op.create_table(
        "mentor_busy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("busy", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("mentor_profile_id"), "="),
            (sa.column("busy"), "&&"),
            using="gist",
            name="ex_mentor_busy_mentor_profile_id_busy",
        ),
        sa.CheckConstraint("(hold_id IS NULL) = (expires_at IS NULL)", name=op.f("ck_mentor_busy_a_hold_expires")),
        sa.CheckConstraint(
            "NOT isempty(busy) AND NOT lower_inf(busy) AND NOT upper_inf(busy)"
            " AND lower_inc(busy) AND NOT upper_inc(busy)",
            name=op.f("ck_mentor_busy_busy_is_a_half_open_stretch"),
        ),
        sa.CheckConstraint("num_nonnulls(booking_id, hold_id) = 1", name=op.f("ck_mentor_busy_a_booking_or_a_hold")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_mentor_busy_booking_id")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_mentor_busy_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_busy")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_mentor_busy_booking_id")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_mentor_busy_hold_id")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("mentee_user_id", sa.Uuid(), nullable=True),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum("scheduled", "in_progress", "completed", "cancelled", name="session_status"),
            nullable=False,
        ),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("rating", sa.SmallInteger(), nullable=True),
        sa.Column("feedback", sa.Text(), nullable=True),
        sa.Column("action_items", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancellation", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(cancelled_at IS NOT NULL) = (status = 'cancelled')", name=op.f("ck_sessions_cancelled_at")
        ),
        sa.CheckConstraint(
            "(completed_at IS NOT NULL) = (status = 'completed')", name=op.f("ck_sessions_completed_at")
        ),
        sa.CheckConstraint(
            "(started_at IS NOT NULL) = (status IN ('in_progress', 'completed'))", name=op.f("ck_sessions_started_at")
        ),
        sa.CheckConstraint("jsonb_typeof(action_items) = 'array'", name=op.f("ck_sessions_action_items_are_a_list")),
        sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name=op.f("ck_sessions_metadata_is_an_object")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_sessions_rating")),
        sa.ForeignKeyConstraint(
            ["booking_id", "start_time", "end_time", "mentor_profile_id"],
            ["bookings.id", "bookings.start_time", "bookings.end_time", "bookings.mentor_profile_id"],
            name=op.f("fk_sessions_booking_id_start_time_end_time_mentor_profile_id"),
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_sessions_booking_id")),
        sa.ForeignKeyConstraint(["mentee_user_id"], ["users.id"], name=op.f("fk_sessions_mentee_user_id")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_sessions_mentor_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_sessions_booking_id")),
    )
    op.create_index(
        "ix_sessions_mentee_user_id_start_time_id",
        "sessions",
        ["mentee_user_id", sa.literal_column("start_time DESC"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_sessions_mentor_profile_id_start_time_id",
        "sessions",
        ["mentor_profile_id", sa.literal_column("start_time DESC"), "id"],
        unique=False,
    )
    op.create_index("ix_sessions_start_time", "sessions", ["start_time"], unique=False)
    op.create_index("ix_sessions_status_start_time", "sessions", ["status", "start_time"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Enum("in_app", "email", name="notification_channel"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_notifications_booking_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_notifications_event_id")),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_notifications_session_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("event_id", "user_id", "channel", name=op.f("uq_notifications_event_id_user_id_channel")),
    )
    op.create_index("ix_notifications_user_id_id", "notifications", ["user_id", "id"], unique=False)
    op.create_table(
        "review_permits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("mentee_user_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("unlocked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("expires_at > unlocked_at", name=op.f("ck_review_permits_expires_after_it_opens")),
        sa.ForeignKeyConstraint(["mentee_user_id"], ["users.id"], name=op.f("fk_review_permits_mentee_user_id")),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_review_permits_mentor_profile_id")
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_review_permits_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_permits")),
        sa.UniqueConstraint("session_id", "mentee_user_id", name=op.f("uq_review_permits_session_id_mentee_user_id")),
    )
    op.create_index("ix_review_permits_mentee_user_id_id", "review_permits", ["mentee_user_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("review_permits")
    op.drop_table("notifications")
    op.drop_table("sessions")
    op.drop_table("mentor_busy")
    op.drop_table("booking_participants")
    op.drop_table("webhook_secrets")
    op.drop_table("bookings")
    op.drop_table("webhook_endpoints")
    op.drop_table("listings")
    op.drop_table("delivery_attempts")
    op.drop_table("daily_session_stats")
    op.drop_table("mentor_profiles")
    op.drop_table("deliveries")
    op.drop_table("users")
    op.drop_table("subscriptions")
    op.drop_table("idempotency_keys")
    op.drop_table("events")
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
    op.execute("DROP EXTENSION IF EXISTS btree_gist")
