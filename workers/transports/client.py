"""The one HTTP client for addresses that partners chose: guarded, impatient, and reading little."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse

from workers.transports.connections import (
    READ_BYTES,
    AnswerTooLong,
    ConnectFailed,
    Connection,
    Key,
    OpenSocket,
    connection_to,
    open_socket,
)
from workers.transports.deadline import Deadline, deadline
from workers.transports.destinations import Destination, destination_of
from workers.transports.kept import IDLE_SECONDS, Kept
from workers.transports.public_addresses import check
from workers.transports.resolver import Resolver
from workflows.webhooks.address import Address, Network

KEPT_BYTES = 4096
MOST_ADDRESSES = 3


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
    """What the receiver said; `beginning` are the first 4 kB of the body, `whole` whether all of it was read."""

    status: int
    retry_after: str | None
    beginning: bytes
    whole: bool


class AnswerBroken(ConnectionError):
    """The answer is shorter than its own head says."""


class Client:
    """Posts to URLs that anybody may have chosen. Threads may share it.

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
        self._open_socket = open_socket
        self._kept = Kept(limits.idle)
        # Certificates and their names are verified by default; no setting of the environment changes that.
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        # RFC 9525, section 2: the common name is no name of a server.
        self._tls.hostname_checks_common_name = False

    def destination_of(self, url: str) -> Destination:
        """Read a URL, as far as that goes without asking anybody.

        Raises:
            UrlRefused: with what is wrong with it.
        """
        return destination_of(url, self._allowed)

    def post(self, destination: Destination, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post the body, and read the beginning of the answer, whatever its status. No redirect is followed.

        Raises:
            OSError: AddressRefused, HostNotFound, ConnectFailed, ssl.SSLError, DeadlineExceeded, or a connection that
                broke.
            HTTPException: what came back is no HTTP.
        """
        used: list[Connection] = []
        try:
            with deadline(self._limits.deadline, lambda: used[-1].line if used else None) as watched:
                keys = self._keys(destination, watched)
                send = partial(Connection.send_message, target=destination.target, headers=headers, body=body)
                connection = self._sent_over_kept(keys, send, used, watched)
                if connection is None:
                    connection = self._connected(keys, used, watched)
                    send(connection)
                answer = _read(connection.answer())
            if answer.whole and connection.sock is not None:
                used.remove(connection)
                self._kept.give(connection)
        finally:
            for connection in used:
                connection.end()
        return answer

    def close(self) -> None:
        """Close the connections that wait for a next message."""
        self._kept.close()

    def _keys(self, destination: Destination, watched: Deadline) -> list[Key]:
        """The connections that will do: to the addresses that the name has now, every one of which was checked."""
        if destination.literal is not None:
            addresses: Sequence[Address] = [destination.literal]
        else:
            seconds = min(self._limits.connect, watched.left)
            addresses = self._resolver.addresses(destination.host, seconds)
        for address in addresses:
            check(address, destination.scheme, destination.port, self._allowed)
        return [Key(destination.scheme, destination.host, address, destination.port) for address in addresses]

    def _sent_over_kept(
        self, keys: list[Key], send: Callable[[Connection], None], used: list[Connection], watched: Deadline
    ) -> Connection | None:
        connection = self._kept.take(keys)
        if connection is None:
            return None
        used.append(connection)
        try:
            send(connection)
        except OSError:
            # It had died while it waited, and the message never arrived whole: a new connection takes it.
            watched.check()
            return None
        return connection

    def _connected(self, keys: list[Key], used: list[Connection], watched: Deadline) -> Connection:
        candidates = keys[:MOST_ADDRESSES]
        for number, key in enumerate(candidates, start=1):
            watched.check()
            seconds = min(self._limits.connect / len(candidates), watched.left)
            try:
                connection = connection_to(key, self._tls, seconds, self._open_socket)
            except ConnectFailed:
                if number == len(candidates):
                    raise
            else:
                used.append(connection)
                self._agree(connection)
                return connection
        raise ConnectFailed("The name has no addresses.")

    def _agree(self, connection: Connection) -> None:
        # Were the watchdog ever late, nothing would hang all the same.
        connection.timeout = self._limits.deadline + 1
        try:
            connection.connect()
        except ssl.SSLError:
            raise
        except OSError as error:
            raise ConnectFailed(f"TLS with {connection.key.address}: {error}") from error


def _read(response: HTTPResponse) -> Answer:
    beginning, rest = b"", b""
    try:
        beginning = response.read(KEPT_BYTES)
        rest = response.read(READ_BYTES - KEPT_BYTES)
    except AnswerTooLong:
        whole = False
    else:
        whole = response.isclosed()
        if response.length and len(beginning) + len(rest) < READ_BYTES:
            raise AnswerBroken(f"The answer ended {response.length} bytes too early.")
    return Answer(response.status, response.getheader("retry-after"), beginning, whole)
