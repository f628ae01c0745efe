"""A webhook receiver that costs next to nothing: it answers 200 after a while and counts. `python -m bench.receiver`.

It prints its port, and from then on, for every line that it reads, how many messages it has taken.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
POLL_SECONDS = 0.01


class Receiver:
    """A receiver in a process of its own; `url` is where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{self._line()}/hook"

    def taken(self) -> int:
        """How many messages it has taken so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait_for(self, count: int, *, seconds: float = 180) -> float:
        """Wait until it has taken that many, and return when that was, in seconds of the monotonic clock.

        Raises:
            TimeoutError: they have not come in time.
        """
        end = time.monotonic() + seconds
        while (taken := self.taken()) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{taken} of {count} messages arrived within {seconds:g} s.")
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def running_receiver(delay_seconds: float = 0) -> Iterator[Receiver]:
    """A receiver that answers after so long, for the time of a `with` block."""
    command = [sys.executable, "-m", "bench.receiver", str(delay_seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Receiver(process)
        finally:
            process.terminate()


class _Requests(asyncio.Protocol):
    """Reads one request after the other off a connection, by its content's length."""

    taken = 0

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where the answers go."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that has come whole."""
        self._buffer += data
        while (rest := _after_one_request(self._buffer)) is not None:
            self._buffer = rest
            _Requests.taken += 1
            if self._delay_seconds:
                asyncio.get_running_loop().call_later(self._delay_seconds, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(ANSWER)


def _after_one_request(buffer: bytes) -> bytes | None:
    head, separator, body = buffer.partition(b"\r\n\r\n")
    if not separator:
        return None
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")),
        0,
    )
    return body[length:] if len(body) >= length else None


async def _serve(delay_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Requests(delay_seconds), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(_Requests.taken, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
