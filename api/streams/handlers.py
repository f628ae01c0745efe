"""Live updates as server-sent events: a process of its own that holds many open connections and changes nothing."""

import asyncio
import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from time import time
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam
from sqlalchemy.exc import SQLAlchemyError
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler
from werkzeug.exceptions import ServiceUnavailable

from api.authentication.authenticator import CREDENTIAL_HEADERS, ON_BEHALF_OF, QUERY_KEY, identifier, named_person
from api.http.client_addresses import client_address, counted_address
from api.http.headers import AnswerHeaders
from api.http.request_log import log_request, request_id_of
from api.limits.rate_limits import Counted, headers_of, refusal
from api.refusals import CODE_OF_STATUS, SENTENCES, shape, status_of
from api.schemas.fields import Moment
from api.schemas.seats import shown_entry
from api.schemas.sessions import as_seen_by, shown_session
from api.streams.hub import BEGINNING, Hub, Stream
from config import telemetry
from config.addresses import require_origin
from config.sealing import Sealer, use_sealer
from config.settings import Settings
from models.keys import KeyScope
from models.prepared import PreparedStatement
from workflows.groups.place import read_place
from workflows.identity.access import PERSON, VISITOR, has_access, require_role, require_scope, require_staff
from workflows.identity.actor import ACTIVE_MENTOR, Actor, Claim, authenticate, person_for
from workflows.kernel.errors import DomainError, Invalid, NotFound, Unauthenticated
from workflows.sessions.meeting import MeetingService
from workflows.sessions.records import Session, session_query
from workflows.streams.changes import (
    CALENDAR,
    SEATS,
    SESSIONS,
    WAITLIST,
    Change,
    OtherCluster,
    Position,
    Snapshot,
    busy_times,
    open_sessions,
    seats_of,
    snapshot_of,
)

log = structlog.get_logger("api.streams")

RECONNECT_MILLISECONDS = 2000


class Handler(RequestHandler):
    """One request: its id, the headers of every answer, and one line when it is done.

    `route` is None where there is none.
    """

    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "OPTIONS")
    route: str | None = None
    request_id = ""
    actor: Actor | None = None
    code: str | None = None

    def set_default_headers(self) -> None:
        """Called by tornado, before anything else and again for an error."""
        self.request_id = self.request_id or request_id_of(self.request.headers.get("X-Request-Id"))
        self.clear_header("Server")
        self.set_header("X-Request-Id", self.request_id)
        policy: AnswerHeaders = self.settings["headers"]
        for name, value in policy.of_data(self.request.headers.get("Origin")):
            self.set_header(name, value)

    def options(self) -> None:
        policy: AnswerHeaders = self.settings["headers"]
        sent = self.request.headers
        fields = policy.of_preflight(sent.get("Origin"), sent.get("Access-Control-Request-Method"))
        if fields is not None:
            self.set_status(204)
        for name, value in fields or ():
            self.set_header(name, value)
        self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        self.finish()

    def refuse(self, status: int, code: str, message: str, details: Mapping[str, list[str]] | None = None) -> None:
        self.code = code
        telemetry.REFUSALS.labels(code).inc()
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        if status == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="tutelage"')
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.set_header("Retry-After", "1")
        self.finish(json.dumps(shape(status, code, message, self.request_id, details)))

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """Answer a refusal of tornado's, such as an unknown method."""
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        sentence = SENTENCES.get(status_code, HTTPStatus(status_code).phrase)
        self.refuse(status_code, CODE_OF_STATUS.get(status_code, "internal_error"), sentence)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Log a defect with its traceback; a client's mistake is not logged."""
        if not isinstance(value, HTTPError):
            log.error("streams.failed", exc_info=(kind, value, trace), request_id=self.request_id, route=self.route)


def _log(handler: RequestHandler) -> None:
    """One line for a request that is done; for a stream, when it has ended."""
    assert isinstance(handler, Handler)
    log_request(
        str(handler.request.method),
        handler.route,
        handler.get_status(),
        handler.request.request_time(),
        handler.code,
        request_id=handler.request_id,
        actor=handler.actor.name if handler.actor else None,
    )


class StreamHandler(Handler):
    """One stream, which ends with the token that opened it.

    Subclasses choose its subject and how changes are written.
    """

    types: tuple[str, ...]
    # Whether the query may have a publishable key.
    is_for_visitors = False
    address = ""
    # The time of the loop at which the caller's token ends; None for other credentials.
    ends_at: float | None = None
    claim = Claim()
    # Whom `On-Behalf-Of` names; None without it.
    person: dict[str, Any] | None = None

    def initialize(self, hub: Hub) -> None:
        self.hub = hub
        self.stream: Stream | None = None

    async def get(self) -> None:
        """Authenticate, then send a snapshot or the missed changes, and from then on each change."""
        try:
            if self.hub.history is None:
                raise OtherCluster
            self.actor = await self._authenticate()
            stream = Stream(await self.subject(self.actor), self.types)
            last_id = self.request.headers.get("Last-Event-ID")
            point = None if last_id is None else await self.hub.point_of(last_id)
        except DomainError as error:
            if error.retry_after is not None:
                self.set_header("Retry-After", str(error.retry_after))
            self.refuse(status_of(error), error.code, error.message, error.details)
            return
        except (SQLAlchemyError, ServiceUnavailable, OtherCluster):
            self.refuse(503, "unavailable", SENTENCES[503])
            return
        most, user = self._places(self.actor)
        if most and self.hub.streams[user] >= most:
            self.set_header("Retry-After", "5")
            self.refuse(429, "rate_limited", f"You have {most} live connections already; close one first.")
            return
        self._limit_silence()
        self.hub.streams[user] += 1
        telemetry.STREAMS_OPEN.inc()
        # In one step with joining, so that no change is lost between the missed ones and the new ones.
        self.stream = stream
        self.hub.join(stream)
        ending = None if self.ends_at is None else asyncio.get_running_loop().call_at(self.ends_at, stream.end)
        missed = None if point is None else self._missed(stream, *point)
        try:
            await self._serve(stream, missed, unknown=last_id is not None and missed is None)
        except (StreamClosedError, asyncio.CancelledError):
            # The client has gone, or the process ends: tornado would log the cancellation as an error.
            return
        finally:
            if ending is not None:
                ending.cancel()
            self.hub.leave(stream)
            telemetry.STREAMS_OPEN.dec()
            self.hub.streams[user] -= 1
            if not self.hub.streams[user]:
                del self.hub.streams[user]

    def _limit_silence(self) -> None:
        """Let the kernel close the connection of a client that has stopped reading; unsent data is dropped."""
        opened = cast(HTTP1Connection, self.request.connection).stream
        # Where the system has the option; elsewhere its defaults hold.
        if hasattr(socket, "TCP_USER_TIMEOUT") and not opened.closed():
            milliseconds = round(self.hub.silence_seconds * 1000)
            opened.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _places(self, actor: Actor) -> tuple[int, UUID | str]:
        """The limit of connections and the key by which they are counted: a user, or one address of visitors.

        Those that staff open for a person take none of the person's own.
        """
        if actor.visitor:
            return self.hub.settings.streams_per_visitor, f"visitor:{counted_address(self.address)}"
        if actor.staff is not None:
            return self.hub.settings.streams_per_user, f"{actor.staff} for {actor.user_id}"
        return self.hub.settings.streams_per_user, actor.user_id or actor.name

    async def _authenticate(self) -> Actor:
        """The caller, within the limits of the API.

        Raises:
            Unauthenticated: the caller is not known.
            Invalid: the query has a key beside other credentials; `On-Behalf-Of` is no id.
            Forbidden: a key without the scope, or a person who acts for another.
            NotFound: there is nobody to act for.
            RateLimited: too many requests, or too many with credentials like these.
        """
        hub, headers = self.hub, _Headers(self.request.headers)
        keys = self.get_query_arguments(QUERY_KEY) if self.is_for_visitors else []
        forwarded = ",".join(self.request.headers.get_list("X-Forwarded-For"))
        address = self.address = client_address(self.request.remote_ip or "", forwarded, hub.settings.trusted_proxies)

        def verify() -> tuple[Claim, list[Counted]]:
            claim = hub.authenticator.claim_of(headers, keys)
            return claim, hub.rate_limits.count(address=address, claim=claim)

        try:
            claim, counted = await hub.call(verify)
            self._limit(counted)
            if claim.expires_at is not None:
                left = claim.expires_at + hub.settings.jwt_leeway_seconds - time()
                self.ends_at = asyncio.get_running_loop().time() + left
            actor = await hub.read(lambda db: authenticate(db, claim))
        except Unauthenticated:
            if keys or any(name in headers for name in CREDENTIAL_HEADERS):
                self._limit(await hub.call(lambda: hub.rate_limits.count_failure(address)))
            raise
        self.claim = claim
        named = self.request.headers.get(ON_BEHALF_OF)
        if named is None:
            require_scope(actor, KeyScope.READ)
            return actor
        require_staff(actor, in_person=False)
        self.person = named_person(named)
        self.set_header(ON_BEHALF_OF, named)
        return await hub.read(lambda db: self._person_for(db, actor))

    def _person_for(self, db: Connection, actor: Actor) -> Actor:
        """The person for whom the caller acts, else the caller."""
        return actor if self.person is None else person_for(db, actor, **self.person)

    async def _may_stay(self) -> bool:
        """Whether the caller may still open this stream: both sides are known, and not blocked."""
        try:
            await self.subject(await self.hub.read(lambda db: self._person_for(db, authenticate(db, self.claim))))
        except DomainError:
            return False
        except SQLAlchemyError:
            # Nobody is sent away because the database is.
            return True
        return True

    def _limit(self, counted: list[Counted]) -> None:
        for name, value in headers_of(counted):
            self.set_header(name, value)
        if (refused := refusal(counted)) is not None:
            raise refused

    async def _serve(self, stream: Stream, missed: list[Change] | None, *, unknown: bool) -> None:
        self.set_header("Content-Type", "text/event-stream")
        # Proxies must not buffer the stream.
        self.set_header("X-Accel-Buffering", "no")
        self.write(f"retry: {RECONNECT_MILLISECONDS}\n\n")
        if unknown:
            self.write("event: reset\ndata: {}\n\n")
        await self.flush()
        if missed is None:
            await self._send_snapshot(stream)
        else:
            telemetry.STREAMS_RESUMED.inc()
            await self._send(missed)
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        while not stream.ended:
            changes = await stream.next()
            if stream.ended:
                return
            if loop.time() - checked_at >= self.hub.check_seconds:
                # The client comes back, and is told why it is refused.
                if not await self._may_stay():
                    return
                checked_at = loop.time()
            if changes:
                await self._send(changes)
            else:
                self.write(": hb\n\n")
                await self.flush()

    def _missed(self, stream: Stream, position: Position, seen: Snapshot | None) -> list[Change] | None:
        stream.pass_over(position, seen)
        return self.hub.missed_since(position, stream)

    async def _send_snapshot(self, stream: Stream) -> None:
        def look(db: Connection) -> tuple[Snapshot, Mapping[str, Any]]:
            return snapshot_of(db), self.snapshot(db)

        seen, content = await self.hub.read(look, consistent=True)
        stream.pass_over(BEGINNING, seen)
        self._write_event(self.hub.id_of(seen), "snapshot", content)
        await self.flush()

    async def _send(self, changes: list[Change]) -> None:
        for change, event in zip(changes, await self.events(changes), strict=True):
            if event is not None:
                self._write_event(self.hub.id_of(change.position), *event)
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
        raise NotImplementedError

    async def events(self, changes: list[Change]) -> list[tuple[str, Mapping[str, Any]] | None]:
        """The name and the content of each change's event; None for one that the caller may not see."""
        raise NotImplementedError


class AvailabilityStream(StreamHandler):
    """When a mentor is busy: every caller, visitors included, sees the times, and nobody sees the mentees.

    The same holds for the seats of group sessions, which the options of a course show to everyone.
    """

    route = "/streams/availability"
    types = (*CALENDAR, *SEATS)
    is_for_visitors = True

    async def subject(self, actor: Actor) -> set[UUID]:
        require_role(actor, VISITOR)
        self.mentor_profile_id = identifier(self.get_query_argument("mentorProfileId", None))
        if self.mentor_profile_id is None:
            reason = {"mentorProfileId": ["must be the id of a mentor profile"]}
            raise Invalid("Name the mentor: ?mentorProfileId=…", details=reason)
        wanted = {"id": self.mentor_profile_id}
        if await self.hub.read(lambda db: ACTIVE_MENTOR.one_or_none(db, wanted)) is None:
            raise NotFound("There is no such mentor.")
        return {self.mentor_profile_id}

    def snapshot(self, db: Connection) -> Mapping[str, Any]:
        assert self.mentor_profile_id is not None
        busy = busy_times(db, self.mentor_profile_id, now=datetime.now(UTC))
        return {"mentorProfileId": str(self.mentor_profile_id), "busy": [_times(*each) for each in busy]}

    async def events(self, changes: list[Change]) -> list[tuple[str, Mapping[str, Any]] | None]:
        """`busy` and `free` with their times, as mentor or mentee; `hours`: read slots again; `group` has its seats."""
        own = [each for each in changes if self.mentor_profile_id not in each.mentees_profile_ids]
        wanted = [each.booking_id for each in own if each.type in SEATS]
        seats = await self.hub.read(lambda db: seats_of(db, wanted)) if wanted else {}
        return [_seats(seats, each) if each in own and each.type in SEATS else self._busy(each) for each in changes]

    def _busy(self, change: Change) -> tuple[str, Mapping[str, Any]] | None:
        assert self.mentor_profile_id is not None
        # A mentor's place on the waiting list of another mentor's group is private.
        name, taken = CALENDAR.get(change.type), change.time_of(self.mentor_profile_id)
        return None if name is None else (name, _times(*taken) if taken else {})


class SessionStream(StreamHandler):
    """The caller's own sessions, as mentee, participant and mentor."""

    route = "/streams/sessions"
    types = (*SESSIONS, *WAITLIST)

    async def subject(self, actor: Actor) -> set[UUID]:
        """The caller, and the mentor they act as."""
        require_role(actor, PERSON)
        return {each for each in (actor.user_id, actor.mentor_profile_id) if each is not None}

    def snapshot(self, db: Connection) -> Mapping[str, Any]:
        assert self.actor is not None
        return {"items": [self._shown(each) for each in open_sessions(db, self.actor)]}

    async def events(self, changes: list[Change]) -> list[tuple[str, Mapping[str, Any]] | None]:
        """Each change with the session's present state, or the caller's place in a waiting list."""

        def look(db: Connection) -> list[tuple[str, Mapping[str, Any]] | None]:
            wanted = {change.session_id for change in changes if change.session_id and change.type in SESSIONS}
            rows = ((each, SESSION_NOW.one_or_none(db, {"id": each})) for each in wanted)
            found: dict[UUID | None, Session] = {each: Session.of_values(row) for each, row in rows if row is not None}
            return [
                self._place(db, change)
                if change.type in WAITLIST
                else self._event(change, found.get(change.session_id))
                for change in changes
            ]

        return await self.hub.read(look)

    def _event(self, change: Change, session: Session | None) -> tuple[str, Mapping[str, Any]] | None:
        assert self.actor is not None
        if session is None or not has_access(self.actor, session):
            return None
        return "session", {"type": change.type, "session": self._shown(session)}

    def _place(self, db: Connection, change: Change) -> tuple[str, Mapping[str, Any]] | None:
        assert self.actor is not None
        # The mentor, whom the change also concerns, does not see the people on the waiting list.
        if change.booking_id is None or self.actor.user_id is None or self.actor.user_id not in change.mentee_user_ids:
            return None
        place = read_place(db, change.booking_id, self.actor.user_id)
        shown = shown_entry(place) if place.entry_id else {"position": None, "offer": None}
        return "waitlist", {"groupSessionId": str(change.booking_id), **shown}

    def _shown(self, session: Session) -> dict[str, Any]:
        assert self.actor is not None
        meetings = MeetingService(self.hub.settings.meeting_url)
        return shown_session(as_seen_by(self.actor, session, meetings=meetings, now=datetime.now(UTC)))


class HealthHandler(Handler):
    route = "/health/live"

    def get(self) -> None:
        self.finish({"status": "ok"})


class _Missing(Handler):
    SUPPORTED_METHODS = RequestHandler.SUPPORTED_METHODS

    def prepare(self) -> None:
        self.refuse(404, "not_found", SENTENCES[404])


class _Headers(dict[str, str]):
    """The headers by name, the first of several; the API itself follows WSGI."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)

    def get(self, name: str, default: Any = None) -> Any:
        """By tornado's spelling of names: each word with a capital."""
        return super().get("-".join(word.capitalize() for word in name.split("-")), default)


# With a group's participants, who follow it as well.
SESSION_NOW = PreparedStatement(session_query(bindparam("id")))


def make_application(hub: Hub) -> Application:
    """The application of one hub, at the root and under /api."""
    use_sealer(Sealer(hub.settings.encryption_keys))
    streams = [(f"(?:/api)?{each.route}", each, {"hub": hub}) for each in (AvailabilityStream, SessionStream)]
    return Application(
        [*streams, (r"/health/live", HealthHandler)],
        default_handler_class=_Missing,
        headers=AnswerHeaders(hub.settings, own_origin=_own_origin(hub.settings)),
        log_function=_log,
    )


def _own_origin(settings: Settings) -> str | None:
    """The API's origin, whose pages find live updates at another address where `STREAMS_URL` is set."""
    parts = urlsplit(settings.public_url)
    return require_origin(f"{parts.scheme}://{parts.netloc}") if settings.streams_url else None


def _seats(seats: Mapping[UUID, Row[Any]], change: Change) -> tuple[str, Mapping[str, Any]] | None:
    found = seats.get(change.booking_id) if change.booking_id else None
    if found is None:
        return None
    shown = {"capacity": found.capacity, "seatsTaken": found.seats_taken, "seatsOffered": found.seats_offered}
    return "group", {"groupSessionId": str(found.booking_id), **shown, "full": found.is_full}


def _times(start: datetime, end: datetime) -> dict[str, str]:
    return {"startTime": Moment.write(start), "endTime": Moment.write(end)}
