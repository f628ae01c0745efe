"""Let old deliveries, notifications and events be deleted, keep the outcomes of effects, and index fewer events.

Revision: 0122, after 0121.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import function_sql

revision = "0122"
down_revision = "0121"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_outcomes",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("outcomes", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_outcomes_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event_outcomes")),
    )
    op.create_index(
        "ix_webhook_secrets_expires_at",
        "webhook_secrets",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.execute(function_sql("guard_event_change", at=revision))
    op.execute("ALTER TABLE deliveries SET (fillfactor = 90)")
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_events_seats",
            "events",
            ["type", "id"],
            postgresql_where=sa.text("type IN ('seat.joined', 'seat.left', 'seat.refunded')"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.drop_index("ix_events_type_id", "events", postgresql_concurrently=True, if_exists=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_events_type_id", "events", ["type", "id"], postgresql_concurrently=True, if_not_exists=True)
        op.drop_index("ix_events_seats", "events", postgresql_concurrently=True, if_exists=True)
    op.execute("ALTER TABLE deliveries SET (fillfactor = 60)")
    op.execute(function_sql("guard_event_change", at=down_revision))
    op.drop_index("ix_webhook_secrets_expires_at", "webhook_secrets")
    op.drop_table("event_outcomes")
