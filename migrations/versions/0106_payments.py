"""Let what is sold be paid before it is given: payments with their ledger, and bookings that wait for theirs.

Revision: 0106, after 0105. A step back cancels the bookings that wait, and forgets all payments.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import function_sql

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None

OFFERS = ("bookings", "listings", "products", "group_session_templates")
CHANGED = ("guard_booking_insert", "guard_booking_update")
ADDED = ("guard_payment_entry", "guard_payment_update")
TYPES = {
    "payment_mode": ("none", "before"),
    "paid_for": ("booking", "series", "seat", "bundle"),
    "payment_status": ("awaiting", "paid", "lapsed", "cancelled", "waived"),
    "payment_entry_kind": ("charge", "refund_due", "refund_done"),
}
TABLES = """
CREATE TABLE payments (
    id uuid NOT NULL,
    paid_for paid_for NOT NULL,
    booking_id uuid,
    series_id uuid,
    seat_id uuid,
    bundle_purchase_id uuid,
    user_id uuid NOT NULL,
    mentor_profile_id uuid,
    amount bigint NOT NULL,
    currency text NOT NULL,
    status payment_status DEFAULT 'awaiting' NOT NULL,
    due_at timestamptz NOT NULL,
    paid_at timestamptz,
    reference text,
    charged bigint DEFAULT 0 NOT NULL,
    refund_due bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    checkout_id text,
    checkout_url text,
    checkout_expires_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT pk_payments PRIMARY KEY (id),
    CONSTRAINT ck_payments_amount CHECK (amount > 0),
    CONSTRAINT ck_payments_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_payments_of_one_decision CHECK (
        CASE paid_for WHEN 'booking' THEN booking_id IS NOT NULL AND num_nonnulls(series_id, seat_id) = 0
            WHEN 'series' THEN series_id IS NOT NULL AND num_nonnulls(booking_id, seat_id) = 0
            WHEN 'seat' THEN num_nulls(booking_id, seat_id) = 0 AND series_id IS NULL
            ELSE num_nonnulls(booking_id, series_id, seat_id) = 0 END
        AND (bundle_purchase_id IS NOT NULL) = (paid_for = 'bundle')
        AND (mentor_profile_id IS NULL) = (paid_for = 'bundle')
    ),
    CONSTRAINT ck_payments_charged_once_paid CHECK (
        (status = 'paid') = (paid_at IS NOT NULL) AND (status = 'paid') = (reference IS NOT NULL)
        AND charged = CASE WHEN status = 'paid' THEN amount ELSE 0 END
    ),
    CONSTRAINT ck_payments_refunds CHECK (refund_due >= 0 AND refunded >= 0 AND refund_due + refunded <= charged),
    CONSTRAINT ck_payments_checkout CHECK (num_nulls(checkout_id, checkout_url, checkout_expires_at) IN (0, 3)),
    CONSTRAINT uq_payments_reference UNIQUE (reference),
    CONSTRAINT fk_payments_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT fk_payments_bundle_purchase_id FOREIGN KEY (bundle_purchase_id) REFERENCES bundle_purchases (id),
    CONSTRAINT fk_payments_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_payments_mentor_profile_id FOREIGN KEY (mentor_profile_id) REFERENCES mentor_profiles (id),
    CONSTRAINT uq_payments_checkout_id UNIQUE (checkout_id)
);
CREATE INDEX ix_payments_mentor_profile_id_id ON payments (mentor_profile_id, id);
CREATE INDEX ix_payments_refund_due ON payments (id) WHERE refund_due > 0;
CREATE INDEX ix_payments_status_id ON payments (status, id);
CREATE INDEX ix_payments_updated_at_id ON payments (updated_at, id);
CREATE INDEX ix_payments_user_id_id ON payments (user_id, id);
CREATE UNIQUE INDEX uq_payments_booking_id ON payments (booking_id) WHERE seat_id IS NULL;
CREATE UNIQUE INDEX uq_payments_bundle_purchase_id ON payments (bundle_purchase_id);
CREATE UNIQUE INDEX uq_payments_seat_id ON payments (seat_id);
CREATE UNIQUE INDEX uq_payments_series_id ON payments (series_id);
CREATE TABLE payment_entries (
    id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    payment_id uuid NOT NULL,
    kind payment_entry_kind NOT NULL,
    amount bigint NOT NULL,
    refund_id uuid,
    reason text,
    reference text,
    actor text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_payment_entries PRIMARY KEY (id),
    CONSTRAINT ck_payment_entries_amount CHECK (amount > 0),
    CONSTRAINT ck_payment_entries_refund_id CHECK ((refund_id IS NOT NULL) = (kind = 'refund_done')),
    CONSTRAINT ck_payment_entries_reference CHECK ((reference IS NULL) = (kind = 'refund_due')),
    CONSTRAINT fk_payment_entries_payment_id FOREIGN KEY (payment_id) REFERENCES payments (id),
    CONSTRAINT uq_payment_entries_refund_id UNIQUE (refund_id),
    CONSTRAINT fk_payment_entries_refund_id FOREIGN KEY (refund_id) REFERENCES payment_entries (id)
);
CREATE INDEX ix_payment_entries_payment_id_sequence ON payment_entries (payment_id, sequence);
CREATE TRIGGER tr_payments_version BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION touch();
"""
# A value of an enum cannot be dropped: the column gets another type, without all that names it meanwhile.
WITHOUT_THE_STATUS = """
UPDATE bookings SET status = 'cancelled', cancel_reason = 'unpaid' WHERE status = 'awaiting_payment';
DELETE FROM person_busy USING bookings b
WHERE person_busy.booking_id = b.id AND b.status = 'cancelled';
SET CONSTRAINTS ALL IMMEDIATE;
DROP TRIGGER tr_bookings_recount ON bookings;
DROP INDEX uq_bookings_open_draft;
ALTER TABLE bookings DROP CONSTRAINT ck_bookings_session_id_once_accepted;
ALTER TYPE booking_status RENAME TO booking_status_before;
CREATE TYPE booking_status AS ENUM ('draft', 'accepted', 'declined', 'cancelled');
ALTER TABLE bookings ALTER COLUMN status TYPE booking_status USING CAST(CAST(status AS text) AS booking_status);
DROP TYPE booking_status_before;
ALTER TABLE bookings ADD CONSTRAINT ck_bookings_session_id_once_accepted
    CHECK ((session_id IS NOT NULL) = (status = 'accepted'));
CREATE UNIQUE INDEX uq_bookings_open_draft ON bookings (mentee_user_id, mentor_profile_id, start_time)
    WHERE status = 'draft';
"""


def upgrade() -> None:
    op.execute("ALTER TYPE booking_status ADD VALUE 'awaiting_payment'")
    for name, values in TYPES.items():
        postgresql.ENUM(*values, name=name).create(op.get_bind())
    for table in OFFERS:
        mode = postgresql.ENUM(name="payment_mode", create_type=False)
        op.add_column(table, sa.Column("payment_mode", mode, server_default="none", nullable=False))
    run(TABLES, *(function_sql(name, at=revision) for name in (*CHANGED, *ADDED)))


def downgrade() -> None:
    run(WITHOUT_THE_STATUS, *(function_sql(name, at=down_revision) for name in (*CHANGED, "count_accepted_booking")))
    for table in OFFERS:
        op.drop_column(table, "payment_mode")
    run("DROP TABLE payment_entries, payments", f"DROP FUNCTION {', '.join(ADDED)}", f"DROP TYPE {', '.join(TYPES)}")


def run(*statements: str) -> None:
    # A colon is no parameter there.
    for each in statements:
        op.execute(each.replace(":", "\\:"))
