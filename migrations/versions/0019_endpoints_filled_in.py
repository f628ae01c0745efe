"""The endpoints of webhook deliveries that were written before, page by page, and the indexes by them.

The table is written to all the time: its writers go on meanwhile. Interrupted, it can be begun anew.

Revision: 0019, after 0018.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

PAGE = 5_000
# Name, which of the webhook deliveries.
INDEXES = (
    ("ix_deliveries_webhook", "effect = 'webhooks.send'"),
    (
        "ix_deliveries_webhook_failed",
        "effect = 'webhooks.send' AND (state = 'dead' OR cancel_reason = 'not_listening')",
    ),
)
FILL_IN = """
WITH page AS MATERIALIZED (
    SELECT event_id, target FROM deliveries
    WHERE effect = 'webhooks.send' AND event_id > CAST(:after AS uuid)
    ORDER BY event_id
    FETCH FIRST :page ROWS WITH TIES
), filled AS (
    UPDATE deliveries d
    SET endpoint_id = CAST(split_part(d.target, ':', 1) AS uuid),
        resend = coalesce(CAST(nullif(split_part(d.target, ':', 2), '') AS integer), 0)
    FROM page
    WHERE d.event_id = page.event_id AND d.effect = 'webhooks.send' AND d.target = page.target
      AND d.endpoint_id IS NULL AND split_part(d.target, ':', 1) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
)
SELECT event_id FROM page ORDER BY event_id DESC LIMIT 1
"""


def upgrade() -> None:
    with _beside_writers():
        _fill_in()
        _index("endpoint_id")


def downgrade() -> None:
    with _beside_writers():
        _index("split_part(target, ':', 1)")


def _fill_in() -> None:
    after: UUID | None = UUID(int=0)
    while after is not None:
        after = op.get_bind().scalar(sa.text(FILL_IN), {"after": after, "page": PAGE})


def _index(endpoint: str) -> None:
    for name, rows in INDEXES:
        op.drop_index(name, table_name="deliveries", postgresql_concurrently=True, if_exists=True)
        op.create_index(
            name,
            "deliveries",
            [sa.literal_column(endpoint), "event_id"],
            postgresql_where=sa.text(rows),
            postgresql_concurrently=True,
        )


@contextmanager
def _beside_writers() -> Iterator[None]:
    """Outside any transaction, and as patient as need be: it waits for those that write, and none waits for it."""
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")
        yield
        op.execute(f"SET lock_timeout = '{before}'")
