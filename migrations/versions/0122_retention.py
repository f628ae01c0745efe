"""Let old deliveries, notifications and events be deleted, keep the outcomes of effects, and index fewer events.

Revision: 0122, after 0121.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import build_index, function_sql

revision = "0122"
down_revision = "0121"
branch_labels = None
depends_on = None
SEATS = "type IN ('seat.joined', 'seat.left', 'seat.refunded')"


def upgrade() -> None:
    build_index("ix_events_seats", "events", ["type", "id"], where=SEATS)
    build_index("ix_webhook_secrets_expires_at", "webhook_secrets", ["expires_at"], where="expires_at IS NOT NULL")
    with op.get_context().autocommit_block():
        op.drop_index("ix_events_type_id", "events", postgresql_concurrently=True, if_exists=True)
    op.create_table(
        "event_outcomes",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("outcomes", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_outcomes_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event_outcomes")),
    )
    op.execute(function_sql("guard_event_change", at=revision))
    op.execute("ALTER TABLE deliveries SET (fillfactor = 90)")


def downgrade() -> None:
    build_index("ix_events_type_id", "events", ["type", "id"])
    with op.get_context().autocommit_block():
        op.drop_index("ix_events_seats", "events", postgresql_concurrently=True, if_exists=True)
    op.execute("ALTER TABLE deliveries SET (fillfactor = 60)")
    op.execute(function_sql("guard_event_change", at=down_revision))
    op.drop_index("ix_webhook_secrets_expires_at", "webhook_secrets")
    op.drop_table("event_outcomes")
