"""Keep the attempt that succeeded in the row of its delivery.

Revision: 0123, after 0122.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0123"
down_revision = "0122"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (("status_code", sa.Integer()), ("duration_ms", sa.Integer()), ("response", sa.Text())):
        op.add_column("deliveries", sa.Column(name, kind, nullable=True), if_not_exists=True)
    op.drop_constraint(op.f("ck_deliveries_duration_ms"), "deliveries", if_exists=True)
    op.execute("ALTER TABLE deliveries ADD CONSTRAINT ck_deliveries_duration_ms CHECK (duration_ms >= 0) NOT VALID")
    with op.get_context().autocommit_block():
        # In a transaction of its own, beside writers.
        op.execute("ALTER TABLE deliveries VALIDATE CONSTRAINT ck_deliveries_duration_ms")


def downgrade() -> None:
    op.execute("""
        INSERT INTO delivery_attempts (event_id, effect, target, attempt, outcome, status_code, response, duration_ms,
                                       created_at)
        SELECT event_id, effect, target, attempts, 'done', status_code, response, duration_ms, done_at
        FROM deliveries WHERE duration_ms IS NOT NULL
        ON CONFLICT DO NOTHING
    """)
    op.drop_constraint(op.f("ck_deliveries_duration_ms"), "deliveries")
    for name in ("response", "duration_ms", "status_code"):
        op.drop_column("deliveries", name)
