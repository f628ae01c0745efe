"""The audit log of what operators did, and why: its entries, and how they are written and listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, insert
from uuid_utils.compat import uuid7

from models.audit import audit_entries
from workflows.identity.actor import Actor
from workflows.paging import NEWEST_FIRST, Page, PagedList
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Record):
    """Who did what to which subject, and why."""

    table = audit_entries

    id: UUID
    actor: str
    action: str
    subject_type: str
    subject_id: UUID
    reason: str | None
    data: dict[str, Any]
    occurred_at: datetime


def entries_query(
    page: Page, *, actor: str | None = None, action: str | None = None, subject_id: UUID | None = None
) -> Select[Any]:
    """The entries, the newest first; of one actor, one action or one subject where these are given."""
    query = AuditEntry.query()
    for column, wanted in (
        (audit_entries.c.actor, actor),
        (audit_entries.c.action, action),
        (audit_entries.c.subject_id, subject_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return NEWEST_FIRST.select_page(query, page, audit_entries.c.id)


AUDIT_ENTRIES = PagedList(AuditEntry, NEWEST_FIRST, entries_query)


def write_audit_entry(
    db: Connection,
    *,
    actor: Actor,
    action: str,
    subject: tuple[str, UUID],
    reason: str | None = None,
    data: dict[str, Any] | None = None,
    now: datetime,
) -> None:
    """Write an entry in the transaction of the change itself; it is never changed and never deleted.

    Args:
        action: what was done, as `subject.past` such as `review.hidden`; a stable name, since people filter by it.
        subject: the kind and the id of what it was done to.
        reason: as the actor gave it.
        data: further details as JSON; ids rather than names.
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
