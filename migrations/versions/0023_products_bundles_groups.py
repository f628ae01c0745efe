"""Products, bundles with their ledger, groups with their seats; mentees' time; the terms of a booking.

A booking holds its listing's terms as they were when it was requested. Writing them to all bookings takes about a
second per 100,000 of them, in which bookings wait.

Revision: 0023, after 0022.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

VERSIONED = ("products", "bundle_purchases", "group_session_templates", "group_sessions")

# The second IF serves processes of the release before, which do not know the terms.
GUARD_INSERT = """
CREATE OR REPLACE FUNCTION guard_booking_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status NOT IN ('draft', 'accepted') THEN
        PERFORM refuse('tr_bookings_status', format('A booking begins as draft or accepted, not as %s.', NEW.status));
    END IF;
    IF NEW.late_fee_percent IS NULL THEN
        SELECT early_start_minutes, cancellation_window_hours, late_fee_percent, reminder_minutes
        INTO NEW.early_start_minutes, NEW.cancellation_window_hours, NEW.late_fee_percent, NEW.reminder_minutes
        FROM listings WHERE id = NEW.listing_id;
    END IF;
    RETURN NEW;
END $$
"""
GUARD_INSERT_BEFORE = """
CREATE OR REPLACE FUNCTION guard_booking_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status NOT IN ('draft', 'accepted') THEN
        PERFORM refuse('tr_bookings_status', format('A booking begins as draft or accepted, not as %s.', NEW.status));
    END IF;
    RETURN NEW;
END $$
"""
LEDGER_GUARD = """
CREATE FUNCTION guard_bundle_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_bundle_entries_append_only', 'An entry of a ledger is never changed and never deleted.');
    RETURN NULL;
END $$
"""
COPY_TERMS = """
UPDATE bookings SET early_start_minutes = l.early_start_minutes,
    cancellation_window_hours = l.cancellation_window_hours, late_fee_percent = l.late_fee_percent,
    reminder_minutes = l.reminder_minutes
FROM listings l WHERE l.id = bookings.listing_id
"""
# What is already booked twice stays as it is.
BLOCK_MENTEES = """
INSERT INTO mentee_busy (booking_id, user_id, busy)
SELECT b.id, p.user_id, tstzrange(b.start_time, b.end_time)
FROM bookings b JOIN booking_participants p ON p.booking_id = b.id LEFT JOIN sessions s ON s.booking_id = b.id
WHERE b.status = 'accepted' AND b.end_time > now() AND s.status IS DISTINCT FROM 'cancelled'
ORDER BY b.id
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    _make_products()
    _make_bundles()
    _make_groups()
    _extend_listings()
    _extend_bookings()
    _make_mentee_busy()
    for table in VERSIONED:
        op.execute(f"CREATE TRIGGER tr_{table}_version BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION touch()")
    op.execute(LEDGER_GUARD)
    op.execute(
        "CREATE TRIGGER tr_bundle_entries_change BEFORE UPDATE OR DELETE ON bundle_entries"
        " FOR EACH ROW EXECUTE FUNCTION guard_bundle_entry()"
    )


def downgrade() -> None:
    op.drop_table("mentee_busy")
    op.execute(GUARD_INSERT_BEFORE)
    op.drop_table("waitlist_entries")
    op.drop_table("bundle_entries")
    op.execute("DROP FUNCTION guard_bundle_entry()")
    op.drop_table("group_sessions")
    op.drop_table("group_session_templates")
    # Groups exist only from this revision on: no booking without a listing was possible before.
    op.alter_column("bookings", "listing_id", nullable=False)
    op.drop_constraint(op.f("ck_booking_participants_seat"), "booking_participants")
    op.drop_constraint(op.f("uq_booking_participants_seat_id"), "booking_participants")
    for name in ("seat_id", "price_amount", "price_currency", "product_id", "bundle_purchase_id", "present"):
        op.drop_column("booking_participants", name)
    for name in ("ck_bookings_listing_unless_group", "ck_bookings_late_fee_percent"):
        op.drop_constraint(op.f(name), "bookings")
    for name in (
        *("early_start_minutes", "cancellation_window_hours", "late_fee_percent", "reminder_minutes"),
        *("product_id", "bundle_purchase_id", "series_id"),
    ):
        op.drop_column("bookings", name)
    op.drop_table("bundle_purchases")
    op.drop_table("products")
    op.drop_index("uq_listings_course_id_mentor_profile_id_duration_minutes", "listings")
    op.drop_column("listings", "location")
    op.create_unique_constraint(
        op.f("uq_listings_course_id_mentor_profile_id"), "listings", ["course_id", "mentor_profile_id"]
    )
    for name in ("bundle_entry_kind", "product_kind"):
        op.execute(f"DROP TYPE {name}")


def _make_products() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Enum("single", "bundle", "group_seat", name="product_kind"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("session_count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=True),
        sa.Column("price_amount", sa.BigInteger(), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *_changing(),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 200", name=op.f("ck_products_title_length")),
        sa.CheckConstraint("session_count BETWEEN 1 AND 1000", name=op.f("ck_products_session_count")),
        sa.CheckConstraint(
            "kind = 'bundle' OR (session_count = 1 AND valid_days IS NULL)",
            name=op.f("ck_products_several_in_a_bundle"),
        ),
        sa.CheckConstraint("duration_minutes BETWEEN 5 AND 1440", name=op.f("ck_products_duration_minutes")),
        sa.CheckConstraint("price_amount >= 0", name=op.f("ck_products_price_amount")),
        sa.CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name=op.f("ck_products_price_currency")),
        sa.CheckConstraint("valid_days BETWEEN 1 AND 3660", name=op.f("ck_products_valid_days")),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_products_course_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("id", "course_id", name=op.f("uq_products_id_course_id")),
    )
    op.create_index("ix_products_course_id_id", "products", ["course_id", "id"])


def _make_bundles() -> None:
    op.create_table(
        "bundle_purchases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentee_user_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("total_sessions", sa.Integer(), nullable=False),
        sa.Column("remaining_sessions", sa.Integer(), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=True),
        sa.Column("price_amount", sa.BigInteger(), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        *_changing(),
        sa.CheckConstraint(
            "remaining_sessions BETWEEN 0 AND total_sessions", name=op.f("ck_bundle_purchases_remaining_sessions")
        ),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_bundle_purchases_valid_to")),
        sa.CheckConstraint(
            "remaining_sessions > 0 OR closed_at IS NOT NULL", name=op.f("ck_bundle_purchases_closed_when_exhausted")
        ),
        sa.ForeignKeyConstraint(["mentee_user_id"], ["users.id"], name=op.f("fk_bundle_purchases_mentee_user_id")),
        sa.ForeignKeyConstraint(
            ["product_id", "course_id"],
            ["products.id", "products.course_id"],
            name=op.f("fk_bundle_purchases_product_id_course_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle_purchases")),
    )
    op.create_index(
        "uq_bundle_purchases_open",
        "bundle_purchases",
        ["mentee_user_id", "course_id", "product_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_bundle_purchases_mentee_user_id_id", "bundle_purchases", ["mentee_user_id", "id"])
    op.create_table(
        "bundle_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bundle_purchase_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("purchase", "spend", "give_back", "adjust", "expire", name="bundle_entry_kind"),
            nullable=False,
        ),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("balance", sa.Integer(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("seat_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_bundle_entries_balance")),
        sa.CheckConstraint(
            "CASE kind WHEN 'purchase' THEN credits > 0 WHEN 'spend' THEN credits = -1"
            " WHEN 'give_back' THEN credits = 1 WHEN 'expire' THEN credits < 0 ELSE true END",
            name=op.f("ck_bundle_entries_credits"),
        ),
        sa.CheckConstraint(
            "(booking_id IS NOT NULL) = (kind IN ('spend', 'give_back'))", name=op.f("ck_bundle_entries_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["bundle_purchase_id"], ["bundle_purchases.id"], name=op.f("fk_bundle_entries_bundle_purchase_id")
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_bundle_entries_booking_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle_entries")),
    )
    op.create_index("ix_bundle_entries_bundle_purchase_id_id", "bundle_entries", ["bundle_purchase_id", "id"])
    # A booking's credit, or that of a seat, is spent once and given back once.
    op.create_index(
        "uq_bundle_entries_booking_id_kind",
        "bundle_entries",
        ["booking_id", "kind"],
        unique=True,
        postgresql_where=sa.text("seat_id IS NULL"),
    )
    op.create_index("uq_bundle_entries_seat_id_kind", "bundle_entries", ["seat_id", "kind"], unique=True)


def _make_groups() -> None:
    op.create_table(
        "group_session_templates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("start_time", sa.Time(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("price_amount", sa.BigInteger(), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("early_start_minutes", sa.Integer(), server_default=sa.text("15"), nullable=True),
        sa.Column("buffer_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancellation_window_hours", sa.Integer(), server_default=sa.text("24"), nullable=True),
        sa.Column("late_fee_percent", sa.Integer(), server_default=sa.text("50"), nullable=False),
        sa.Column("location", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *_changing(),
        sa.CheckConstraint(
            "char_length(title) BETWEEN 1 AND 200", name=op.f("ck_group_session_templates_title_length")
        ),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_group_session_templates_weekday")),
        sa.CheckConstraint(
            "duration_minutes BETWEEN 5 AND 1440", name=op.f("ck_group_session_templates_duration_minutes")
        ),
        sa.CheckConstraint("capacity BETWEEN 1 AND 1000", name=op.f("ck_group_session_templates_capacity")),
        sa.CheckConstraint("price_amount >= 0", name=op.f("ck_group_session_templates_price_amount")),
        sa.CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name=op.f("ck_group_session_templates_price_currency")),
        sa.CheckConstraint("early_start_minutes >= 0", name=op.f("ck_group_session_templates_early_start_minutes")),
        sa.CheckConstraint("buffer_minutes BETWEEN 0 AND 1440", name=op.f("ck_group_session_templates_buffer_minutes")),
        sa.CheckConstraint(
            "cancellation_window_hours >= 0", name=op.f("ck_group_session_templates_cancellation_window_hours")
        ),
        sa.CheckConstraint(
            "late_fee_percent BETWEEN 0 AND 100", name=op.f("ck_group_session_templates_late_fee_percent")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(location) = 'object'", name=op.f("ck_group_session_templates_location_is_an_object")
        ),
        sa.ForeignKeyConstraint(
            ["mentor_profile_id"], ["mentor_profiles.id"], name=op.f("fk_group_session_templates_mentor_profile_id")
        ),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_group_session_templates_course_id")),
        sa.ForeignKeyConstraint(
            ["product_id", "course_id"],
            ["products.id", "products.course_id"],
            name=op.f("fk_group_session_templates_product_id_course_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_session_templates")),
    )
    op.create_index(
        "ix_group_session_templates_mentor_profile_id_id", "group_session_templates", ["mentor_profile_id", "id"]
    )
    op.create_table(
        "group_sessions",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        # The date of the occurrence in the template's zone: one booking per template and date.
        sa.Column("occurs_on", sa.Date(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("seats_taken", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("seats_offered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        *_changing(),
        sa.CheckConstraint("capacity BETWEEN 1 AND 1000", name=op.f("ck_group_sessions_capacity")),
        sa.CheckConstraint(
            "seats_taken >= 0 AND seats_offered >= 0 AND seats_taken + seats_offered <= capacity",
            name=op.f("ck_group_sessions_seats"),
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_group_sessions_booking_id")),
        sa.ForeignKeyConstraint(
            ["template_id"], ["group_session_templates.id"], name=op.f("fk_group_sessions_template_id")
        ),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_group_sessions")),
    )
    op.create_index("ix_group_sessions_template_id_occurs_on", "group_sessions", ["template_id", "occurs_on"])
    op.create_table(
        "waitlist_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("offered_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["group_sessions.booking_id"], name=op.f("fk_waitlist_entries_booking_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_waitlist_entries_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entries")),
        sa.UniqueConstraint("booking_id", "user_id", name=op.f("uq_waitlist_entries_booking_id_user_id")),
    )
    op.create_index("ix_waitlist_entries_booking_id_id", "waitlist_entries", ["booking_id", "id"])
    # A participant of a group holds a seat, with what was paid for it; the mentee of an individual booking has none.
    op.add_column("booking_participants", sa.Column("seat_id", sa.Uuid(), nullable=True))
    op.add_column("booking_participants", sa.Column("price_amount", sa.BigInteger(), nullable=True))
    op.add_column("booking_participants", sa.Column("price_currency", sa.Text(), nullable=True))
    op.add_column("booking_participants", sa.Column("product_id", sa.Uuid(), nullable=True))
    op.add_column("booking_participants", sa.Column("bundle_purchase_id", sa.Uuid(), nullable=True))
    op.add_column("booking_participants", sa.Column("present", sa.Boolean(), nullable=True))
    for name, table in (("product_id", "products"), ("bundle_purchase_id", "bundle_purchases")):
        op.create_foreign_key(op.f(f"fk_booking_participants_{name}"), "booking_participants", table, [name], ["id"])
    op.create_unique_constraint(op.f("uq_booking_participants_seat_id"), "booking_participants", ["seat_id"])
    op.create_check_constraint(
        op.f("ck_booking_participants_seat"),
        "booking_participants",
        "num_nonnulls(seat_id, price_amount, price_currency) IN (0, 3)",
    )


def _extend_listings() -> None:
    op.add_column("listings", sa.Column("location", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_check_constraint(
        op.f("ck_listings_location_is_an_object"), "listings", "jsonb_typeof(location) = 'object'"
    )
    op.drop_constraint(op.f("uq_listings_course_id_mentor_profile_id"), "listings", type_="unique")
    op.create_index(
        "uq_listings_course_id_mentor_profile_id_duration_minutes",
        "listings",
        ["course_id", "mentor_profile_id", "duration_minutes"],
        unique=True,
        postgresql_where=sa.text("active"),
    )


def _extend_bookings() -> None:
    op.add_column("bookings", sa.Column("early_start_minutes", sa.Integer(), nullable=True))
    op.add_column("bookings", sa.Column("cancellation_window_hours", sa.Integer(), nullable=True))
    op.add_column("bookings", sa.Column("late_fee_percent", sa.Integer(), nullable=True))
    op.add_column("bookings", sa.Column("reminder_minutes", postgresql.ARRAY(sa.Integer()), nullable=True))
    op.add_column("bookings", sa.Column("product_id", sa.Uuid(), nullable=True))
    op.add_column("bookings", sa.Column("bundle_purchase_id", sa.Uuid(), nullable=True))
    op.add_column("bookings", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.execute(GUARD_INSERT)
    op.execute("ALTER TABLE bookings DISABLE TRIGGER USER")
    op.execute(COPY_TERMS)
    op.execute("ALTER TABLE bookings ENABLE TRIGGER USER")
    op.alter_column("bookings", "late_fee_percent", nullable=False)
    op.alter_column("bookings", "listing_id", nullable=True)
    for name, table in (("product_id", "products"), ("bundle_purchase_id", "bundle_purchases")):
        op.create_foreign_key(op.f(f"fk_bookings_{name}"), "bookings", table, [name], ["id"])
    op.create_check_constraint(
        op.f("ck_bookings_listing_unless_group"), "bookings", "(listing_id IS NULL) = (kind = 'group')"
    )
    op.create_check_constraint(op.f("ck_bookings_late_fee_percent"), "bookings", "late_fee_percent BETWEEN 0 AND 100")
    op.create_index(
        "ix_bookings_series_id", "bookings", ["series_id"], postgresql_where=sa.text("series_id IS NOT NULL")
    )
    op.create_index(
        "ix_bookings_bundle_purchase_id",
        "bookings",
        ["bundle_purchase_id"],
        postgresql_where=sa.text("bundle_purchase_id IS NOT NULL"),
    )


def _make_mentee_busy() -> None:
    op.create_table(
        "mentee_busy",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("busy", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mentee_busy_user_id")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_mentee_busy_booking_id")),
        sa.PrimaryKeyConstraint("booking_id", "user_id", name=op.f("pk_mentee_busy")),
        postgresql.ExcludeConstraint(
            (sa.column("user_id"), "="), (sa.column("busy"), "&&"), using="gist", name="ex_mentee_busy_user_id_busy"
        ),
    )
    op.execute(BLOCK_MENTEES)


def _changing() -> tuple[sa.Column[Any], sa.Column[Any], sa.Column[Any]]:
    return (
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )
