"""Connections for webhooks: opened to a checked address, and reading so much of an answer and no more."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection as HTTPConnectionOfPython
from http.client import HTTPResponse
from ipaddress import ip_address
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from workers.transports.public_addresses import AddressRefused
from workflows.webhooks.address import Address

# Head and body together. What comes beyond that is not read.
READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Key:
    """What a connection is good for, and nothing else: another host at the same address is another key."""

    scheme: str
    host: str
    address: Address
    port: int


class ConnectFailed(OSError):
    """No connection could be made; nothing was sent."""


class AnswerTooLong(OSError):
    """The answer goes on beyond what is read of it."""


class _Allowance(io.RawIOBase):
    """Reads so much of an answer and no more, endless heads and interim answers included."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._left = READ_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise AnswerTooLong(f"The answer is longer than {READ_BYTES} bytes.")
        read = self._raw.readinto(memoryview(buffer)[: self._left])
        self._left -= read or 0
        return read

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Allowance(self.fp.detach()))


class Connection(HTTPConnection):
    """A connection over a socket that is open already: no name is looked up here, and no proxy asked."""

    response_class: type[HTTPResponse] = _Answer

    opened: socket.socket
    # A second handle on the same connection: the first changes hands during the TLS handshake, and in between
    # a deadline could not cut it off.
    line: socket.socket
    key: Key

    def _new_conn(self) -> socket.socket:
        return self.opened

    def send_message(self, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send all of a POST."""
        self.request("POST", target, body=body, headers=headers)

    def answer(self) -> HTTPResponse:
        """The head of the answer, and its body to read from: nothing that urllib3 decodes of it is wanted here."""
        return HTTPConnectionOfPython.getresponse(self)

    def end(self) -> None:
        """Close it, both handles. Not before its deadline has been called off."""
        self.close()
        self.opened.close()
        self.line.close()


class _Secure(Connection, HTTPSConnection):
    """The same over TLS."""


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


def connection_to(key: Key, tls: ssl.SSLContext, seconds: float, open_socket: OpenSocket) -> Connection:
    """Connect to the address that was checked, and see that it is the one at the other end. TLS is yet to be agreed on.

    Args:
        seconds: how long connecting may take.

    Raises:
        ConnectFailed: nobody listens there, or nobody answered in time.
        AddressRefused: somebody else is at the other end.
    """
    try:
        opened = open_socket(key.address, key.port, seconds)
    except OSError as error:
        raise ConnectFailed(f"{key.address} port {key.port}: {error}") from error
    try:
        peer = opened.getpeername()
        if ip_address(peer[0]) != key.address or peer[1] != key.port:
            raise AddressRefused(f"Connected to {peer[0]} port {peer[1]}, not to {key.address} port {key.port}.")
        connection = _connection(key, tls)
        connection.line = opened.dup()
    except BaseException:
        opened.close()
        raise
    connection.opened = opened
    connection.key = key
    return connection


def _connection(key: Key, tls: ssl.SSLContext) -> Connection:
    if key.scheme == "http":
        return Connection(str(key.address), key.port)
    # OpenSSL compares the certificate's name with the server's during the handshake; `assert_hostname` would turn that
    # off, in the context that all connections share, for a comparison afterwards.
    return _Secure(str(key.address), key.port, ssl_context=tls, server_hostname=key.host)
