"""The chain of the audit: blocks of entries' digests, each with the hash of the block before.

`maintain` chains what is committed, so that no commit waits for it. Sequences are taken before commits, and in another
order: entries are chained up to a sequence once every transaction has ended that was running when it was noted.

A month that retention drops becomes a block, too, which names the last of the month's blocks. The chain goes on there.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, RowMapping, Text, Uuid, bindparam, cast, delete, func, insert, select

from models.audit import audit_blocks, audit_entries
from models.base import Timestamp, sql
from workflows.kernel.clock import first_id_at

BLOCK_ENTRIES = 1_000
BLOCKS_AT_ONCE = 10
MAX_ADDED = 100
DIGEST_BYTES = 32

_entry = audit_entries.c
_ENTRIES = (
    select(*(cast(column, Text).label("xid") if column.name == "xid" else column for column in _entry))
    .where(_entry.sequence > bindparam("after"), _entry.sequence <= bindparam("up_to"))
    .order_by(_entry.sequence)
)
NEXT_ENTRIES = _ENTRIES.limit(BLOCK_ENTRIES)
_NEXT_BLOCKS = (
    select(audit_blocks).where(audit_blocks.c.number > bindparam("after")).order_by(audit_blocks.c.number)
).limit(BLOCKS_AT_ONCE)
_LINK = ("number", "up_to", "hash", "month")
_DROPPED = ("dropped_number", "dropped_up_to", "dropped_hash", "dropped_month")
_BLOCKS = select(*audit_blocks.c[_LINK])
_LAST_BLOCK = _BLOCKS.order_by(audit_blocks.c.number.desc()).limit(1)
_LAST_DROPPED = (
    select(*(audit_blocks.c[name].label(label) for name, label in zip(_DROPPED, _LINK, strict=True)))
    .where(audit_blocks.c.dropped_month.is_not(None))
    .order_by(audit_blocks.c.number.desc())
    .limit(1)
)
_BLOCK = _BLOCKS.where(audit_blocks.c.number == bindparam("number"))
_TAKE = sql("SELECT FROM audit_chain FOR UPDATE SKIP LOCKED")
# The horizon of another cluster, from which a dump was restored, may lie above all transactions of this one. So would
# the horizon of a process that has just committed, if the row were taken in the same statement.
_TAKEN = sql("""
SELECT noted, checked, number, hash,
       horizon <= pg_snapshot_xmin(s) OR horizon > pg_snapshot_xmax(s) AS settled
FROM audit_chain, pg_current_snapshot() AS s
""")
# An insert would wait for another process that holds the row.
_BEGIN = sql("INSERT INTO audit_chain SELECT WHERE NOT EXISTS (SELECT FROM audit_chain) ON CONFLICT DO NOTHING")
_LATEST = sql("SELECT coalesce(max(sequence), 0) FROM audit_entries")
_NOTE = sql("UPDATE audit_chain SET noted = greatest(noted, :latest), horizon = pg_current_xact_id()")
# Where the row says another end than the chain has, it stays so: that shows what was cut off.
_END = sql(
    "UPDATE audit_chain SET number = :number, hash = :hash WHERE :drops OR number = :before AND hash = :previous"
)
_CHECKED = sql("UPDATE audit_chain SET checked = :checked")
OLDEST_UNCHAINED = sql(
    "SELECT created_at FROM audit_entries WHERE sequence > :after ORDER BY sequence LIMIT 1"
).columns(created_at=Timestamp)
_BEFORE_CHAIN = sql(
    "SELECT id FROM audit_entries WHERE sequence <= :up_to AND id >= :kept_from ORDER BY sequence LIMIT :limit"
).bindparams(bindparam("kept_from", type_=Uuid))
_KNOWN_HASH = sql("SELECT EXISTS (SELECT FROM audit_blocks WHERE :hash IN (hash, dropped_hash))")
_STATE = sql(
    "SELECT noted, checked, number, hash, pg_sequence_last_value('audit_entries_sequence_seq') AS numbered"
    " FROM audit_chain"
)
_MISSING_GUARDS = sql("""
WITH guards (relid, name) AS (
    SELECT relid, unnest(ARRAY['tr_audit_entries_change', 'tr_audit_entries_truncate'])
    FROM pg_partition_tree('audit_entries')
    UNION ALL SELECT 'audit_blocks'::regclass, unnest(ARRAY['tr_audit_blocks_change', 'tr_audit_blocks_chain'])
    UNION ALL SELECT 'audit_chain'::regclass, unnest(ARRAY['tr_audit_chain_change', 'tr_audit_chain_truncate'])
)
SELECT relid::text AS table_name, name FROM guards
WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relid AND tgname = name AND tgenabled IN ('O', 'A'))
ORDER BY 1, 2
""")


@dataclass(frozen=True)
class Link:
    """The end of the chain after a block: its number and hash, and the sequence up to which entries are chained."""

    number: int
    up_to: int
    hash: bytes
    month: date


BEGINNING = Link(0, 0, bytes(DIGEST_BYTES), date.min)


@dataclass(frozen=True)
class Problem:
    """A problem of an entry, or of a block where the chain itself was changed."""

    sentence: str
    block: int
    entry_id: UUID | None = None


@dataclass(frozen=True)
class Verification:
    """The result of a check: how many entries and blocks were checked, and where the chain ends."""

    entries: int
    blocks: int
    problems: list[Problem]
    end: Link
    unchained: datetime | None  # the oldest entry that is not chained yet; None where all are


def chain_entries(db: Connection) -> bool:
    """Chain a block of entries, and then note up to where the next ones may be; returns whether there are more.

    Call it at the beginning of a transaction.
    """
    # Before this transaction gets its id: entries of lower numbers are of transactions of lower ids. A snapshot ends
    # with the latest transaction that has ended, and knows nothing of those that have begun since and still run.
    latest = db.scalar(_LATEST)
    state = take_chain(db)
    if state is None:
        return False
    end = end_of_chain(db)
    if state.noted > end.up_to:
        if not state.settled:
            return False
        entries = db.execute(NEXT_ENTRIES, {"after": end.up_to, "up_to": state.noted}).mappings().all()
        if entries:
            _append(db, end, entries)
            if entries[-1]["sequence"] < state.noted:
                return True
    db.execute(_NOTE, {"latest": latest})
    return False


def end_of_chain(db: Connection) -> Link:
    row = db.execute(_LAST_BLOCK).one_or_none()
    return _link(row) if row else beginning_of_chain(db)


def beginning_of_chain(db: Connection) -> Link:
    """The last block of what was dropped, from which the kept blocks go on."""
    row = db.execute(_LAST_DROPPED).one_or_none()
    return _link(row) if row else BEGINNING


def oldest_unchained(db: Connection) -> datetime | None:
    """When the oldest entry was written that is not chained yet; None where all are."""
    found: datetime | None = db.execute(OLDEST_UNCHAINED, {"after": end_of_chain(db).up_to}).scalar()
    return found


def append_drop(db: Connection, month: date, *, now: datetime) -> None:
    """Replace all blocks up to a month, whose entries are being dropped, by one block; called after `take_chain`."""
    block = audit_blocks.c
    last = db.execute(_BLOCKS.where(block.month <= month).order_by(block.number.desc()).limit(1)).one_or_none()
    entries = select(func.coalesce(func.sum(func.cardinality(block.entry_ids)), 0)).where(block.month <= month)
    dropped = _link(last) if last else beginning_of_chain(db)
    _add(
        db,
        end_of_chain(db),
        month=now.date().replace(day=1),
        dropped={
            "dropped_month": month,
            "dropped_number": dropped.number,
            "dropped_up_to": dropped.up_to,
            "dropped_hash": dropped.hash,
            "dropped_entries": db.scalar(entries),
        },
    )
    db.execute(delete(audit_blocks).where(block.month <= month))


def verify(db: Connection, *, kept_since: date) -> Verification:
    """Check every block and every entry in one snapshot: the caller's transaction is REPEATABLE READ.

    Args:
        kept_since: the first month that retention cannot have dropped, by `oldest_kept`.
    """
    link = beginning_of_chain(db)
    entries, blocks = 0, 0
    problems = [
        Problem("The entry was added to what is chained.", link.number, id)
        for id in db.scalars(_BEFORE_CHAIN, {"up_to": link.up_to, "kept_from": _kept_from(link), "limit": MAX_ADDED})
    ]
    problems += check_state(db)
    while (page := check_blocks(db, link, kept_since)) is not None:
        link = page.end
        entries, blocks = entries + page.entries, blocks + page.blocks
        problems += page.problems
    return Verification(entries, blocks, problems, link, oldest_unchained(db))


def check_next_blocks(db: Connection, *, kept_since: date) -> list[Problem]:
    """Check the next blocks, after the last one the first again; arguments as of `verify`."""
    state = take_chain(db)
    if state is None:
        return []
    problems = check_state(db)
    beginning = beginning_of_chain(db)
    row = db.execute(_BLOCK, {"number": state.checked}).one_or_none() if state.checked > beginning.number else None
    page = check_blocks(db, _link(row) if row else beginning, kept_since)
    db.execute(_CHECKED, {"checked": page.end.number if page else 0})
    return problems + (page.problems if page else [])


def check_state(db: Connection) -> list[Problem]:
    """Check that the chain ends where it was last written, and that no table lacks a guard."""
    end = end_of_chain(db)
    problems = [
        Problem(f"The guard {guard.name} of {guard.table_name} is missing or switched off.", end.number)
        for guard in db.execute(_MISSING_GUARDS)
    ]
    state = db.execute(_STATE).one_or_none()
    if state is None:
        return [*problems, Problem("The state of the chain was removed.", end.number)] if end.number else problems
    if (state.number, state.hash) != (end.number, end.hash):
        sentence = (
            f"The chain does not end with block {state.number} as it was written: its end was cut off or changed."
        )
        problems.append(Problem(sentence, end.number))
    if not (end.up_to <= state.noted <= (state.numbered or 0) and state.checked <= state.number):
        problems.append(Problem("The state of the chain was changed.", end.number))
    return problems


def check_blocks(db: Connection, before: Link, kept_since: date) -> Verification | None:
    """Check the next blocks, and their entries; None where there are no more.

    Args:
        before: the end of what was checked before.
    """
    blocks = db.execute(_NEXT_BLOCKS, {"after": before.number}).all()
    if not blocks:
        return None
    kept_from = _kept_from(beginning_of_chain(db))
    covered = {"after": before.up_to, "up_to": max(block.up_to for block in blocks)}
    found = iter(db.execute(_ENTRIES, covered).mappings().all())
    problems: list[Problem] = []
    entries, waiting = 0, next(found, None)
    for block in blocks:
        present: dict[UUID, bytes] = {}
        while waiting is not None and waiting["sequence"] <= block.up_to:
            present[waiting["id"]] = digest_of(waiting)
            waiting = next(found, None)
        problems += _problems_of(block, before, present, kept_from)
        if block.dropped_month is not None and block.dropped_month >= kept_since:
            sentence = f"The month {block.dropped_month:%Y-%m} was dropped before it was old enough."
            problems.append(Problem(sentence, block.number))
        entries += len(present)
        before = _link(block)
    return Verification(entries, len(blocks), problems, before, None)


def is_known_hash(db: Connection, value: bytes) -> bool:
    """Whether the chain has, or had in a dropped month's end, a block of that hash."""
    return bool(db.scalar(_KNOWN_HASH, {"hash": value}))


def digest_of(entry: RowMapping) -> bytes:
    """The digest of an entry: of everything that it holds. Columns that are null count for nothing."""
    held = {name: _as_json(value) for name, value in entry.items() if value is not None}
    return sha256(json.dumps(held, sort_keys=True, separators=(",", ":")).encode()).digest()


def month_of(id: UUID) -> date:
    """The month, in UTC, in which a UUIDv7 was made."""
    milliseconds = id.int >> 80
    # A malformed id may stand for a time beyond all calendars.
    try:
        return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)).date().replace(day=1)
    except OverflowError:
        return date.max.replace(day=1)


def first_id_of(month: date) -> UUID:
    """Lower bound of the ids of entries that were made in a month, or later."""
    return first_id_at(datetime(month.year, month.month, 1, tzinfo=UTC))


def oldest_kept(now: datetime, keep_days: int) -> date:
    """The first month with an entry younger than `keep_days`, which retention keeps; 0 keeps every month."""
    return (now - timedelta(days=keep_days)).date().replace(day=1) if keep_days else date.min


def following(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=31)).replace(day=1)


def take_chain(db: Connection) -> Row[Any] | None:
    """Lock the chain until the transaction ends, and return its state; None where another process holds it."""
    if db.execute(_TAKE).one_or_none() is None:
        db.execute(_BEGIN)
        if db.execute(_TAKE).one_or_none() is None:
            return None
    return db.execute(_TAKEN).one()


def _append(db: Connection, end: Link, entries: Any) -> None:
    ids = [entry["id"] for entry in entries]
    digests = b"".join(digest_of(entry) for entry in entries)
    _add(db, end, month=max(map(month_of, ids)), up_to=entries[-1]["sequence"], entry_ids=ids, digests=digests)


def _add(db: Connection, end: Link, *, month: date, dropped: Mapping[str, Any] | None = None, **content: Any) -> None:
    block = {"number": end.number + 1, "up_to": end.up_to, "previous": end.hash, "entry_ids": [], "digests": b""}
    block |= {"month": max(end.month, month), **content, **(dropped or {})}
    block["hash"] = _hash(block)
    db.execute(insert(audit_blocks).values(block))
    values = {name: block[name] for name in ("number", "hash", "previous")}
    db.execute(_END, {**values, "before": end.number, "drops": dropped is not None})


def _problems_of(block: Row[Any], before: Link, present: dict[UUID, bytes], kept_from: UUID) -> Iterator[Problem]:
    number = block.number
    if number != before.number + 1:
        yield Problem(f"The blocks from {before.number + 1} on were removed.", number)
    elif block.previous != before.hash:
        yield Problem("The block before it was changed.", number)
    if block.hash != _hash(block._asdict()):
        yield Problem("The block was changed.", number)
    digests: Callable[[int], bytes] = lambda place: block.digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]  # noqa: E731
    for place, id in enumerate(block.entry_ids):
        if id in present:
            if present[id] != digests(place):
                yield Problem("The entry was changed.", number, id)
        elif id >= kept_from:
            # Older entries were dropped with the partition of their month.
            yield Problem("The entry was removed.", number, id)
    for id in present.keys() - set(block.entry_ids):
        yield Problem("The entry was added to what is chained.", number, id)


def _link(row: Row[Any]) -> Link:
    return Link(row.number, row.up_to, row.hash, row.month)


def _kept_from(beginning: Link) -> UUID:
    return first_id_of(following(beginning.month))


def _hash(block: Mapping[str, Any]) -> bytes:
    ids = b"".join(id.bytes for id in block["entry_ids"])
    head = _numbers(block["number"], block["up_to"], len(block["entry_ids"]))
    covered = block["previous"] + head + ids + block["digests"]
    if block.get("dropped_month") is not None:
        numbers = _numbers(block["dropped_number"], block["dropped_up_to"], block["dropped_entries"])
        covered += block["dropped_month"].isoformat().encode() + numbers + block["dropped_hash"]
    return sha256(covered).digest()


def _numbers(*numbers: int) -> bytes:
    return b"".join(int(number).to_bytes(8, "big") for number in numbers)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value) if isinstance(value, UUID) else value
