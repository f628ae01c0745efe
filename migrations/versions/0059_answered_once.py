"""A review is answered once: an erasure takes the answer away, but not the time of it.

Revision: 0059, after 0058.
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

# As in 0046, but that `answered_at` stays.
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
    IF OLD.answered_at IS NOT NULL AND (
        NEW.answered_at IS DISTINCT FROM OLD.answered_at
        OR NEW.answer IS DISTINCT FROM OLD.answer
        AND (NEW.answer IS NOT NULL OR current_setting('tutelage.keep_versions', true) IS DISTINCT FROM 'on')
    ) THEN
        PERFORM refuse('tr_reviews_answered_once', 'A review is answered once.');
    END IF;
    RETURN NEW;
END $$
"""
CHECK = "ck_reviews_answered_at"


def upgrade() -> None:
    op.drop_constraint(op.f(CHECK), "reviews")
    op.create_check_constraint(op.f(CHECK), "reviews", "answer IS NULL OR answered_at IS NOT NULL")
    op.execute(REVIEW_GUARD)


def downgrade() -> None:
    # The former guard lets it go only together with an answer.
    op.execute("ALTER TABLE reviews DISABLE TRIGGER USER")
    op.execute("UPDATE reviews SET answered_at = NULL WHERE answer IS NULL")
    op.execute("ALTER TABLE reviews ENABLE TRIGGER USER")
    op.execute(import_module("migrations.versions.0046_erased_accounts").REVIEW_GUARD)
    op.drop_constraint(op.f(CHECK), "reviews")
    op.create_check_constraint(op.f(CHECK), "reviews", "(answered_at IS NOT NULL) = (answer IS NOT NULL)")
