"""Webhooks take their turns under an endpoint's rate limit once, and endpoints are claimed for by turns.

Revision: 0058, after 0057.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("turn_rate", sa.Integer(), nullable=True))
    op.create_index(
        "ix_deliveries_webhook_pending",
        "deliveries",
        ["endpoint_id", "due_at"],
        postgresql_where=sa.text("effect = 'webhooks.send' AND state = 'pending'"),
    )
    op.create_index(
        "ix_deliveries_turns",
        "deliveries",
        ["due_at"],
        postgresql_where=sa.text(
            "effect = 'webhooks.send' AND state = 'pending' AND lease_until IS NULL AND turn_rate IS NOT NULL"
        ),
    )
    op.add_column(
        "webhook_endpoints", sa.Column("hastens", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index("ix_webhook_endpoints_hastens", "webhook_endpoints", ["id"], postgresql_where=sa.text("hastens"))


def downgrade() -> None:
    op.drop_index("ix_webhook_endpoints_hastens", "webhook_endpoints")
    op.drop_column("webhook_endpoints", "hastens")
    op.drop_index("ix_deliveries_turns", "deliveries")
    op.drop_index("ix_deliveries_webhook_pending", "deliveries")
    op.drop_column("deliveries", "turn_rate")
