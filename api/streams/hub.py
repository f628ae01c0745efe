"""The hub of live updates: it keeps the latest changes and gives each to the streams that it concerns.

One loop reads committed changes a few times a second. From the kept changes, a client that comes back with
`Last-Event-ID` gets the ones that it missed. An id is a position in the order of all changes, or the changes that a
snapshot had seen; it is valid across restarts and processes, but not in a database that was restored.
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

from api.authentication.authenticator import Authenticator
from api.limits.rate_limits import RateLimits
from config.settings import Settings
from workflows.streams.changes import (
    LAST_SEQUENCE,
    Change,
    History,
    OtherCluster,
    Position,
    Present,
    Snapshot,
    changes_after,
    latest_changes,
    present_of,
)

log = structlog.get_logger("api.streams")

POLL_SECONDS = 0.25
HEARTBEAT_SECONDS = 15.0
# How long a client may read nothing. Without this limit, a client that has vanished would keep its place for a quarter
# of an hour, and a client that has stopped reading would keep its place for ever.
SILENCE_SECONDS = 30.0
# How soon a stream ends whose person was blocked or has deleted their account.
CHECK_SECONDS = 60.0
MAX_KEPT = 10_000
MAX_PENDING = 1_000
PAGE = 1_000
READERS = 4  # threads, and connections to the database
BEGINNING: Position = (0, 0)

# The meaning of an id: a position, and the changes beyond it that a snapshot had seen.
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
        check_seconds: float = CHECK_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.settings = settings
        self.check_seconds = check_seconds
        self.silence_seconds = silence_seconds
        self.authenticator = Authenticator(settings)
        self.rate_limits = RateLimits(settings)
        self.streams: Counter[UUID | str] = Counter()
        self._engine = engine
        self._page, self._poll_seconds = page, poll_seconds
        self._kept: deque[Change] = deque(maxlen=kept)
        self._whole = True
        self._present: Present | None = None
        self._read_up_to = BEGINNING
        self._more = False
        self._waiting: dict[UUID, set[Stream]] = {}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="stream reader")

    async def read(self, reader: Reader[T], *, consistent: bool = False) -> T:
        """Run a reader in a transaction, in another thread. `consistent`: whether all its statements see the same."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, reader, consistent)

    async def call(self, work: Callable[[], T]) -> T:
        """Run a function that may wait for a server, in another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def _read(self, reader: Reader[T], consistent: bool) -> T:
        with self._engine.connect() as db:
            if consistent:
                db.execution_options(isolation_level="REPEATABLE READ")
            return reader(db)

    @property
    def history(self) -> History | None:
        """The history to which positions belong; None while the database has none."""
        return self._present.history if self._present else None

    async def start(self) -> None:
        """Load the changes that can be resumed from; to be called before the first stream."""
        try:
            self._begin(*await self.read(self._load, consistent=True))
        except OtherCluster as error:
            log.error("streams.other_cluster", error=str(error))

    def _begin(self, present: Present, changes: list[Change]) -> None:
        self._present, self._more = present, False
        self._read_up_to = (present.horizon - 1, LAST_SEQUENCE)
        self._whole = len(changes) < (self._kept.maxlen or 0)
        self._kept.clear()
        self._kept.extend(changes)

    def _end_history(self) -> None:
        """End all streams, whose positions are no longer valid: the clients come back, and begin again."""
        self._present = None
        for stream in {each for streams in self._waiting.values() for each in streams}:
            stream.end()

    async def follow(self) -> None:
        """Give committed changes to the streams until it is cancelled."""
        while True:
            try:
                while await self._look():
                    pass
            except OtherCluster as error:
                if self._present is not None:
                    log.error("streams.other_cluster", error=str(error))
                    self._end_history()
            except SQLAlchemyError as error:
                log.warning("streams.no_database", error=str(error.__cause__ or error))
            await asyncio.sleep(self._poll_seconds)

    async def _look(self) -> bool:
        present, changes = await self.read(self._next)
        is_other = present.history != self.history
        if is_other or (len(changes) == self._page and not self._waiting):
            # Far behind, and no stream waits for each of the changes: the latest are enough.
            latest = await self.read(self._load, consistent=True)
            if is_other:
                log.warning("streams.other_history", history=latest[0].history.name)
                self._end_history()
            if is_other or not self._waiting:
                self._begin(*latest)
                return False
        self._present = present
        self._whole = self._whole and len(self._kept) + len(changes) <= (self._kept.maxlen or 0)
        self._kept.extend(changes)
        for change in changes:
            # Once each: a person may follow a change as mentee and as mentor.
            for stream in {stream for key in change.concerned for stream in self._waiting.get(key, ())}:
                stream.take(change)
        self._more = len(changes) == self._page
        if self._more:
            self._read_up_to = self.position
        else:
            # Below the horizon nothing is left, of whatever type; the changes were read after it, and may lie beyond.
            self._read_up_to = max(self._read_up_to, self.position, (present.horizon - 1, LAST_SEQUENCE))
        return self._more

    def _load(self, db: Connection) -> tuple[Present, list[Change]]:
        present = present_of(db)
        return present, latest_changes(db, present.history, self._kept.maxlen or 0)

    def _next(self, db: Connection) -> tuple[Present, list[Change]]:
        present, before = present_of(db), self._present
        # Nothing has ended since: a system at rest costs one small statement a look.
        is_same = before is not None and before.history == present.history
        if before is None or not is_same or not (present.horizon > before.horizon or self._more):
            return present, []
        return present, changes_after(db, present.history, self._read_up_to, self._page)

    @property
    def position(self) -> Position:
        """The position of the last change that was given to the streams."""
        return self._kept[-1].position if self._kept else BEGINNING

    def join(self, stream: Stream) -> None:
        """Let a stream take changes from now on."""
        for key in stream.keys:
            self._waiting.setdefault(key, set()).add(stream)

    def leave(self, stream: Stream) -> None:
        for key in stream.keys:
            self._waiting[key].discard(stream)
            if not self._waiting[key]:
                del self._waiting[key]

    async def point_of(self, text: str) -> Point | None:
        """The meaning of an id; None for an id that was not given out in the present history.

        The process that gave it out may have read later changes than this one.
        """
        history, _, rest = text.partition(".")
        point = read_id(rest)
        if point is None or self._present is None or history != self._present.history.name:
            return None
        if point[0][0] <= self._present.horizon:
            return point
        latest = await self.read(present_of)
        return point if latest.history == self.history and point[0][0] <= latest.horizon else None

    def id_of(self, point: Position | Snapshot) -> str:
        """The id of an event at a position, or of a snapshot."""
        name = self._present.history.name if self._present else ""
        if isinstance(point, Snapshot):
            running = ",".join(map(str, sorted(point.running)))
            return f"{name}.{point.xmin}:{point.xmax}:{running}"
        return f"{name}.{point[0]}.{point[1]}"

    def missed_since(self, position: Position, stream: Stream) -> list[Change] | None:
        """The changes after a position that concern a stream; None where they are no longer kept."""
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
        if change.type not in self._types or change.position <= self._after:
            return False
        if self._seen is not None and self._seen.has(change):
            return False
        return not self.keys.isdisjoint(change.concerned)

    def take(self, change: Change) -> None:
        """Keep a change until it is written; a stream that reads too slowly ends, and its client comes back."""
        if self.concerns(change):
            self._pending.append(change)
            if len(self._pending) > MAX_PENDING:
                self.end()
            self._woken.set()

    def end(self) -> None:
        self.ended = True
        self._woken.set()

    def pass_over(self, position: Position, seen: Snapshot | None) -> None:
        """Skip the changes up to a position, and those in a snapshot."""
        self._after, self._seen = position, seen
        self._pending = deque(change for change in self._pending if self.concerns(change))

    async def next(self) -> list[Change]:
        """The waiting changes, as soon as there are some; an empty list after a heartbeat's time."""
        if not self._pending:
            self._woken.clear()
            # Not wait_for, which makes a task for each wait.
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._woken.wait()
        changes, self._pending = list(self._pending), deque()
        return changes


def read_id(text: str) -> Point | None:
    """The position of an id without its history, and the changes seen beyond it; None if the id is not ours."""
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
