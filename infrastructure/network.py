"""Name resolution and sockets with absolute deadlines, which a dripping server does not reset as it does time-outs."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from ipaddress import ip_address
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

import pycares

from workflows.kernel.address import Address

T = TypeVar("T")

QUERY_TIMEOUT_SECONDS, QUERY_TRIES = 1.5, 2
MAX_ADDRESSES = 3
# Written in one go before the time that is left is looked at again.
WRITE_BYTES = 16 * 1024


class HostNotFound(OSError):
    """The name has no addresses, or no name server answered in time."""


class ConnectFailed(OSError):
    """No connection could be made; nothing was sent."""


class DeadlineExceeded(OSError):
    """The other side was still sending, or silent, when its time was up."""


class ResponseTooLong(OSError):
    """The response is longer than the limit."""


def seconds_left(until: float) -> float:
    """The seconds until that moment of the monotonic clock; raises DeadlineExceeded where none are left."""
    left = until - monotonic()
    if left <= 0:
        raise DeadlineExceeded("The time is up.")
    return left


class Resolver(Protocol):
    """Names to addresses."""

    def addresses(self, host: str, seconds: float) -> Sequence[Address]:
        """All addresses of the name, at least one; raises HostNotFound, after so many seconds at the latest."""
        ...


class DnsResolver(Resolver):
    """Resolver by c-ares, which needs no thread for each name and is bounded in time, as `getaddrinfo` is not.

    It goes by /etc/hosts, the search list and the name servers of resolv.conf and the order of nsswitch.conf, keeps
    answers for as long as their TTL, and returns IPv4 and IPv6 in the order of RFC 6724. Further modules of
    nsswitch.conf, e.g. mDNS, are not asked.

    Args:
        servers: name servers to ask instead of the system's.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._channel = pycares.Channel(timeout=QUERY_TIMEOUT_SECONDS, tries=QUERY_TRIES, servers=servers or None)

    def addresses(self, host: str, seconds: float) -> Sequence[Address]:
        found: Future[Sequence[Address]] = Future()

        def receive(response: pycares.AddrInfoResult, error: int | None) -> None:
            if error is None and response.nodes:
                found.set_result([ip_address(node.addr[0].decode()) for node in response.nodes])
            else:
                reason = "no addresses" if error is None else str(pycares.errno.strerror(error))
                found.set_exception(HostNotFound(f"{host}: {reason}"))

        self._channel.getaddrinfo(host, None, type=socket.SOCK_STREAM, callback=receive)
        try:
            return found.result(max(seconds, 0))
        except TimeoutError as error:
            raise HostNotFound(f"{host}: no name server answered within {seconds:.1f} s") from error


if TYPE_CHECKING:
    _Socket = socket.socket
else:
    _Socket = object


class _Deadline(_Socket):
    """Sets the remaining time-out before each read and write, below every buffer, so that nothing resets it.

    Args:
        until: the deadline, on the monotonic clock.
        allowance: how many bytes may still be read; None for any number.
    """

    until: float = 0.0
    allowance: int | None = None

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        view = memoryview(buffer)[: nbytes or None]
        if self.allowance is not None:
            if self.allowance <= 0:
                raise ResponseTooLong("The response is longer than what is read of one.")
            view = view[: self.allowance]
        self.settimeout(seconds_left(self.until))
        try:
            read = super().recv_into(view, len(view), flags)
        except TimeoutError as error:
            raise DeadlineExceeded("The time is up.") from error
        if self.allowance is not None:
            self.allowance -= read
        return read

    def sendall(self, data: Any, flags: int = 0) -> None:
        view = memoryview(data).cast("B")
        while view:
            self.settimeout(seconds_left(self.until))
            try:
                view = view[self.send(view[:WRITE_BYTES], flags) :]
            except TimeoutError as error:
                raise DeadlineExceeded("The time is up.") from error


class DeadlineSocket(_Deadline, socket.socket):
    """A TCP connection that keeps a deadline."""


class DeadlineTlsSocket(_Deadline, ssl.SSLSocket):  # type: ignore[misc] # typeshed: None for `nbytes`
    """The same over TLS; Python keeps the time-out for each of OpenSSL's calls as a whole, the handshake included."""


AnySocket = DeadlineSocket | DeadlineTlsSocket


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """TLS context that verifies certificates and names in any environment, with sockets that keep deadlines."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9525, section 2: the common name is no name of a server.
    context.hostname_checks_common_name = False
    context.sslsocket_class = DeadlineTlsSocket
    return context


def connect(address: Address, port: int, *, seconds: float, until: float) -> DeadlineSocket:
    """Connect to an address, which is no name and is not looked up.

    Args:
        seconds: how long connecting may take.
        until: the deadline of the connection's first use.

    Raises:
        ConnectFailed: no server listens there, or none responded in time.
        DeadlineExceeded: the deadline came first.
    """
    opened = DeadlineSocket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    opened.until = until
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.settimeout(min(seconds, seconds_left(until)))
        opened.connect((str(address), port))
        opened.settimeout(seconds_left(until))
    except OSError as error:
        opened.close()
        seconds_left(until)
        raise ConnectFailed(f"{address} port {port}: {error}") from error
    return opened


def try_each(addresses: Sequence[Address], attempt: Callable[[Address], T]) -> T:
    """The result of `attempt` for the first address that accepts a connection; raises the last ConnectFailed."""
    *others, last = addresses
    for address in others:
        with suppress(ConnectFailed):
            return attempt(address)
    return attempt(last)


class OpenSockets:
    """The connections that are open, to be shut down when the process stops."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: WeakSet[socket.socket] = WeakSet()

    def add(self, opened: socket.socket) -> None:
        with self._lock:
            self._open.add(opened)

    def shut_down(self) -> None:
        """Shut down all of them, including those on which other threads wait for a response."""
        with self._lock:
            opened = list(self._open)
        for each in opened:
            # Not `SSLSocket.shutdown`, which would have another thread go on in the clear.
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
