"""The audit log: writing entries in the transaction of the change, and reading them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, bindparam, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from models.audit import audit_entries
from models.base import sql
from models.prepared import PreparedStatement
from workflows.events.audit_entry import INSERT_ENTRIES, NOWHERE, OK, NewEntry
from workflows.events.record import recorded
from workflows.identity.actor import Actor
from workflows.kernel.clock import first_id_at
from workflows.kernel.paging import PagedList, narrowed
from workflows.kernel.records import Record

# An entry's id is made when it is written: after what it is about, by less than this.
WRITTEN_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Record):
    """An entry of the audit; `result` is `ok` or the code of the refusal."""

    table = audit_entries

    id: UUID
    occurred_at: datetime
    actor: str
    action: str
    subject_type: str | None
    subject_id: UUID | None
    result: str
    method: str | None
    route: str | None
    address_hash: bytes | None
    request_id: str | None
    reason: str | None
    data: dict[str, Any]
    count: int


_WRITE = PreparedStatement(
    sql(f"{INSERT_ENTRIES} RETURNING id").bindparams(bindparam("entries", type_=JSONB)).columns(audit_entries.c.id)
)


def entries_query(
    *,
    refused: bool | None = None,
    from_time: datetime | None = None,
    from_id: UUID | None = None,
    to_time: datetime | None = None,
    to_id: UUID | None = None,
) -> Select[Any]:
    """The entries that fit all filters; arguments as of `filters_of`."""
    entry = audit_entries.c
    query = AuditEntry.query()
    if refused is not None:
        # A literal, which shows that the index of refusals is enough.
        ok: ColumnElement[str] = literal_column(f"'{OK}'")
        query = query.where(entry.result != ok if refused else entry.result == ok)
    return narrowed(
        query,
        (from_time, lambda: entry.occurred_at >= from_time),
        (from_id, lambda: entry.id >= from_id),
        (to_time, lambda: entry.occurred_at < to_time),
        (to_id, lambda: entry.id < to_id),
    )


AUDIT_ENTRIES = PagedList(AuditEntry, rows=entries_query, equal=("actor", "action", "subject_id", "result"))


def filters_of(
    *, result: str | None = None, from_time: datetime | None = None, to_time: datetime | None = None, **others: Any
) -> dict[str, Any]:
    """The filters of AUDIT_ENTRIES for what a caller asks for.

    Args:
        result: `ok`, or the code of refusals.
        from_time: in UTC, included; `to_time` is excluded.
        others: `actor`, `action` and `subject_id`.
    """
    return {
        **others,
        "refused": None if result is None else result != OK,
        "result": None if result == OK else result,
        "from_time": from_time,
        "from_id": from_time and first_id_at(from_time),
        "to_time": to_time,
        "to_id": to_time and first_id_at(to_time + WRITTEN_WITHIN),
    }


def write_entries(db: Connection, entries: Iterable[NewEntry]) -> None:
    """Write entries in this transaction; they are never changed and never deleted."""
    written = list(entries)
    _WRITE.all(db, {"entries": [entry.as_json() for entry in written]})
    recorded(db).audited += written


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
    """Write an entry in the transaction of the change itself; the request then writes none.

    Args:
        subject: the kind and the id of what it was done to.
    """
    subject_type, subject_id = subject
    entry = NewEntry(
        origin=recorded(db).origin or NOWHERE,
        occurred_at=now,
        actor=actor.name,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        reason=reason,
        data=data,
    )
    write_entries(db, [entry])
