"""Reviews, and the audit of what operators do to them.

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_kw: object) -> str:
        return "XID8"


REVIEW_UPDATE = """
CREATE FUNCTION guard_review_update() RETURNS trigger LANGUAGE plpgsql AS $$
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
        AND (NEW.answer, NEW.answered_at) IS DISTINCT FROM (OLD.answer, OLD.answered_at) THEN
        PERFORM refuse('tr_reviews_answered_once', 'A review is answered once.');
    END IF;
    RETURN NEW;
END $$
"""

AUDIT_CHANGE = """
CREATE FUNCTION guard_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('tr_audit_entries_append_only', 'What was done is never changed and never deleted.');
    RETURN NULL;
END $$
"""

TRIGGERS = (
    "CREATE TRIGGER tr_reviews_update BEFORE UPDATE ON reviews FOR EACH ROW EXECUTE FUNCTION guard_review_update()",
    "CREATE TRIGGER tr_reviews_version BEFORE UPDATE ON reviews FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE TRIGGER tr_audit_entries_change BEFORE UPDATE OR DELETE ON audit_entries"
    " FOR EACH ROW EXECUTE FUNCTION guard_audit_change()",
)


def upgrade() -> None:
    op.create_unique_constraint(
        op.f("uq_review_permits_session_id_mentee_user_id_mentor_profile_id"),
        "review_permits",
        ["session_id", "mentee_user_id", "mentor_profile_id"],
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("mentee_user_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_profile_id", sa.Uuid(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hidden_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_reviews_rating")),
        sa.CheckConstraint("char_length(comment) <= 5000", name=op.f("ck_reviews_comment_length")),
        sa.CheckConstraint("char_length(answer) BETWEEN 1 AND 5000", name=op.f("ck_reviews_answer_length")),
        sa.CheckConstraint("(answered_at IS NOT NULL) = (answer IS NOT NULL)", name=op.f("ck_reviews_answered_at")),
        sa.CheckConstraint("(hidden_at IS NOT NULL) = (hidden_reason IS NOT NULL)", name=op.f("ck_reviews_hidden_at")),
        sa.ForeignKeyConstraint(
            ["session_id", "mentee_user_id", "mentor_profile_id"],
            ["review_permits.session_id", "review_permits.mentee_user_id", "review_permits.mentor_profile_id"],
            name=op.f("fk_reviews_session_id_mentee_user_id_mentor_profile_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("session_id", "mentee_user_id", name=op.f("uq_reviews_session_id_mentee_user_id")),
    )
    op.create_index("ix_reviews_mentor_profile_id_id", "reviews", ["mentor_profile_id", "id"])
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("jsonb_typeof(data) = 'object'", name=op.f("ck_audit_entries_data_is_an_object")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    for column in ("subject_id", "actor", "action"):
        op.create_index(f"ix_audit_entries_{column}_id", "audit_entries", [column, "id"])
    op.execute(REVIEW_UPDATE)
    op.execute(AUDIT_CHANGE)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    op.drop_table("audit_entries")
    op.drop_table("reviews")
    # What is no longer there no longer counts.
    op.execute("UPDATE mentor_profiles SET rating_sum = 0, review_count = 0 WHERE review_count > 0")
    op.execute("DROP FUNCTION guard_audit_change()")
    op.execute("DROP FUNCTION guard_review_update()")
    op.drop_constraint(
        op.f("uq_review_permits_session_id_mentee_user_id_mentor_profile_id"), "review_permits", type_="unique"
    )
