"""Links in mails, of which each holds the version that its user's links had when it was mailed.

Raising the version ends every link that was mailed before: a trigger raises it when the mail address changes, so that a
former mailbox cannot act for its former owner.
"""

from uuid import UUID

from sqlalchemy import Connection

from models.base import sql
from workflows.accounts.email_change import withdraw_email_change
from workflows.kernel.errors import Blocked
from workflows.kernel.locks import lock_against_links

_VALID = "SELECT id, blocked_at FROM users WHERE id = :user_id AND erased_at IS NULL AND links_version = :version"
VALID_LINKS = sql(_VALID)
# Ending links takes the row's exclusive lock: it waits for actions by links under way, and no later one is valid. KEY
# SHARE lets bookings of the person go on, which lock the row after the mentor's.
VALID_LINKS_LOCKED = sql(f"{_VALID} FOR KEY SHARE")
END_LINKS = sql("UPDATE users SET links_version = links_version + 1 WHERE id = :user_id")


def are_links_valid(db: Connection, user_id: UUID, links_version: int | None, *, lock: bool = False) -> bool:
    """Whether links of that version are their user's present ones.

    Args:
        lock: whether they are to stay so until the end of the transaction.

    Raises:
        Blocked: the user is blocked.
    """
    statement = VALID_LINKS_LOCKED if lock else VALID_LINKS
    found = db.execute(statement, {"user_id": user_id, "version": links_version}).one_or_none()
    if found is not None and found.blocked_at is not None:
        raise Blocked(code="blocked")
    return found is not None


def end_links(db: Connection, user_id: UUID) -> None:
    """End every link that was mailed to a user, and withdraw the change of an address that a link would confirm."""
    lock_against_links(db, user_id)
    db.execute(END_LINKS, {"user_id": user_id})
    withdraw_email_change(db, user_id)
