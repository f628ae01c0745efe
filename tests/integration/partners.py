"""A partner's server that keeps connections alive, on a real socket, and counts what arrives on which of them."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, Thread

YES = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Partner:
    """The server's answers, and the requests that it has seen."""

    port: int
    answer: bytes = YES  # to each request
    answers: int | None = None  # how many a connection gets before it is closed without a word; None for any number
    # Each request's head, with the number of its connection.
    arrived: list[tuple[int, bytes]] = field(default_factory=list)
    open: dict[int, socket.socket] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)  # the numbers of the connections that are over
    connections: int = 0
    lock: Lock = field(default_factory=Lock)

    def hang_up(self) -> None:
        """Close every connection, as a server does that has waited long enough."""
        with self.lock:
            for connection in self.open.values():
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def heads(self) -> list[str]:
        with self.lock:
            return [head.decode() for _number, head in self.arrived]

    def used(self) -> set[int]:
        with self.lock:
            return {number for number, _head in self.arrived}


@contextmanager
def partner(tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[Partner]:
    """A server for the time of the block; a thread for each connection."""
    threads: list[Thread] = []
    with socket.create_server((address, 0), backlog=128) as server:
        running = Partner(server.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    connection, _peer = server.accept()
                except OSError:
                    return
                thread = Thread(target=_serve, args=(running, connection, tls))
                thread.start()
                threads.append(thread)

        accepting = Thread(target=accept)
        accepting.start()
        try:
            yield running
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            running.hang_up()
            for thread in threads:
                thread.join()


def _serve(partner: Partner, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    with partner.lock:
        partner.connections += 1
        number = partner.connections
    try:
        connection.settimeout(30)
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        with partner.lock:
            partner.open[number] = connection
        _talk(partner, connection, number)
    except OSError:
        # Some of the tests are about clients that hang up or do not trust the certificate.
        return
    finally:
        with partner.lock:
            partner.open.pop(number, None)
            partner.ended.add(number)
        connection.close()


def _talk(partner: Partner, connection: socket.socket, number: int) -> None:
    said = 0
    with connection.makefile("rb") as stream:
        while partner.answers is None or said < partner.answers:
            head = b""
            while (line := stream.readline()) not in (b"\r\n", b""):
                head += line
            if not head:
                return
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            stream.read(length)
            with partner.lock:
                partner.arrived.append((number, head))
            connection.sendall(partner.answer)
            said += 1
