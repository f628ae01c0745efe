"""Let the active listings of a mentor and a duration have one currency, so that the cheapest of them can be told.

Where there are several currencies, the listings in the currency of the oldest one stay active.

Revision: 0101, after 0100.
"""

from __future__ import annotations

from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None

NAME = "ex_listings_mentor_profile_id_duration_minutes_price_currency"
DEACTIVATE_OTHERS = """
UPDATE listings SET active = false
WHERE active AND price_currency <> (
    SELECT oldest.price_currency FROM listings oldest
    WHERE oldest.active AND oldest.mentor_profile_id = listings.mentor_profile_id
      AND oldest.duration_minutes = listings.duration_minutes
    ORDER BY oldest.id LIMIT 1
)
"""


def upgrade() -> None:
    op.execute(DEACTIVATE_OTHERS)
    # A constraint cannot be added while events of the rows' triggers are pending.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute(
        f"ALTER TABLE listings ADD CONSTRAINT {NAME} EXCLUDE USING gist"
        " (mentor_profile_id WITH =, duration_minutes WITH =, price_currency WITH <>) WHERE (active)"
    )


def downgrade() -> None:
    op.drop_constraint(NAME, "listings")
