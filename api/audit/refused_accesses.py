"""Refused accesses (403) on their way to the audit: the first of a kind at once, equal ones once a minute, counted."""

from dataclasses import replace
from threading import Lock, Timer

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from models.engine import autocommit
from workflows.audit.log import write_entries
from workflows.events.audit_entry import NewEntry
from workflows.events.record import drain_recorded

log = structlog.get_logger("api.refused_accesses")

WINDOW_SECONDS = 60.0
# Actors whose accesses are counted by subject; accesses of further actors are counted by route alone.
MAX_KINDS = 1_000

# The actor of such an entry.
SEVERAL = "several"

Kind = tuple[object, ...]


class RefusedAccesses:
    """Writes entries of refused accesses, each in a transaction of its own, and those that repeat once a minute.

    Args:
        window_seconds: after which equal ones are written as one entry with their count; None where the caller flushes.
    """

    def __init__(self, engine: Engine, *, window_seconds: float | None = WINDOW_SECONDS) -> None:
        self._engine = engine
        self._window_seconds = window_seconds
        self._lock = Lock()
        # The latest of each kind, and how many of them are still to be written.
        self._latest: dict[Kind, tuple[NewEntry, int]] = {}
        self._timer: Timer | None = None

    def note(self, entry: NewEntry) -> None:
        """Write the entry, or count it if an equal one was written within the last minute."""
        with self._lock:
            kind, entry = self._told_apart(entry)
            _earlier, waiting = self._latest.get(kind, (None, -1))
            self._latest[kind] = entry, waiting + 1
            if self._timer is None:
                self._start_timer()
        if waiting < 0 and not self._write([entry]):
            self._count_again({kind: (entry, 1)})

    def flush(self) -> None:
        """Write what was counted; a kind that did not occur in this minute is forgotten."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            waiting = {kind: latest for kind, latest in self._latest.items() if latest[1]}
            self._latest = {kind: (entry, 0) for kind, (entry, _count) in waiting.items()}
            if waiting:
                self._start_timer()
        if waiting and not self._write([replace(entry, count=count) for entry, count in waiting.values()]):
            self._count_again(waiting)

    def close(self) -> None:
        self.flush()
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _told_apart(self, entry: NewEntry) -> tuple[Kind, NewEntry]:
        origin = entry.origin
        kind = (entry.actor, entry.action, origin.method, origin.route, origin.address_hash, entry.subject_id)
        if kind in self._latest or len(self._latest) < MAX_KINDS:
            return kind, entry
        of_many = replace(entry, actor=SEVERAL, subject_id=None, origin=replace(origin, address_hash=None))
        return (SEVERAL, entry.action, origin.method, origin.route), of_many

    def _start_timer(self) -> None:
        if self._window_seconds is None:
            return
        self._timer = Timer(self._window_seconds, self.flush)
        self._timer.daemon = True
        self._timer.start()

    def _count_again(self, unwritten: dict[Kind, tuple[NewEntry, int]]) -> None:
        with self._lock:
            for kind, (entry, count) in unwritten.items():
                latest, since = self._latest.get(kind, (entry, 0))
                self._latest[kind] = latest, since + count

    def _write(self, entries: list[NewEntry]) -> bool:
        try:
            with autocommit(self._engine) as db:
                write_entries(db, entries)
                drain_recorded(db)
        except SQLAlchemyError as error:
            # They are refused all the same.
            log.warning("refused accesses not written yet", entries=len(entries), error=type(error).__name__)
            return False
        return True
