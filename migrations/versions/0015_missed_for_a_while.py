"""Until when an endpoint listened, so that what it misses is kept for as long as it can be recovered.

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ACTIVE_UNTIL = """
CREATE FUNCTION note_active_until() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.active_until := now();
    RETURN NEW;
END $$
"""

# Here, since an endpoint ceases to listen by its owner's step, by policy and by a new address.
TRIGGER = (
    "CREATE TRIGGER tr_webhook_endpoints_active_until BEFORE UPDATE OF state ON webhook_endpoints"
    " FOR EACH ROW WHEN (OLD.state = 'active' AND NEW.state <> 'active') EXECUTE FUNCTION note_active_until()"
)


def upgrade() -> None:
    # It is unknown of those that have not listened for some time: their fourteen days begin now.
    op.add_column(
        "webhook_endpoints",
        sa.Column("active_until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.execute(ACTIVE_UNTIL)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_webhook_endpoints_active_until ON webhook_endpoints")
    op.execute("DROP FUNCTION note_active_until()")
    op.drop_column("webhook_endpoints", "active_until")
