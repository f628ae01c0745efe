"""An entry of the audit, and how to find entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select

from models.audit import audit_entries
from workflows.paging import NEWEST_FIRST, Page, PagedList, newest_first
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
    """The audit, the newest entry first; or what one actor did, what was done in one way, or to one subject."""
    query = AuditEntry.query()
    for column, wanted in (
        (audit_entries.c.actor, actor),
        (audit_entries.c.action, action),
        (audit_entries.c.subject_id, subject_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return newest_first(query, page, audit_entries.c.id)


AUDIT_ENTRIES = PagedList(AuditEntry, NEWEST_FIRST, entries_query)
