"""What earlier commits planned for effects that are gone is cancelled: no worker knows their names.

Revision: 0062, after 0061.
"""

from __future__ import annotations

from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

CANCEL = """
UPDATE deliveries SET state = 'cancelled', lease_until = NULL, last_error = 'This effect is no longer run.'
WHERE state = 'pending' AND effect IN (
    'analytics.booking_accepted', 'analytics.booking_declined', 'analytics.booking_requested',
    'analytics.review_submitted', 'analytics.seat_joined', 'analytics.seat_left', 'analytics.session_cancelled',
    'analytics.session_created', 'analytics.session_started', 'reminders.set', 'webhooks.queue'
)
"""


def upgrade() -> None:
    op.execute(CANCEL)


def downgrade() -> None:
    """Nothing: what was cancelled stays so."""
