"""Positions of checks that go through everything again and again: one row a check, kept across restarts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from models.base import sql

FIRST_ID = UUID(int=0)
LAST_ID = UUID(int=2**128 - 1)

_TAKE = sql("SELECT moment, id FROM maintenance_cursors WHERE name = :name FOR UPDATE SKIP LOCKED")
# An insert would wait for another process that holds the row.
_EXISTS = sql("SELECT FROM maintenance_cursors WHERE name = :name")
_BEGIN = sql("INSERT INTO maintenance_cursors (name, moment) VALUES (:name, :moment) ON CONFLICT DO NOTHING")
_MOVE = sql("UPDATE maintenance_cursors SET moment = :moment, id = :id WHERE name = :name")
_LATEST = sql("SELECT max(moment) FROM maintenance_cursors WHERE starts_with(name, :prefix)")


@dataclass(frozen=True)
class Cursor:
    """Up to a moment, and of that moment up to an id."""

    moment: datetime
    id: UUID


def take_cursor(db: Connection, name: str, begin: datetime) -> Cursor | None:
    """Where to go on, held until the transaction ends; None while another process is at it.

    Args:
        begin: where to begin the first time.
    """
    row = db.execute(_TAKE, {"name": name}).one_or_none()
    if row is None and db.execute(_EXISTS, {"name": name}).one_or_none() is None:
        db.execute(_BEGIN, {"name": name, "moment": begin})
        row = db.execute(_TAKE, {"name": name}).one_or_none()
    return Cursor(row.moment, row.id) if row else None


def move_cursor(db: Connection, name: str, moment: datetime, id: UUID = FIRST_ID) -> None:
    """Go on from there the next time; the caller holds the cursor."""
    db.execute(_MOVE, {"name": name, "moment": moment, "id": id})


def latest_moment(db: Connection, prefix: str) -> datetime | None:
    """The latest moment of the cursors whose names begin with `prefix`; None without any."""
    found: datetime | None = db.execute(_LATEST, {"prefix": prefix}).scalar_one()
    return found
