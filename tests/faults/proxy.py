"""What stands between the parts and a server, and delays, swallows, cuts and forgets what they say to one another."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from urllib.parse import urlsplit, urlunsplit

CHUNK_BYTES = 65_536
COMMIT = b"COMMIT\x00"


@dataclass(eq=False)
class Link:
    """A client's connection, and the server's for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    stranded: bool = False  # nothing passes any more, and neither side is told
    hides: bool = False  # the next answer is not passed

    def abort(self) -> None:
        for side in (self.client, self.server):
            side.transport.abort()


@dataclass(eq=False)
class Proxy:
    """Stands before the server of an address; all faults are made from other threads."""

    address: str  # of the server, for connections from then on
    delay_seconds: float = 0  # of each chunk that passes
    commits_to_hide: int = 0  # the answers of so many COMMITs are not passed, and their connections cut
    hidden: int = 0
    url: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _passing: asyncio.Event = field(default_factory=asyncio.Event)
    _links: set[Link] = field(default_factory=set)

    def swallow(self, whether: bool) -> None:
        """Let nothing pass, and keep it: as a network that has lost its way."""
        self._loop.call_soon_threadsafe(self._passing.clear if whether else self._passing.set)

    def cut(self, *, stranded: bool = False) -> None:
        """Reset every connection, or those alone that are stranded."""
        self._each(lambda link: link.abort() if link.stranded or not stranded else None)

    def strand(self) -> None:
        """Leave every present connection half open: what is said on it arrives nowhere, and later ones work."""

        def strand(link: Link) -> None:
            link.stranded = True

        self._each(strand)

    def _each(self, change: Callable[[Link], object]) -> None:
        self._loop.call_soon_threadsafe(lambda: [change(link) for link in list(self._links)])

    async def serve(self, listening: socket.socket) -> None:
        self._passing.set()
        async with await asyncio.start_server(self._link, sock=listening) as server:
            await server.serve_forever()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, server = await self._connected()
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, server)
        self._links.add(link)
        await asyncio.gather(self._pass(link, reader, server, up=True), self._pass(link, answers, writer, up=False))
        self._links.discard(link)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the server; to the next one where the address has changed meanwhile."""
        address = self.address
        target = urlsplit(address)
        try:
            return await asyncio.open_connection(target.hostname, target.port)
        except OSError:
            if self.address == address:
                raise
            return await self._connected()

    async def _pass(self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                await self._passing.wait()
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if link.stranded:
                    continue
                if up and self.commits_to_hide and COMMIT in data:
                    self.commits_to_hide -= 1
                    link.hides = True
                elif not up and link.hides:
                    # It has been committed: the server has said so.
                    self.hidden += 1
                    link.abort()
                    return
                sink.write(data)
                await sink.drain()
        if not link.stranded:
            sink.close()


@contextmanager
def standing_before(address: str) -> Iterator[Proxy]:
    """A proxy before the server of this address, for the time of a block."""
    proxy = Proxy(address)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        parts = urlsplit(address)
        login = parts.netloc.rpartition("@")[0]
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        proxy.url = urlunsplit(parts._replace(netloc=f"{login}@{place}" if login else place))
        thread = Thread(target=_run, args=[proxy, listening], daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy._loop.call_soon_threadsafe(_end, proxy._loop)
            thread.join()


def _run(proxy: Proxy, listening: socket.socket) -> None:
    asyncio.set_event_loop(proxy._loop)
    with suppress(asyncio.CancelledError):
        proxy._loop.run_until_complete(proxy.serve(listening))
    with suppress(asyncio.CancelledError):
        proxy._loop.run_until_complete(asyncio.sleep(0))
    proxy._loop.close()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
