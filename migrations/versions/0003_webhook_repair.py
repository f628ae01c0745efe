"""What webhook endpoints and their deliveries need to be watched, paced and repaired.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SIGNING = sa.Enum("hmac-sha256", "ed25519", name="webhook_signing")
MOMENTS = ("failing_since", "open_until", "warned_at", "next_send_at")
CHECKS = {
    "failures": "failures >= 0 AND (failures > 0) = (failing_since IS NOT NULL)",
    "only_failures_open_or_warn": "failures > 0 OR (open_until IS NULL AND warned_at IS NULL)",
}
# What its owner sees. Counting failures and pacing messages makes no new version of an endpoint.
SHOWN = ("url", "event_types", "description", "headers", "rate_limit", "state", "disabled_reason", "signing")


def upgrade() -> None:
    SIGNING.create(op.get_bind())
    op.add_column(
        "webhook_endpoints",
        sa.Column("signing", SIGNING, server_default=sa.text("'hmac-sha256'"), nullable=False),
    )
    op.add_column("webhook_endpoints", sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False))
    for name in MOMENTS:
        op.add_column("webhook_endpoints", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_webhook_endpoints_{name}"), "webhook_endpoints", condition)
    old, new = (", ".join(f"{row}.{name}" for name in SHOWN) for row in ("OLD", "NEW"))
    _version_when(f"({old}) IS DISTINCT FROM ({new})")
    op.add_column("deliveries", sa.Column("forgiven", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(op.f("ck_deliveries_forgiven"), "deliveries", "forgiven BETWEEN 0 AND attempts")
    op.create_index(
        "ix_deliveries_webhook",
        "deliveries",
        [sa.literal_column("split_part(target, ':', 1)"), "event_id"],
        postgresql_where=sa.text("effect = 'webhooks.send'"),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_webhook", "deliveries")
    op.drop_constraint(op.f("ck_deliveries_forgiven"), "deliveries", type_="check")
    op.drop_column("deliveries", "forgiven")
    _version_when("true")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_webhook_endpoints_{name}"), "webhook_endpoints", type_="check")
    for name in ("signing", "failures", *MOMENTS):
        op.drop_column("webhook_endpoints", name)
    SIGNING.drop(op.get_bind())


def _version_when(condition: str) -> None:
    op.execute("DROP TRIGGER tr_webhook_endpoints_version ON webhook_endpoints")
    op.execute(
        "CREATE TRIGGER tr_webhook_endpoints_version BEFORE UPDATE ON webhook_endpoints"
        f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION touch()"
    )
