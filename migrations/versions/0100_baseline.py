"""The tables, functions and triggers that every database begins with.

Revision: 0100, the first that is kept. Numbers below 0100 belong to databases from before, which are refused.
"""

from __future__ import annotations

import re
from pathlib import Path

from alembic import op

from migrations import function_sql
from models.engine import driver_of

revision = "0100"
down_revision = None
branch_labels = None
depends_on = None

TABLES = Path(__file__).with_name("0100_tables.sql")
FUNCTIONS = (
    "copy_start_to_seat",
    "count_accepted_booking",
    "count_session",
    "count_skills",
    "end_mailed_links",
    "guard_audit_block",
    "guard_audit_chain",
    "guard_audit_change",
    "guard_booking_insert",
    "guard_booking_session",
    "guard_booking_texts",
    "guard_booking_update",
    "guard_bundle_entry",
    "guard_course",
    "guard_delivery_update",
    "guard_event_change",
    "guard_hours_change",
    "guard_open_drafts",
    "guard_person_busy",
    "guard_profile_of_erased",
    "guard_review_update",
    "guard_session_insert",
    "guard_session_update",
    "index_course",
    "index_mentor",
    "index_name",
    "make_audit_partition",
    "note_active_until",
    "raise_calendar_sequence",
    "record_hold",
    "record_hold_freed",
    "record_hold_taken",
    "refuse",
    "search_prefixes",
    "search_text",
    "search_vector",
    "search_words",
    "touch",
)
# The default partition, and those of the months to come; `maintain` makes the later ones.
PARTITIONS = """
SELECT make_audit_partition(NULL);
SELECT make_audit_partition(CAST(month AS date)) FROM generate_series(
    date_trunc('month', now() AT TIME ZONE 'UTC'),
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', interval '1 month'
) AS month;
"""


def statements() -> str:
    """The revision's statements."""
    return "\n".join(
        # An exclusion constraint over an id and a range needs equality of ids in a GiST index.
        ["CREATE EXTENSION IF NOT EXISTS btree_gist;", TABLES.read_text()]
        # Functions call one another.
        + ["SET LOCAL check_function_bodies = off;"]
        + [function_sql(name, at=revision) for name in FUNCTIONS]
        + [PARTITIONS]
    )


def upgrade() -> None:
    # Of the driver: a colon is no parameter there.
    driver_of(op.get_bind()).execute(statements().encode())


def downgrade() -> None:
    tables = TABLES.read_text()
    for kind in ("TABLE", "TYPE"):
        names = re.findall(rf"^CREATE {kind} (\w+)", tables, re.MULTILINE)
        op.execute(f"DROP {kind} {', '.join(names)} CASCADE")
    op.execute(f"DROP FUNCTION IF EXISTS {', '.join(FUNCTIONS)}")
    op.execute("DROP EXTENSION btree_gist")
