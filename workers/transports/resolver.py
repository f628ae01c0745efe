"""Names to addresses within a bounded time: the C library cannot be told to hurry, so somebody else waits for it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic

from workflows.webhooks.address import Address

LookUp = Callable[[str], Sequence[str]]
Found = tuple[Address, ...]

LOOK_UPS_AT_ONCE = 64
# A cloud's name server takes about a thousand questions a second from one machine, and a name costs two.
FRESH_SECONDS = 5.0
REMEMBERED = 1000


class HostNotFound(OSError):
    """Nobody has that name, or nobody said so in time."""


def look_up(host: str) -> list[str]:
    """All addresses of a name, IPv4 and IPv6, those first that this machine reaches best (RFC 6724)."""
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Resolver:
    """Asks once for a name, however many want to know, and keeps the answer for a moment.

    A name server that hangs holds one thread of ours per name, and nobody who sends for longer than they like to wait.

    Args:
        look_up: name to addresses; may take as long as it wants to.
        fresh_seconds: how long an answer is good; 0 asks for every message.
    """

    def __init__(
        self, look_up: LookUp = look_up, *, fresh_seconds: float = FRESH_SECONDS, at_once: int = LOOK_UPS_AT_ONCE
    ) -> None:
        self._look_up = look_up
        self._fresh_seconds = fresh_seconds
        self._free = BoundedSemaphore(at_once)
        self._lock = Lock()
        self._asked: dict[str, Future[Found]] = {}
        self._good_until: dict[str, float] = {}

    def addresses(self, host: str, seconds: float) -> Found:
        """All addresses of the name, at least one.

        Args:
            seconds: how long the caller can wait.

        Raises:
            HostNotFound: with the reason, for the operator.
        """
        with self._lock:
            answer = self._asked.get(host)
            if answer is None or self._is_stale(host, answer):
                answer = self._asked[host] = Future()
                first = True
            else:
                first = False
        if first:
            self._ask(host, answer, seconds)
        try:
            return answer.result(timeout=max(seconds, 0))
        except TimeoutError as error:
            raise HostNotFound(f"Nobody said within {seconds:.1f} s where {host} is.") from error
        except (OSError, ValueError) as error:
            raise HostNotFound(f"{host}: {error}") from error

    def _is_stale(self, host: str, answer: Future[Found]) -> bool:
        return answer.done() and monotonic() >= self._good_until.get(host, 0.0)

    def _ask(self, host: str, answer: Future[Found], seconds: float) -> None:
        if not self._free.acquire(timeout=max(seconds, 0)):
            answer.set_exception(OSError("too many names are being looked up"))
            return
        try:
            Thread(target=self._wait_for, args=(host, answer), name="resolver", daemon=True).start()
        except RuntimeError as error:
            # The system gives no more threads for the moment.
            self._free.release()
            answer.set_exception(OSError(str(error)))

    def _wait_for(self, host: str, answer: Future[Found]) -> None:
        try:
            found = tuple(ip_address(address) for address in self._look_up(host))
            if not found:
                raise OSError("no addresses")
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            self._forget(host, answer)
            answer.set_exception(error)
        else:
            self._keep(host)
            answer.set_result(found)
        finally:
            self._free.release()

    def _forget(self, host: str, answer: Future[Found]) -> None:
        with self._lock:
            if self._asked.get(host) is answer:
                del self._asked[host]

    def _keep(self, host: str) -> None:
        with self._lock:
            self._good_until[host] = monotonic() + self._fresh_seconds
            if len(self._good_until) > REMEMBERED:
                self._clear_out()

    def _clear_out(self) -> None:
        now = monotonic()
        for host in [host for host, until in self._good_until.items() if until <= now]:
            del self._good_until[host]
            answer = self._asked.get(host)
            if answer is not None and answer.done():
                del self._asked[host]
