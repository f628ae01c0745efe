"""Transactions as the API and the workers use them: commit, then log, count and nudge what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog
from sqlalchemy import Connection, Engine

from models.engine import autocommit
from workers.counting import count
from workflows.events.record import Nudge, Recorded, drain_recorded, flush_deferred

log = structlog.get_logger(__name__)


class TakesNudges(Protocol):
    """Whoever is told what to look at after a commit."""

    def offer(self, nudges: Iterable[Nudge]) -> None: ...


class Transactions:
    """Opens transactions that commit when their block ends well, and roll back when it raises."""

    def __init__(self, engine: Engine, nudger: TakesNudges) -> None:
        self.engine = engine
        self._nudger = nudger

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        """One transaction; everything it recorded is logged, counted and nudged after its commit, never before."""
        with self.engine.connect() as db:
            drain_recorded(db)
            try:
                with db.begin():
                    yield db
                    flush_deferred(db)
            finally:
                notes = drain_recorded(db)
            self._tell(notes)

    @contextmanager
    def each_by_itself(self) -> Iterator[Connection]:
        """A connection on which every statement commits by itself; nothing is to be recorded on it."""
        with autocommit(self.engine) as db:
            yield db

    def _tell(self, notes: Recorded) -> None:
        count(notes.events)
        for event in notes.events:
            log.info(event.type, event_id=event.id, actor=event.actor, **{f"{event.subject}_id": event.subject_id})
        self._nudger.offer(notes.nudges)
