"""The one HTTP client for URLs that partners chose: pinned to a checked address, with a deadline, reading little."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from http.client import HTTPException, IncompleteRead
from ipaddress import ip_address
from ssl import SSLError
from time import monotonic
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ClosedPoolError, HTTPError
from urllib3.response import BaseHTTPResponse

from workers.transports.resolver import Resolver
from workers.transports.sockets import (
    MAX_ADDRESSES,
    AnswerTooLong,
    AnySocket,
    ConnectFailed,
    DeadlineExceeded,
    OpenSocket,
    OpenSockets,
    connect,
    open_socket,
    seconds_left,
    tls_context,
)
from workflows.webhooks.address import (
    Address,
    AddressRefused,
    Destination,
    Network,
    read_address,
    require_reachable,
)

# It would write what receivers say into the log.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

# Head and body together. What comes beyond that is not read.
READ_LIMIT_BYTES = 64 * 1024
KEPT_BODY_BYTES = 4096
# Servers that close idle connections do so after 5 s at the earliest, nearly all of them; ours are gone before that.
IDLE_SECONDS = 4.0
MAX_POOLS = 128
MAX_IDLE_PER_POOL = 32
# Which of a name's addresses answered last, for so many names.
MAX_NAMES = 1000


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds.

    Args:
        connect: looking up the name, and then connecting, each.
        deadline: everything together, to the end of the answer.
        idle: how long a connection waits for the next message.
    """

    connect: float = 5.0
    deadline: float = 15.0
    idle: float = IDLE_SECONDS


@dataclass(frozen=True)
class Answer:
    """What the receiver said; `beginning` are the first 4 kB of the body."""

    status: int
    retry_after: str | None
    beginning: bytes


class ConnectionDied(OSError):
    """A connection that had waited was dead, and the message never arrived whole."""


class _Connection(HTTPConnection):
    """A connection to an address that was checked: no name is looked up here, and no proxy asked.

    urllib3 sets `timeout` to what is left of a request's time, before it connects or sends and before it reads: from
    then on it is an absolute deadline, which the socket keeps.
    """

    sock: AnySocket | None

    def __init__(self, *args: Any, limits: Limits, opens: OpenSocket, sockets: OpenSockets, **kwargs: Any) -> None:
        self._until = 0.0
        self._limits = limits
        self._opens = opens
        self._sockets = sockets
        self._used = 0.0
        super().__init__(*args, **kwargs)

    @property
    def timeout(self) -> float:
        """What is left until the deadline, in seconds."""
        return seconds_left(self._until)

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._until = monotonic() + seconds
        # The first time is before there is a socket at all.
        if (sock := getattr(self, "sock", None)) is not None:
            sock.until = self._until

    @property
    def is_connected(self) -> bool:
        """Whether it may carry another message: alive, as far as can be told, and not idle for too long."""
        return monotonic() - self._used < self._limits.idle and super().is_connected

    def _new_conn(self) -> socket.socket:
        # urllib3's own place for another way to connect: its SOCKS connections do the same (2.6 to 2.8).
        address, seconds = ip_address(self.host), self._limits.connect
        return connect(address, self.port, seconds=seconds, until=self._until, open_socket=self._opens)

    def connect(self) -> None:
        """Connect, and agree on TLS where there is to be some."""
        try:
            super().connect()
        except (SSLError, AddressRefused, DeadlineExceeded, ConnectFailed):
            raise
        except OSError as error:
            seconds_left(self._until)
            raise ConnectFailed(f"TLS with {self.host}: {error}") from error
        assert self.sock is not None
        self.sock.until = self._until
        self._sockets.add(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send all of a request."""
        kept = self.sock is not None
        try:
            super().request(*args, **kwargs)
        except (DeadlineExceeded, ConnectFailed, AddressRefused):
            raise
        except OSError as error:
            if kept:
                raise ConnectionDied("It had died while it waited.") from error
            raise
        finally:
            self._used = monotonic()
            if self.sock is not None:
                self.sock.allowance = READ_LIMIT_BYTES


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment] # urllib3 types its own protocol


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # type: ignore[assignment]


class Client:
    """Posts to URLs that anybody may have chosen. Threads may share it.

    Connections are kept by urllib3, keyed by scheme, host, pinned IP and port.

    Args:
        allowed: networks that may be reached besides the public internet.
        resolver: name to addresses.
        limits: how long things may take.
        ca_file: authorities to trust instead of the system's.
        open_socket: makes the TCP connection.
    """

    def __init__(
        self,
        allowed: Sequence[Network],
        *,
        resolver: Resolver | None = None,
        limits: Limits = Limits(),
        ca_file: str | None = None,
        open_socket: OpenSocket = open_socket,
    ) -> None:
        self._allowed = tuple(allowed)
        self._resolver = resolver or Resolver()
        self._limits = limits
        self._read = lru_cache(1024)(read_address)
        self._sockets = OpenSockets()
        self._answered: dict[tuple[str, int], Address] = {}
        self._last_post = 0.0
        self._pools = PoolManager(
            MAX_POOLS, maxsize=MAX_IDLE_PER_POOL, timeout=limits.deadline, ssl_context=tls_context(ca_file)
        )
        ours: Any = {"limits": limits, "opens": open_socket, "sockets": self._sockets}
        classes: Any = {"http": partial(_Pool, **ours), "https": partial(_TlsPool, **ours)}
        self._pools.pool_classes_by_scheme = classes

    def destination_of(self, url: str) -> Destination:
        """Read a URL by the rules of today, since what is allowed may have changed since it was stored.

        Raises:
            Invalid: with what is wrong with it.
        """
        return self._read(url, self._allowed)

    def post(self, destination: Destination, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post the body, and read the beginning of the answer, whatever its status. No redirect is followed.

        Raises:
            OSError: AddressRefused, HostNotFound, ConnectFailed, ssl.SSLError, DeadlineExceeded, or a connection that
                broke.
            HTTPException: what came back is no HTTP.
        """
        until = monotonic() + self._limits.deadline
        try:
            return self._post(destination, headers, body, until)
        except (OSError, HTTPException, HTTPError) as error:
            if isinstance(error, DeadlineExceeded) or monotonic() >= until:
                raise DeadlineExceeded(f"No complete answer within {self._limits.deadline:g} s.") from error
            raise

    def close(self) -> None:
        """Close the connections that wait for a next message, and shut down those in use."""
        self._pools.clear()
        self._sockets.shut_down()

    def _post(self, destination: Destination, headers: Mapping[str, str], body: bytes, until: float) -> Answer:
        if monotonic() - self._last_post > self._limits.idle:
            # Whatever has waited since is too old by now.
            self._pools.clear()
        self._last_post = monotonic()
        addresses = self._addresses(destination, until)
        for number, address in enumerate(addresses, start=1):
            try:
                answer = self._post_to(address, destination, headers, body, until)
            except ConnectFailed:
                if number == len(addresses):
                    raise
            else:
                if number > 1:
                    self._remember(destination, address)
                return answer
        raise ConnectFailed("The name has no addresses.")

    def _addresses(self, destination: Destination, until: float) -> Sequence[Address]:
        """Where the name leads now, the address that answered last before the others; every one was checked."""
        found: Sequence[Address]
        if destination.literal is not None:
            found = [destination.literal]
        else:
            found = self._resolver.addresses(destination.host, min(self._limits.connect, seconds_left(until)))
        for address in found:
            require_reachable(address, destination.scheme, destination.port, self._allowed)
        if len(found) == 1:
            return found
        last = self._answered.get((destination.host, destination.port))
        return sorted(found, key=lambda address: address != last)[:MAX_ADDRESSES]

    def _remember(self, destination: Destination, address: Address) -> None:
        if len(self._answered) >= MAX_NAMES:
            self._answered.clear()
        self._answered[destination.host, destination.port] = address

    def _post_to(
        self, address: Address, destination: Destination, headers: Mapping[str, str], body: bytes, until: float
    ) -> Answer:
        pool = self._pools.connection_from_host(
            str(address), destination.port, destination.scheme, {"server_hostname": destination.host}
        )
        while True:
            try:
                response = pool.urlopen(
                    "POST",
                    destination.target,
                    body=body,
                    headers=headers,
                    timeout=Timeout(total=seconds_left(until)),
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
                return _read(response)
            except HTTPError as error:
                cause = _cause_of(error)
                if not isinstance(cause, ConnectionDied):
                    raise cause from error
                # Another one, and in the end a new one, takes the message.


def _read(response: BaseHTTPResponse) -> Answer:
    beginning = b""
    try:
        beginning = response.read(KEPT_BODY_BYTES)
        # Read to its end, the connection is good for another message.
        response.read(READ_LIMIT_BYTES)
    except HTTPError as error:
        if not isinstance(_cause_of(error), AnswerTooLong):
            raise
    return Answer(response.status, response.headers.get("retry-after"), beginning)


def _cause_of(error: HTTPError) -> Exception:
    """What went wrong, without urllib3's words around it."""
    if isinstance(error, ClosedPoolError):
        return ConnectionDied("Its pool made room for others.")
    for cause in error.args:
        if isinstance(cause, IncompleteRead):
            return ConnectionError("The answer ended too early.")
        if isinstance(cause, OSError | HTTPException):
            return cause
    return HTTPException(type(error).__name__)
