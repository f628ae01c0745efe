"""Why deliveries were cancelled and attempts failed, and what a circuit breaker put off.

Revision: 0006, after 0005.

Values of custom headers are sealed from this version on, as `{"sealed": "…"}` in place of the plain text: no statement
can seal what is there, so that older ones stay as they are until they are next written, and both are read. A downgrade
leaves sealed values where they are; older code cannot send them along until this version is back.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CANCEL_REASONS = ("deleted", "not_listening", "too_large")
ERROR_CLASSES = (
    "connect",
    "dns",
    "header",
    "internal",
    "protocol",
    "redirect",
    "refused_address",
    "status",
    "timeout",
    "tls",
    *CANCEL_REASONS,
)


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("cancel_reason", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("put_off_until", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_deliveries_cancel_reason"),
        "deliveries",
        f"cancel_reason IS NULL OR (state = 'cancelled' AND cancel_reason IN {CANCEL_REASONS})",
    )
    op.add_column("delivery_attempts", sa.Column("error_class", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_delivery_attempts_error_class"), "delivery_attempts", f"error_class IN {ERROR_CLASSES}"
    )
    # Until now the reason stood in words alone, and these words were ours.
    op.execute(
        "UPDATE deliveries SET cancel_reason = 'not_listening' WHERE effect = 'webhooks.send' AND state = 'cancelled'"
        " AND last_error IN ('The webhook endpoint is paused.', 'The webhook endpoint is disabled.')"
    )
    op.create_index(
        "ix_deliveries_webhook_failed",
        "deliveries",
        [sa.literal_column("split_part(target, ':', 1)"), "event_id"],
        postgresql_where=sa.text("effect = 'webhooks.send' AND (state = 'dead' OR cancel_reason = 'not_listening')"),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_webhook_failed", "deliveries")
    op.drop_constraint(op.f("ck_delivery_attempts_error_class"), "delivery_attempts", type_="check")
    op.drop_column("delivery_attempts", "error_class")
    op.drop_constraint(op.f("ck_deliveries_cancel_reason"), "deliveries", type_="check")
    op.drop_column("deliveries", "put_off_until")
    op.drop_column("deliveries", "cancel_reason")
