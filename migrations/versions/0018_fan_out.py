"""The endpoint and the resend of a webhook delivery as columns, and the effects that an event's writer knew.

Processes of the release before, which still run during a deploy, write a webhook's endpoint into its target alone: a
trigger reads it from there. What they wrote before is filled in by 0019.

Revision: 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

NAME_ENDPOINT = """
CREATE FUNCTION name_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF split_part(NEW.target, ':', 1) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        NEW.endpoint_id := CAST(split_part(NEW.target, ':', 1) AS uuid);
        NEW.resend := coalesce(CAST(nullif(split_part(NEW.target, ':', 2), '') AS integer), 0);
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("endpoint_id", sa.Uuid(), nullable=True))
    op.add_column("deliveries", sa.Column("resend", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.execute(NAME_ENDPOINT)
    op.execute(
        "CREATE TRIGGER tr_deliveries_endpoint BEFORE INSERT ON deliveries FOR EACH ROW"
        " WHEN (NEW.effect = 'webhooks.send' AND NEW.endpoint_id IS NULL) EXECUTE FUNCTION name_endpoint()"
    )
    op.add_column("events", sa.Column("catalogue", sa.BigInteger(), nullable=True))
    op.create_table(
        "effect_catalogues",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("effects", ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effect_catalogues")),
    )


def downgrade() -> None:
    op.drop_table("effect_catalogues")
    op.drop_column("events", "catalogue")
    op.execute("DROP TRIGGER tr_deliveries_endpoint ON deliveries")
    op.execute("DROP FUNCTION name_endpoint()")
    op.drop_column("deliveries", "resend")
    op.drop_column("deliveries", "endpoint_id")
