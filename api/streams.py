"""Live updates as server-sent events: a process of its own that holds many open connections and changes nothing.

One loop reads committed changes a few times a second and hands each to the streams that it concerns. The latest ones
are kept in memory, so that a client that comes back with `Last-Event-ID` gets what it missed. An id is a position in
the order of all changes, or what a snapshot had seen; it holds across restarts of this process.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler

from api.auth import identifier, verify_credentials
from api.errors import SENTENCES, shape
from api.refusals import CODE_OF_STATUS, status_of
from api.requests import request_id_of
from api.schemas.fields import Moment
from api.schemas.sessions import as_seen_by, shown_session
from config import telemetry
from config.settings import Settings
from models.prepared import PreparedSelect
from workflows.changes import (
    CALENDAR,
    SESSIONS,
    Change,
    Position,
    Snapshot,
    busy_times,
    changes_after,
    horizon_of,
    latest_changes,
    open_sessions,
    snapshot_of,
)
from workflows.errors import DomainError, Forbidden, Invalid, NotFound
from workflows.identity.actor import ACTIVE_MENTOR, Actor, authenticate
from workflows.identity.parties import has_access
from workflows.sessions.session import SESSION, Session

log = structlog.get_logger("api.streams")

POLL_SECONDS = 0.25
HEARTBEAT_SECONDS = 15.0
RECONNECT_MILLISECONDS = 2000
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
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), HEARTBEAT_SECONDS)
        changes, self._pending = list(self._pending), deque()
        return changes


class StreamHandler(RequestHandler):
    """One stream. Subclasses choose what it is about and how changes are written."""

    types: tuple[str, ...]

    def initialize(self, hub: Hub) -> None:
        """Called by tornado."""
        self.hub = hub
        self.actor: Actor | None = None
        self.stream: Stream | None = None
        self.request_id = request_id_of(self.request.headers.get("X-Request-Id"))

    async def get(self) -> None:
        """Authenticate, then send a snapshot or what was missed, and from then on each change."""
        try:
            claim = verify_credentials(_Headers(self.request.headers), self.hub.settings)
            self.actor = await self.hub.read(lambda db: authenticate(db, claim))
            stream = Stream(await self.subject(self.actor), self.types)
            last_id = self.request.headers.get("Last-Event-ID")
            point = None if last_id is None else await self._known_point(last_id)
        except DomainError as error:
            self.refuse(status_of(error), error.code, error.message, error.details)
            return
        except SQLAlchemyError:
            self.refuse(503, "unavailable", SENTENCES[503])
            return
        most, user = self.hub.settings.streams_per_user, self.actor.user_id or self.actor.name
        if most and self.hub.streams[user] >= most:
            self.set_header("Retry-After", "5")
            self.refuse(429, "rate_limited", f"You have {most} live connections already; close one first.")
            return
        self.hub.streams[user] += 1
        telemetry.STREAMS_OPEN.inc()
        # In one step with joining: nothing falls between what was missed and what comes.
        self.stream = stream
        self.hub.join(stream)
        missed = None if point is None else self._missed(stream, *point)
        try:
            await self._serve(stream, missed, unknown=last_id is not None and missed is None)
        except StreamClosedError:
            # The client has gone.
            return
        finally:
            self.hub.leave(stream)
            telemetry.STREAMS_OPEN.dec()
            self.hub.streams[user] -= 1
            if not self.hub.streams[user]:
                del self.hub.streams[user]

    async def _serve(self, stream: Stream, missed: list[Change] | None, *, unknown: bool) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        # Proxies must not wait for more.
        self.set_header("X-Accel-Buffering", "no")
        self.set_header("X-Request-Id", self.request_id)
        self.write(f"retry: {RECONNECT_MILLISECONDS}\n\n")
        if unknown:
            self.write("event: reset\ndata: {}\n\n")
        await self.flush()
        if missed is None:
            await self._send_snapshot(stream)
        else:
            telemetry.STREAMS_RESUMED.inc()
            await self._send(missed)
        while not stream.ended:
            changes = await stream.next()
            if stream.ended:
                return
            if changes:
                await self._send(changes)
            else:
                self.write(": hb\n\n")
                await self.flush()

    async def _known_point(self, last_id: str) -> Point | None:
        point = _read_id(last_id)
        return point if point is not None and await self.hub.knows(point[0]) else None

    def _missed(self, stream: Stream, position: Position, seen: Snapshot | None) -> list[Change] | None:
        stream.pass_over(position, seen)
        return self.hub.missed_since(position, stream)

    async def _send_snapshot(self, stream: Stream) -> None:
        def look(db: Connection) -> tuple[Snapshot, Mapping[str, Any]]:
            return snapshot_of(db), self.snapshot(db)

        seen, content = await self.hub.read(look, consistent=True)
        stream.pass_over(BEGINNING, seen)
        self._write_event(_snapshot_id(seen), "snapshot", content)
        await self.flush()

    async def _send(self, changes: list[Change]) -> None:
        for change, event in zip(changes, await self.events(changes), strict=True):
            if event is not None:
                self._write_event("{}.{}".format(*change.position), *event)
        await self.flush()
        for change in changes:
            telemetry.STREAM_LAG.observe((datetime.now(UTC) - change.created_at).total_seconds())

    def _write_event(self, event_id: str, name: str, content: Mapping[str, Any]) -> None:
        self.write(f"id: {event_id}\nevent: {name}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n")

    def on_connection_close(self) -> None:
        """The client has gone: its place is free at once."""
        super().on_connection_close()
        if self.stream is not None:
            self.stream.end()

    async def subject(self, actor: Actor) -> set[UUID]:
        """The mentors and mentees whose changes the stream is about.

        Raises:
            DomainError: the caller may not see them.
        """
        raise NotImplementedError

    def snapshot(self, db: Connection) -> Mapping[str, Any]:
        """What there is at the beginning."""
        raise NotImplementedError

    async def events(self, changes: list[Change]) -> list[tuple[str, Mapping[str, Any]] | None]:
        """The name and the content of each change's event; None for one that the caller may not see."""
        raise NotImplementedError

    def refuse(self, status: int, code: str, message: str, details: Mapping[str, list[str]] | None = None) -> None:
        """Answer an error in the API's shape."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Request-Id", self.request_id)
        if status == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="tutelage"')
        self.finish(json.dumps(shape(status, code, message, self.request_id, details)))

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """What tornado refuses itself, such as another method."""
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", "GET")
        sentence = SENTENCES.get(status_code, HTTPStatus(status_code).phrase)
        self.refuse(status_code, CODE_OF_STATUS.get(status_code, "internal_error"), sentence)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """A defect, with its traceback; what a client did wrong is no line."""
        if not isinstance(value, HTTPError):
            log.error("streams.failed", exc_info=(kind, value, trace), request_id=self.request_id)


class AvailabilityStream(StreamHandler):
    """When a mentor is busy: every signed-in caller sees the times, and no one sees the mentees."""

    types = tuple(CALENDAR)

    async def subject(self, actor: Actor) -> set[UUID]:  # noqa: ARG002 - anyone signed in
        """The mentor that the query names."""
        self.mentor_profile_id = identifier(self.get_query_argument("mentorProfileId", None))
        if self.mentor_profile_id is None:
            reason = {"mentorProfileId": ["must be the id of a mentor profile"]}
            raise Invalid("Name the mentor: ?mentorProfileId=…", details=reason)
        wanted = {"id": self.mentor_profile_id}
        if await self.hub.read(lambda db: ACTIVE_MENTOR.one_or_none(db, wanted)) is None:
            raise NotFound("There is no such mentor.")
        return {self.mentor_profile_id}

    def snapshot(self, db: Connection) -> Mapping[str, Any]:
        """The busy times of the next 92 days."""
        assert self.mentor_profile_id is not None
        busy = busy_times(db, self.mentor_profile_id, now=datetime.now(UTC))
        return {"mentorProfileId": str(self.mentor_profile_id), "busy": [_times(*each) for each in busy]}

    async def events(self, changes: list[Change]) -> list[tuple[str, Mapping[str, Any]] | None]:
        """`busy` and `free` with their times; `hours` says that slots are to be read again."""
        return [
            (CALENDAR[each.type], _times(each.start_time, each.end_time) if each.start_time and each.end_time else {})
            for each in changes
        ]


class SessionStream(StreamHandler):
    """The caller's own sessions, as mentee, participant and mentor."""

    types = SESSIONS

    async def subject(self, actor: Actor) -> set[UUID]:
        """The caller, and the mentor they act as."""
        if actor.operator:
            raise Forbidden("Operators have no sessions of their own.")
        return {each for each in (actor.user_id, actor.mentor_profile_id) if each is not None}

    def snapshot(self, db: Connection) -> Mapping[str, Any]:
        """The sessions that are scheduled or in progress."""
        assert self.actor is not None
        return {"items": [shown_session(as_seen_by(self.actor, each)) for each in open_sessions(db, self.actor)]}

    async def events(self, changes: list[Change]) -> list[tuple[str, Mapping[str, Any]] | None]:
        """Each with the session as it stands now."""

        def look(db: Connection) -> dict[UUID, Session]:
            wanted = {change.session_id for change in changes if change.session_id}
            rows = ((each, SESSION_NOW.one_or_none(db, {"id": each})) for each in wanted)
            return {each: Session.of_values(row) for each, row in rows if row is not None}

        found = await self.hub.read(look)
        return [self._event(change, found.get(change.session_id) if change.session_id else None) for change in changes]

    def _event(self, change: Change, session: Session | None) -> tuple[str, Mapping[str, Any]] | None:
        assert self.actor is not None
        if session is None or not has_access(self.actor, session):
            return None
        return "session", {"type": change.type, "session": shown_session(as_seen_by(self.actor, session))}


class HealthHandler(RequestHandler):
    """Whether the process answers."""

    def get(self) -> None:
        """Answer."""
        self.finish({"status": "ok"})


class _Missing(StreamHandler):
    async def get(self) -> None:
        self.refuse(404, "not_found", SENTENCES[404])


class _Headers(dict[str, str]):
    """The headers by name, the first of several; the API's own rule is that of WSGI."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)

    def get(self, name: str, default: Any = None) -> Any:
        """By tornado's spelling of names: each word with a capital."""
        return super().get("-".join(word.capitalize() for word in name.split("-")), default)


SESSION_NOW = PreparedSelect(SESSION)


def make_application(hub: Hub) -> Application:
    """The application of one hub, at the root and under /api."""
    routes = [(r"(?:/api)?/streams/availability", AvailabilityStream), (r"(?:/api)?/streams/sessions", SessionStream)]
    return Application(
        [*((path, handler, {"hub": hub}) for path, handler in routes), (r"/health/live", HealthHandler)],
        default_handler_class=_Missing,
        default_handler_args={"hub": hub},
        # What it cannot know: the API's log has the requests, the metrics the streams.
        log_function=lambda _handler: None,
    )


def _times(start: datetime, end: datetime) -> dict[str, str]:
    return {"startTime": Moment.write(start), "endTime": Moment.write(end)}


def _snapshot_id(seen: Snapshot) -> str:
    running = ",".join(map(str, sorted(seen.running)))
    return f"{seen.xmin}:{seen.xmax}:{running}"


def _read_id(text: str) -> Point | None:
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
