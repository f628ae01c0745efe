"""Hours of a single date keep the time zone in which they were entered, whatever becomes of the profile's.

Revision: 0057, after 0056.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

# The zone by which they have counted so far.
FILL = """
UPDATE date_hours SET time_zone = coalesce(
    (SELECT time_zone FROM weekly_hours AS hours
     WHERE hours.mentor_profile_id = date_hours.mentor_profile_id AND hours.until IS NULL),
    (SELECT time_zone FROM mentor_profiles AS mentor WHERE mentor.id = date_hours.mentor_profile_id)
)
"""


def upgrade() -> None:
    op.add_column("date_hours", sa.Column("time_zone", sa.Text(), nullable=True))
    op.execute(FILL)
    op.alter_column("date_hours", "time_zone", nullable=False)


def downgrade() -> None:
    op.drop_column("date_hours", "time_zone")
