"""Name resolution in tests: names that lead where a test wants, and a real name server on this machine."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from threading import Thread

from infrastructure.network import HostNotFound, Resolver
from workflows.kernel.address import Address


class Names(Resolver):
    """Resolver whose answers a function gives, called each time.

    Args:
        look_up: name to addresses; raises OSError for none.
    """

    def __init__(self, look_up: Callable[[str], Sequence[str]] = lambda _host: ["127.0.0.1"]) -> None:
        self._look_up = look_up

    def addresses(self, host: str, _seconds: float) -> Sequence[Address]:
        try:
            return [ip_address(address) for address in self._look_up(host)]
        except OSError as error:
            raise HostNotFound(str(error)) from error


@dataclass
class NameServer:
    """DNS server for some IPv4 names; it does not respond to queries for any other."""

    names: Mapping[str, Sequence[str]]
    ttl: int = 60  # of its answers, in seconds
    address: str = ""
    # The names that it was asked for, one for each query of an A record.
    queries: list[str] = field(default_factory=list)

    def respond(self, query: bytes) -> bytes | None:
        """The response to a query of one question (RFC 1035, section 4)."""
        end = query.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, is_a = ".".join(labels).lower(), query[end + 1 : end + 3] == b"\0\x01"
        self.queries += [name] if is_a else []
        if name not in self.names:
            return None
        addresses = self.names[name] if is_a else ()
        head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(addresses), 0, 0)
        records = b"".join(
            struct.pack("!HHHIH", 0xC00C, 1, 1, self.ttl, 4) + socket.inet_aton(address) for address in addresses
        )
        return head + query[12 : end + 5] + records


@contextmanager
def name_server(names: Mapping[str, Sequence[str]], *, ttl: int = 60) -> Iterator[NameServer]:
    server = NameServer(names, ttl)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        server.address = f"127.0.0.1:{opened.getsockname()[1]}"

        def serve() -> None:
            while query := opened.recvfrom(4096):
                if not query[0]:
                    return
                if response := server.respond(query[0]):
                    opened.sendto(response, query[1])

        serving = Thread(target=serve)
        serving.start()
        try:
            yield server
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"", opened.getsockname())
            serving.join(20)
