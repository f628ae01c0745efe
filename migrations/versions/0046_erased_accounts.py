"""Accounts that have been erased: their rows stay, without what tells of a person.

Revision: 0046, after 0045.
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

# As in 0009, but that an erasure takes an answer away, too.
REVIEW_GUARD = """
CREATE OR REPLACE FUNCTION guard_review_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.session_id, NEW.mentee_user_id, NEW.mentor_profile_id, NEW.rating)
        IS DISTINCT FROM (OLD.id, OLD.session_id, OLD.mentee_user_id, OLD.mentor_profile_id, OLD.rating) THEN
        PERFORM refuse('tr_reviews_unchangeable', 'The rating and the parties of a review never change.');
    END IF;
    -- It may be taken away, when its author wants to be forgotten.
    IF NEW.comment IS NOT NULL AND NEW.comment IS DISTINCT FROM OLD.comment THEN
        PERFORM refuse('tr_reviews_unchangeable', 'What a review says is never written anew.');
    END IF;
    IF OLD.answer IS NOT NULL
        AND (NEW.answer IS NOT NULL OR current_setting('tutelage.keep_versions', true) IS DISTINCT FROM 'on')
        AND (NEW.answer, NEW.answered_at) IS DISTINCT FROM (OLD.answer, OLD.answered_at) THEN
        PERFORM refuse('tr_reviews_answered_once', 'A review is answered once.');
    END IF;
    RETURN NEW;
END $$
"""
# As in 0023, but that the reason may be taken away.
LEDGER_GUARD = """
CREATE OR REPLACE FUNCTION guard_bundle_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected bundle_entries%ROWTYPE := OLD;
BEGIN
    expected.reason := NULL;
    IF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM expected THEN
        RETURN NEW;
    END IF;
    PERFORM refuse('tr_bundle_entries_append_only', 'An entry of a ledger is never changed and never deleted.');
    RETURN NULL;
END $$
"""
PROFILE_GUARD = """
CREATE FUNCTION guard_profile_of_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM users WHERE id = NEW.user_id AND erased_at IS NOT NULL) THEN
        PERFORM refuse('tr_mentor_profiles_erased', 'The mentor has deleted their account.');
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER tr_mentor_profiles_erased BEFORE UPDATE OF active ON mentor_profiles FOR EACH ROW
WHEN (NEW.active AND NOT OLD.active) EXECUTE FUNCTION guard_profile_of_erased()
"""


def upgrade() -> None:
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("erasure_ended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_users_being_erased",
        "users",
        ["erased_at"],
        postgresql_where=sa.text("erased_at IS NOT NULL AND erasure_ended_at IS NULL"),
    )
    for statement in (REVIEW_GUARD, LEDGER_GUARD, PROFILE_GUARD, TRIGGER):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_mentor_profiles_erased ON mentor_profiles")
    op.execute("DROP FUNCTION guard_profile_of_erased()")
    earlier = import_module("migrations.versions.0023_products_bundles_groups").LEDGER_GUARD
    op.execute(earlier.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    earlier = import_module("migrations.versions.0009_reviews").REVIEW_UPDATE
    op.execute(earlier.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.drop_index("ix_users_being_erased", "users")
    op.drop_column("users", "erasure_ended_at")
    op.drop_column("users", "erased_at")
