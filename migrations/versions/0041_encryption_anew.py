"""Values can be encrypted anew without a change that readers of their rows would notice.

Notes and feedback are encrypted from this version on. A migration has no key: what is there already stays plain text,
which is read as it is, until `tutelage reencrypt` has been run. Before a step back, `tutelage reencrypt --revert`
writes everything as the version before reads it.

Revision: 0041, after 0040.
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

TOUCH = """
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$
"""
# A transaction that sets `tutelage.keep_versions` changes nothing but texts, in ways that tell readers nothing new.
TOUCH_UNLESS_KEPT = """
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('tutelage.keep_versions', true) = 'on' THEN
        RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$
"""
# As in 0022, but that the texts of a decided booking can be encrypted anew; its `updated_at` stays.
GUARD = """
CREATE OR REPLACE FUNCTION guard_booking_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected bookings%ROWTYPE;
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status AND OLD.status <> 'draft' THEN
        PERFORM refuse('tr_bookings_status', format('A booking cannot go from %s to %s.', OLD.status, NEW.status));
    END IF;
    IF OLD.status <> 'draft' THEN
        IF current_setting('tutelage.keep_versions', true) = 'on' THEN
            expected := OLD;
            expected.title := NEW.title;
            expected.notes := NEW.notes;
            expected.metadata := NEW.metadata;
            expected.location := NEW.location;
            expected.decline_reason := NEW.decline_reason;
            expected.cancel_reason := NEW.cancel_reason;
        END IF;
        IF NEW IS DISTINCT FROM expected THEN
            PERFORM refuse('tr_bookings_unchangeable', 'A booking that is decided never changes.');
        END IF;
    END IF;
    IF (NEW.id, NEW.listing_id, NEW.mentor_profile_id, NEW.mentee_user_id, NEW.kind, NEW.start_time, NEW.end_time)
        IS DISTINCT FROM
       (OLD.id, OLD.listing_id, OLD.mentor_profile_id, OLD.mentee_user_id, OLD.kind, OLD.start_time, OLD.end_time) THEN
        PERFORM refuse('tr_bookings_unchangeable', 'The parties, the listing and the times of a booking never change.');
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.execute(TOUCH_UNLESS_KEPT)
    op.execute(GUARD)


def downgrade() -> None:
    op.execute(import_module("migrations.versions.0022_reports_from_rows").GUARD)
    op.execute(TOUCH)
