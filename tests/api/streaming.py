"""The process of live updates in a thread of the test's, and clients that read its streams."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any, NamedTuple

from sqlalchemy import Engine, text
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from api.state import state_of
from api.streams.handlers import make_application
from api.streams.hub import Hub
from config.settings import Settings
from models.engine import create
from tests.api.conftest import Cast
from tests.application import World
from tests.eventually import eventually
from tests.queries import scalar

SECONDS = 20.0
_ARE_TOLD = text("SELECT coalesce(max(xid) < pg_snapshot_xmin(pg_current_snapshot()), true) FROM events")

HubMaker = Callable[[Engine, Settings], Hub]


class Event(NamedTuple):
    """One server-sent event."""

    id: str | None
    name: str
    data: Any


class Client:
    """An open stream."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self._connection.request("GET", path, headers=headers)
        self.response: HTTPResponse = self._connection.getresponse()

    def error(self) -> tuple[int, str]:
        status = self.response.status
        return status, json.loads(self.response.read())["code"]

    def next(self) -> Event:
        """The next event; waits for it."""
        event = self._next()
        assert event is not None, "The stream has ended."
        return event

    def rest(self) -> list[Event]:
        """The events until the stream ends; waits for its end."""
        return list(iter(self._next, None))

    def _next(self) -> Event | None:
        fields: dict[str, str] = {}
        while True:
            raw = self.response.readline()
            if not raw:
                return None
            line = raw.decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and "event" in fields:
                return Event(fields.get("id"), fields["event"], json.loads(fields["data"]))

    def close(self) -> None:
        self.response.close()
        self._connection.close()


class Streams:
    """The process of live updates, in a thread of the test's."""

    def __init__(self, settings: Settings, make_hub: HubMaker) -> None:
        self._settings, self._make_hub = settings, make_hub
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(SECONDS)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        engine = create(self._settings.database_url, name="streams", pool_size=4)
        hub = self._make_hub(engine, self._settings)
        await hub.start()
        server, sockets = HTTPServer(make_application(hub)), bind_sockets(0, "127.0.0.1")
        # Filled by a few kilobytes that a client does not read.
        sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        server.add_sockets(sockets)
        self.port: int = sockets[0].getsockname()[1]
        following = asyncio.create_task(hub.follow())
        self._ready.set()
        await self._stop.wait()
        following.cancel()
        server.stop()
        await server.close_all_connections()
        engine.dispose()

    def open(self, path: str, headers: dict[str, str], last_id: str | None = None) -> Client:
        return Client(self.port, path, headers | ({"Last-Event-ID": last_id} if last_id else {}))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(SECONDS)


@contextmanager
def serving(world: World, make_hub: HubMaker = Hub) -> Iterator[Streams]:
    """The process of live updates on the world's database."""
    streams = Streams(state_of(world.app).settings, make_hub)
    try:
        yield streams
    finally:
        streams.stop()


def availability(cast: Cast) -> str:
    return f"/streams/availability?mentorProfileId={cast.mentor.id}"


def await_others(engine: Engine) -> None:
    """Wait until no transaction on the server, in any database, is older than the last event."""
    eventually(lambda: scalar(engine, _ARE_TOLD), "the end of older transactions")
