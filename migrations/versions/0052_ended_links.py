"""Links in mails end when the mail address changes, or when their reader ends them.

Revision: 0052, after 0051.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

END_LINKS = """
CREATE FUNCTION end_mailed_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.links_version := OLD.links_version + 1;
    RETURN NEW;
END $$
"""
# Whatever changes the address.
ON_CHANGE = """
CREATE TRIGGER end_mailed_links BEFORE UPDATE OF email ON users
FOR EACH ROW WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION end_mailed_links()
"""


def upgrade() -> None:
    op.add_column("users", sa.Column("links_version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(END_LINKS)
    op.execute(ON_CHANGE)


def downgrade() -> None:
    op.execute("DROP TRIGGER end_mailed_links ON users")
    op.execute("DROP FUNCTION end_mailed_links()")
    op.drop_column("users", "links_version")
