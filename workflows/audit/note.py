"""Note in the audit what an operator does: in the transaction of the change itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert
from uuid_utils.compat import uuid7

from models.audit import audit_entries
from workflows.identity.actor import Actor


def note(
    db: Connection,
    *,
    actor: Actor,
    action: str,
    subject: tuple[str, UUID],
    reason: str | None = None,
    data: dict[str, Any] | None = None,
    now: datetime,
) -> None:
    """Write an entry; it is never changed and never deleted.

    Args:
        action: what was done, as `subject.past` such as `review.hidden`; a stable name, since people filter by it.
        subject: the kind and the id of what it was done to.
        reason: the actor's own words.
        data: what else is worth keeping, as JSON can hold it; ids rather than names.
    """
    subject_type, subject_id = subject
    db.execute(
        insert(audit_entries).values(
            id=uuid7(),
            actor=actor.name,
            action=action,
            subject_type=subject_type,
            subject_id=subject_id,
            reason=reason,
            data=data or {},
            occurred_at=now,
        )
    )
