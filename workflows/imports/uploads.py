"""Imports: stored as they are uploaded, in encrypted chunks of lines, and carried out chunk by chunk.

Each chunk is one transaction, which deletes it: after a crash, the next worker goes on with the first one that is left.
One chunk of all imports runs at a time, so that two uploads of one file make nothing twice. A dry run reads everything
at once and writes nothing but its result.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError, IntegrityError
from uuid_utils.compat import uuid7

from models.base import sql
from models.imports import MAX_ERRORS, import_chunks, imports
from workflows.events.delivery import Cancel
from workflows.events.event_types import ImportContinued
from workflows.events.record import record, savepoint
from workflows.events.status import is_given_up
from workflows.identity.access import require_operator
from workflows.identity.actor import Actor
from workflows.imports.history import carry_bookings, carry_bundles, carry_reviews
from workflows.imports.lines import TYPES, Line, read_line
from workflows.imports.offers import COURSE, LISTING, MENTOR, PRODUCT, USER, Kind, carry_hours, carry_rows
from workflows.imports.work import Results, Work
from workflows.kernel.constraints import constraint_of, error_of
from workflows.kernel.errors import DomainError, Invalid
from workflows.kernel.expired import ExpiredRows
from workflows.kernel.locks import lock_name
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.kernel.records import Record

MAX_CHUNK_LINES = 200
Refusal = dict[str, Any]  # `line`, `code` and `message`


def _rows(kind: Kind) -> Callable[[Work, Sequence[Line]], Results]:
    return lambda work, lines: carry_rows(work, kind, lines)


CARRY: Mapping[str, Callable[[Work, Sequence[Line]], Results]] = {
    "user": _rows(USER),
    "course": _rows(COURSE),
    "mentor": _rows(MENTOR),
    "product": _rows(PRODUCT),
    "listing": _rows(LISTING),
    "hours": carry_hours,
    "booking": carry_bookings,
    "bundle": carry_bundles,
    "review": carry_reviews,
}
_NEXT_CHUNK = sql(
    "SELECT number, type, sealed FROM import_chunks WHERE import_id = :import_id AND number > :number"
    " ORDER BY number LIMIT 1"
)
_DELETE_CHUNKS = sql("DELETE FROM import_chunks WHERE import_id = :import_id AND number <= :number")
_COUNT = sql("""
UPDATE imports SET created = created + :created, updated = updated + :updated, unchanged = unchanged + :unchanged,
    refused = refused + :refused, errors = errors || :errors,
    finished_at = CASE WHEN :is_finished THEN CAST(:now AS timestamptz) END
WHERE id = :id
""").bindparams(bindparam("errors", type_=JSONB))
forget_imports = ExpiredRows("imports", "expires_at < now()", order="expires_at")


class ImportStatus(StrEnum):
    """How far an import is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # until an operator retries its delivery


@dataclass(frozen=True, kw_only=True)
class Import(Record):
    """An import with what came of its lines by now."""

    table = imports

    id: UUID
    dry_run: bool
    notify: bool
    lines: int
    created: int
    updated: int
    unchanged: int
    refused: int
    errors: list[Refusal]
    finished_at: datetime | None
    created_at: datetime
    is_stuck: bool = False
    version: int = 1

    @property
    def status(self) -> ImportStatus:
        if self.finished_at is not None:
            return ImportStatus.DONE
        return ImportStatus.FAILED if self.is_stuck else ImportStatus.RUNNING


def import_query(import_id: UUID) -> Select[Any]:
    return Import.query().add_columns(is_given_up(imports.c.id).label("is_stuck")).where(imports.c.id == import_id)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file as it was read: its lines by type, each with its number and its JSON, and those that are no lines."""

    by_type: Mapping[str, Sequence[tuple[int, str]]]
    repeated: int  # lines that the file has already, word for word
    refused: int
    refusals: Sequence[Refusal]  # the first of them

    @property
    def lines(self) -> int:
        return sum(map(len, self.by_type.values())) + self.repeated + self.refused


def refusal_of(number: int, refused: DomainError) -> Refusal:
    # The other line of the file, where it has one external id twice.
    other = (refused.details or {}).get("line", [])
    return {"line": number, "code": refused.code, "message": " ".join([refused.message, *other])}


def start_import(
    db: Connection,
    *,
    actor: Actor,
    upload: Upload,
    dry_run: bool,
    notify: bool,
    seal: Callable[[str], str],
    now: datetime,
) -> Import:
    """Store an upload, to be carried out by a worker.

    Args:
        notify: whether people and webhooks hear of sessions that lie ahead, of bundles and of reviews.
        seal: encrypts lines for storage.

    Raises:
        Forbidden: the caller is no operator.
    """
    require_operator(actor, "Only an operator can import.")
    import_id = uuid7()
    chunks = [(kind, first) for kind in TYPES for first in range(0, len(upload.by_type.get(kind, ())), MAX_CHUNK_LINES)]
    values = {
        "id": import_id,
        "actor": actor.name,
        "dry_run": dry_run,
        "notify": notify,
        "lines": upload.lines,
        "unchanged": upload.repeated,
        "refused": upload.refused,
        "errors": list(upload.refusals),
        "finished_at": None if chunks else now,
    }
    row = db.execute(insert(imports).values(values).returning(*Import.columns())).one()
    for number, (kind, first) in enumerate(chunks):
        lines = json.dumps(upload.by_type[kind][first : first + MAX_CHUNK_LINES], ensure_ascii=False)
        chunk = {"import_id": import_id, "number": number, "type": kind, "sealed": seal(lines)}
        db.execute(insert(import_chunks), chunk)
    record(db, ImportContinued(actor=actor.name, occurred_at=now, import_id=import_id))
    return Import.of(row)


def carry_on(db: Connection, import_id: UUID, *, policy: OperatorPolicy, now: datetime) -> bool:
    """Carry out the next chunk of an import, or a whole dry run; returns whether there is more to do.

    Raises:
        Cancel: there is no such import any longer.
    """
    query = select(imports).where(imports.c.id == import_id)
    found = db.execute(query).one_or_none()
    if found is not None and not found.dry_run:
        lock_name(db, "imports")
    # In a statement of its own: its snapshot must be younger than the lock.
    found = db.execute(query.with_for_update()).one_or_none()
    if found is None:
        raise Cancel("The import has been deleted.")
    if found.finished_at is not None:
        return False
    work = Work(
        db=db,
        import_id=import_id,
        actor=Actor(name=found.actor, operator=True),
        notify=found.notify,
        dry_run=found.dry_run,
        policy=policy,
        now=now,
    )
    chunk = db.execute(_NEXT_CHUNK, {"import_id": import_id, "number": -1}).one()
    results: Results = {}
    while True:
        results |= _carry_chunk(work, chunk)
        following = db.execute(_NEXT_CHUNK, {"import_id": import_id, "number": chunk.number}).one_or_none()
        if following is None or not work.dry_run:
            break
        chunk = following
    db.execute(_DELETE_CHUNKS, {"import_id": import_id, "number": chunk.number})
    _count(db, found, results, is_finished=following is None, now=now)
    if following is not None:
        record(db, ImportContinued(actor=found.actor, occurred_at=now, import_id=import_id))
    return following is not None


def _carry_chunk(work: Work, chunk: Any) -> Results:
    results: Results = {}
    lines = []
    for number, line in json.loads(work.policy.unseal(chunk.sealed)):
        try:
            lines.append(read_line(number, json.loads(line)))
        except Invalid as refusal:
            results[number] = refusal
    return results | (_attempt(work, CARRY[chunk.type], lines) if lines else {})


def _attempt(work: Work, carry: Callable[[Work, Sequence[Line]], Results], lines: Sequence[Line]) -> Results:
    """Carry out lines together; where the database refuses one of them, each half of them alone."""
    if work.dry_run:
        return carry(work, lines)
    # The rows themselves tell, from the next statement on.
    work.taken.clear()
    work.unique.clear()
    try:
        with savepoint(work.db):
            return carry(work, lines)
    except (IntegrityError, DataError) as error:
        if len(lines) == 1:
            return {lines[0].number: _meaning_of(error)}
    half = len(lines) // 2
    halves = map(partial(_attempt, work, carry), (lines[:half], lines[half:]))
    return {number: result for results in halves for number, result in results.items()}


def _meaning_of(error: IntegrityError | DataError) -> DomainError:
    known = error_of(error)
    return known or Invalid(f"The line breaks a rule of the database: {constraint_of(error) or 'a value is no value'}.")


def _count(db: Connection, found: Any, results: Results, *, is_finished: bool, now: datetime) -> None:
    counts = Counter(result for result in results.values() if isinstance(result, str))
    refusals = [
        refusal_of(number, result) for number, result in sorted(results.items()) if isinstance(result, DomainError)
    ]
    room = MAX_ERRORS - len(found.errors)
    values = {name: counts[name] for name in ("created", "updated", "unchanged")}
    kept = {"errors": refusals[:room], "refused": len(refusals)}
    db.execute(_COUNT, {"id": found.id, **values, **kept, "is_finished": is_finished, "now": now})
