"""Sockets that keep an absolute deadline: a time-out for each read is none, since a dripping server starts it anew."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from workflows.webhooks.address import Address, AddressRefused

# What is written in one go before the time that is left is looked at again.
WRITE_BYTES = 16 * 1024
MAX_ADDRESSES = 3


class DeadlineExceeded(OSError):
    """The other side was still talking, or silent, when its time was up."""


class ConnectFailed(OSError):
    """No connection could be made; nothing was sent."""


class AnswerTooLong(OSError):
    """The answer goes on beyond what is read of it."""


def seconds_left(until: float) -> float:
    """The seconds until that moment of the monotonic clock.

    Raises:
        DeadlineExceeded: there are none.
    """
    left = until - monotonic()
    if left <= 0:
        raise DeadlineExceeded("The time is up.")
    return left


if TYPE_CHECKING:
    _Socket = socket.socket
else:
    _Socket = object


class _Deadline(_Socket):
    """Sets, before each read and write, the time-out that is left: below every buffer, so that nothing resets it.

    Args:
        until: the deadline, on the monotonic clock.
        allowance: how many bytes may still be read; None for any number.
        waiting: called each time that nothing has come for `pause` seconds; None where it is not needed.
    """

    until: float = 0.0
    allowance: int | None = None
    waiting: Callable[[], None] | None = None
    pause: float = 15.0

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Read what there is, until the deadline."""
        view = memoryview(buffer)[: nbytes or None]
        if self.allowance is not None:
            if self.allowance <= 0:
                raise AnswerTooLong("The answer is longer than what is read of one.")
            view = view[: self.allowance]
        while True:
            left = seconds_left(self.until)
            self.settimeout(left if self.waiting is None else min(left, self.pause))
            try:
                read = super().recv_into(view, len(view), flags)
                break
            except TimeoutError:
                seconds_left(self.until)
                if self.waiting is not None:
                    self.waiting()
        if self.allowance is not None:
            self.allowance -= read
        return read

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Write all of it, until the deadline."""
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
    """Verifies certificates and their names, whatever the environment says, and makes sockets that keep deadlines."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9525, section 2: the common name is no name of a server.
    context.hostname_checks_common_name = False
    context.sslsocket_class = DeadlineTlsSocket
    return context


def open_socket(address: Address, port: int, seconds: float) -> socket.socket:
    """Connect to an address, which is no name and is not looked up."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.settimeout(seconds)
        opened.connect((str(address), port))
    except OSError:
        opened.close()
        raise
    return opened


OpenSocket = Callable[[Address, int, float], socket.socket]


def connect(
    address: Address, port: int, *, seconds: float, until: float, open_socket: OpenSocket = open_socket
) -> DeadlineSocket:
    """Connect to an address, and see that it is the one at the other end.

    Args:
        seconds: how long connecting may take.
        until: the deadline of the connection's first use.

    Raises:
        ConnectFailed: no server listens there, or none answered in time.
        AddressRefused: another address is at the other end.
        DeadlineExceeded: the deadline came first.
    """
    try:
        plain = open_socket(address, port, min(seconds, seconds_left(until)))
    except DeadlineExceeded:
        raise
    except OSError as error:
        seconds_left(until)
        raise ConnectFailed(f"{address} port {port}: {error}") from error
    opened = DeadlineSocket(fileno=plain.detach())
    opened.until = until
    try:
        peer = opened.getpeername()
        if ip_address(peer[0]) != address or peer[1] != port:
            raise AddressRefused(f"Connected to {peer[0]} port {peer[1]}, not to {address} port {port}.")
        opened.settimeout(seconds_left(until))
    except BaseException:
        opened.close()
        raise
    return opened


class OpenSockets:
    """The connections that are open, to be shut down when the process stops."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: WeakSet[socket.socket] = WeakSet()

    def add(self, opened: socket.socket) -> None:
        """Remember one for as long as it is used."""
        with self._lock:
            self._open.add(opened)

    def shut_down(self) -> None:
        """End all of them, also under the hands of those who wait for an answer."""
        with self._lock:
            opened = list(self._open)
        for each in opened:
            # Not `SSLSocket.shutdown`, which would have another thread go on in the clear.
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
