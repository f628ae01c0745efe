"""Let listings and templates of groups ask questions, and keep the answers.

Revision: 0119, after 0118.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import build_index, function_sql

revision = "0119"
down_revision = "0118"
branch_labels = None
depends_on = None
ASKING = ("listings", "group_session_templates")
CHANGED = ("guard_booking_update", "guard_booking_texts")
BOUNDED = "ix_bookings_mentee_user_id_created_at"
LONG_NOTES = "metadata IS NOT NULL OR octet_length(notes) > 1000"


def upgrade() -> None:
    for table in ASKING:
        questions = sa.Column("questions", JSONB(), server_default=sa.text("'[]'"), nullable=False)
        op.add_column(table, questions, if_not_exists=True)
        op.drop_constraint(op.f(f"ck_{table}_questions"), table, if_exists=True)
        op.create_check_constraint(
            op.f(f"ck_{table}_questions"),
            table,
            "CASE jsonb_typeof(questions) WHEN 'array' THEN jsonb_array_length(questions) <= 10 ELSE false END",
        )
    op.create_table(
        "seat_answers",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["group_sessions.booking_id"], name=op.f("fk_seat_answers_booking_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_seat_answers_user_id")),
        sa.PrimaryKeyConstraint("booking_id", "user_id", name=op.f("pk_seat_answers")),
        if_not_exists=True,
    )
    op.create_index("ix_seat_answers_user_id", "seat_answers", ["user_id"], if_not_exists=True)
    op.add_column("bookings", sa.Column("answers", sa.Text(), nullable=True), if_not_exists=True)
    _bound_texts(f"{LONG_NOTES} OR octet_length(answers) > 1000")
    for name in CHANGED:
        op.execute(function_sql(name, at=revision))


def downgrade() -> None:
    for name in CHANGED:
        op.execute(function_sql(name, at=down_revision))
    _bound_texts(LONG_NOTES)
    op.drop_column("bookings", "answers")
    op.drop_table("seat_answers")
    for table in ASKING:
        op.drop_column(table, "questions")


def _bound_texts(where: str) -> None:
    build_index(BOUNDED, "bookings", ["mentee_user_id", "created_at"], where=where)
