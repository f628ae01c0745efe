"""Webhook receivers on real sockets, each at a port of its own, with a behaviour each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from config.sealing import Sealer
from config.secrets import DEVELOPMENT_SECRET
from tests.faults.system_under_test import SystemUnderTest
from workflows.webhooks.secrets import new_secret

CANCEL = """
UPDATE deliveries SET state = 'cancelled', lease_until = NULL
WHERE effect = 'webhooks.send' AND state = 'pending' AND target = ANY(%s)
"""
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BEGINNING = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n"


@dataclass(frozen=True)
class Arrival:
    """A message as it came in, and when, by the monotonic clock."""

    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Partner:
    """A webhook receiver."""

    behaviour: str  # how it answers
    url: str
    id: UUID = field(default_factory=uuid7)
    secret: str = field(default_factory=new_secret)
    arrivals: list[Arrival] = field(default_factory=list)  # all that it was sent


Answer = Callable[[asyncio.StreamWriter], Awaitable[bool]]


async def _well(writer: asyncio.StreamWriter) -> bool:
    # As long as a quick partner takes, so that sends always overlap.
    await asyncio.sleep(0.05)
    writer.write(OK)
    return True


async def _hang(_writer: asyncio.StreamWriter) -> bool:
    await asyncio.Event().wait()
    return False


async def _drip(writer: asyncio.StreamWriter) -> bool:
    writer.write(BEGINNING)
    while not writer.is_closing():
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(1)
    return False


async def _fail(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")
    return True


async def _redirect(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
    return True


async def _flood(writer: asyncio.StreamWriter) -> bool:
    writer.write(BEGINNING)
    for _ in range(1000):
        writer.write(b"x" * 10_000)
        await writer.drain()
    return True


BEHAVIOURS: dict[str, Answer] = {
    "well": _well,
    "hang": _hang,
    "drip": _drip,
    "fail": _fail,
    "redirect": _redirect,
    "flood": _flood,
}


# What some do from their second message on, when they hang no more.
AFTERWARDS: dict[str, Answer] = {"hang": _well, "drip": _fail}


@contextmanager
def running_partners(**numbers: int) -> Iterator[list[Partner]]:
    """That many partners of each behaviour, for the time of the block."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    kinds = [behaviour for behaviour, number in numbers.items() for _ in range(number)]
    try:
        yield [asyncio.run_coroutine_threadsafe(_partner(kind), loop).result(10) for kind in kinds]
    finally:
        asyncio.run_coroutine_threadsafe(_end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _partner(behaviour: str) -> Partner:
    partner = Partner(behaviour, "")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Clients that hang up or are killed are what these tests are about.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            goes_on = True
            while goes_on:
                partner.arrivals.append(await _arrival(reader))
                again = len(partner.arrivals) > 1
                answer = AFTERWARDS.get(behaviour, BEHAVIOURS[behaviour]) if again else BEHAVIOURS[behaviour]
                goes_on = await answer(writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    partner.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
    return partner


async def _arrival(reader: asyncio.StreamReader) -> Arrival:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Arrival(headers, body, monotonic())


async def _end() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def subscribed(sut: SystemUnderTest, partners: list[Partner], event_type: str) -> Iterator[None]:
    """Active endpoints of the operators; gone at the end, so that the next test has none of them."""
    sealer = Sealer([sut.system.plan.environment.get("ENCRYPTION_KEYS", DEVELOPMENT_SECRET).split(",")[0]])
    ids = [partner.id for partner in partners]
    with sut.db() as db:
        for partner in partners:
            _subscribe(db, partner, event_type, sealer.seal(partner.secret))
        try:
            yield
        finally:
            db.execute("DELETE FROM webhook_endpoints WHERE id = ANY(%s)", [ids])
            db.execute(CANCEL, [[str(each) for each in ids]])


def _subscribe(db: psycopg.Connection, partner: Partner, event_type: str, sealed_secret: str) -> None:
    db.execute(
        "INSERT INTO webhook_endpoints (id, url, event_types, headers, state) VALUES (%s, %s, %s, %s, 'active')",
        [partner.id, partner.url, [event_type], Jsonb({})],
    )
    db.execute(
        "INSERT INTO webhook_secrets (id, endpoint_id, sealed_secret) VALUES (%s, %s, %s)",
        [uuid7(), partner.id, sealed_secret],
    )
