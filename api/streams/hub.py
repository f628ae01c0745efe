"""The changes that live updates hand on: the latest are kept, and each is given to the streams that it concerns.

One loop reads committed changes a few times a second. What is kept lets a client that comes back with `Last-Event-ID`
get what it missed. An id is a position in the order of all changes, or what a snapshot had seen; it holds across
restarts and across processes.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.auth import Authenticator
from api.rate_limits import RateLimits
from config.settings import Settings
from workflows.changes import Change, Position, Snapshot, changes_after, horizon_of, latest_changes

log = structlog.get_logger("api.streams")

POLL_SECONDS = 0.25
HEARTBEAT_SECONDS = 15.0
MAX_KEPT = 10_000
MAX_PENDING = 1_000
PAGE = 1_000
READERS = 4  # threads, and connections to the database
LAST_SEQUENCE = 2**63 - 1
BEGINNING: Position = (0, 0)

# What an id stands for: a position, and beyond it what a snapshot had seen.
Point = tuple[Position, Snapshot | None]

T = TypeVar("T")
Reader = Callable[[Connection], T]


class Hub:
    """The changes that are kept, and the streams that wait for more.

    Args:
        kept: how many changes can be resumed from.
        page: how many changes it reads at a time.
        poll_seconds: how long it waits between two looks at the database.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        kept: int = MAX_KEPT,
        page: int = PAGE,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.settings = settings
        self.authenticator = Authenticator(settings)
        self.rate_limits = RateLimits(settings)
        self.streams: Counter[UUID | str] = Counter()
        self._engine = engine
        self._page, self._poll_seconds = page, poll_seconds
        self._kept: deque[Change] = deque(maxlen=kept)
        self._whole = True
        self._horizon = 0
        self._more = False
        self._waiting: dict[UUID, set[Stream]] = {}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="stream reader")

    async def read(self, reader: Reader[T], *, consistent: bool = False) -> T:
        """Run a reader in a transaction, in another thread.

        Args:
            consistent: whether all its statements see the same.
        """
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, reader, consistent)

    async def call(self, work: Callable[[], T]) -> T:
        """Run what may wait for a server in another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def _read(self, reader: Reader[T], consistent: bool) -> T:
        with self._engine.connect() as db:
            if consistent:
                db.execution_options(isolation_level="REPEATABLE READ")
            return reader(db)

    async def start(self) -> None:
        """Load what can be resumed from; to be called before the first stream."""
        self._begin(*await self.read(self._load, consistent=True))

    def _begin(self, horizon: int, changes: list[Change]) -> None:
        self._horizon, self._more = horizon, False
        self._whole = len(changes) < (self._kept.maxlen or 0)
        self._kept.clear()
        self._kept.extend(changes)

    async def follow(self) -> None:
        """Hand on committed changes until it is cancelled."""
        while True:
            try:
                while await self._look():
                    pass
            except SQLAlchemyError as error:
                log.warning("streams.no_database", error=str(error.__cause__ or error))
            await asyncio.sleep(self._poll_seconds)

    async def _look(self) -> bool:
        horizon, changes = await self.read(self._next)
        if len(changes) == self._page and not self._waiting:
            # Far behind, and no stream waits for each of the changes: the latest are enough.
            latest = await self.read(self._load, consistent=True)
            if not self._waiting:
                self._begin(*latest)
                return False
        self._horizon = max(self._horizon, horizon)
        self._whole = self._whole and len(self._kept) + len(changes) <= (self._kept.maxlen or 0)
        self._kept.extend(changes)
        for change in changes:
            for key in {change.mentor_profile_id, *change.mentee_user_ids}:
                for stream in self._waiting.get(key, ()):
                    stream.take(change)
        self._more = len(changes) == self._page
        return self._more

    def _load(self, db: Connection) -> tuple[int, list[Change]]:
        return horizon_of(db), latest_changes(db, self._kept.maxlen or 0)

    def _next(self, db: Connection) -> tuple[int, list[Change]]:
        horizon = horizon_of(db)
        # Nothing has ended since: a system at rest costs one small statement a look.
        return horizon, changes_after(db, self.position, self._page) if horizon > self._horizon or self._more else []

    @property
    def position(self) -> Position:
        """Of the last change that was handed on."""
        return self._kept[-1].position if self._kept else BEGINNING

    def join(self, stream: Stream) -> None:
        """Let a stream take changes from now on."""
        for key in stream.keys:
            self._waiting.setdefault(key, set()).add(stream)

    def leave(self, stream: Stream) -> None:
        """Hand nothing more to a stream."""
        for key in stream.keys:
            self._waiting[key].discard(stream)
            if not self._waiting[key]:
                del self._waiting[key]

    async def knows(self, position: Position) -> bool:
        """Whether a position was given out, by this process or another one, which may have looked later than this."""
        return position[0] <= self._horizon or position[0] <= await self.read(horizon_of)

    def missed_since(self, position: Position, stream: Stream) -> list[Change] | None:
        """What concerns a stream after a position; None where that is no longer kept."""
        oldest = self._kept[0].position if self._kept else BEGINNING
        if not (self._whole or position >= oldest):
            return None
        return [change for change in self._kept if stream.concerns(change)]


class Stream:
    """One open connection: the changes that wait to be written to it."""

    def __init__(self, keys: set[UUID], types: tuple[str, ...]) -> None:
        self.keys = keys
        self._types = frozenset(types)
        self._after = BEGINNING
        self._seen: Snapshot | None = None
        self._pending: deque[Change] = deque()
        self._woken = asyncio.Event()
        self.ended = False

    def concerns(self, change: Change) -> bool:
        """Whether a change is for this stream."""
        if change.type not in self._types or change.position <= self._after:
            return False
        if self._seen is not None and self._seen.has(change):
            return False
        return not self.keys.isdisjoint((change.mentor_profile_id, *change.mentee_user_ids))

    def take(self, change: Change) -> None:
        """Keep a change until it is written; a stream that reads too slowly ends, and its client comes back."""
        if self.concerns(change):
            self._pending.append(change)
            if len(self._pending) > MAX_PENDING:
                self.end()
            self._woken.set()

    def end(self) -> None:
        """Write nothing more."""
        self.ended = True
        self._woken.set()

    def pass_over(self, position: Position, seen: Snapshot | None) -> None:
        """Leave out what stands up to a position, and what a snapshot has."""
        self._after, self._seen = position, seen
        self._pending = deque(change for change in self._pending if self.concerns(change))

    async def next(self) -> list[Change]:
        """What waits, as soon as there is something; nothing after a heartbeat's time."""
        if not self._pending:
            self._woken.clear()
            # Not wait_for, which makes a task for each wait.
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._woken.wait()
        changes, self._pending = list(self._pending), deque()
        return changes


def snapshot_id(seen: Snapshot) -> str:
    """The id of an event that a snapshot stands in: what the snapshot had seen."""
    running = ",".join(map(str, sorted(seen.running)))
    return f"{seen.xmin}:{seen.xmax}:{running}"


def read_id(text: str) -> Point | None:
    """The position that an id stands for, and what was seen beyond it; None for an id that is none of ours."""
    if not set(text) <= set("0123456789.:,"):
        return None
    try:
        if ":" in text:
            xmin, xmax, running = text.split(":")
            seen = Snapshot(int(xmin), int(xmax), frozenset(map(int, filter(None, running.split(",")))))
            return (seen.xmin - 1, LAST_SEQUENCE), seen
        xid, sequence = text.split(".")
        return (int(xid), int(sequence)), None
    except ValueError:
        return None
