"""Tests of name resolution and of sockets with a deadline: no name, no read and no write takes longer than it may."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from threading import Event, Thread, Timer

import pytest

from infrastructure.network import (
    DeadlineExceeded,
    DeadlineSocket,
    DnsResolver,
    HostNotFound,
    OpenSockets,
    ResponseTooLong,
)
from tests.integration.names import name_server


def test_all_addresses_of_a_name_are_found() -> None:
    with name_server({"partner.example": ["192.0.2.1", "192.0.2.2"]}) as server:
        found = DnsResolver([server.address]).addresses("partner.example", 5)
    assert set(found) == {ip_address("192.0.2.1"), ip_address("192.0.2.2")}


def test_this_machine_is_found_without_a_name_server() -> None:
    with name_server({}) as server:
        assert ip_address("127.0.0.1") in DnsResolver([server.address]).addresses("localhost", 5)
    assert server.queries == []


def test_a_name_without_addresses_is_an_error_with_the_reason() -> None:
    with name_server({"empty.example": []}) as server, pytest.raises(HostNotFound, match=r"empty\.example: .+"):
        DnsResolver([server.address]).addresses("empty.example", 5)


@pytest.mark.parametrize(("ttl", "queries"), [(60, 1), (0, 3)])
def test_an_answer_is_kept_for_its_ttl(ttl: int, queries: int) -> None:
    with name_server({"partner.example": ["192.0.2.1"]}, ttl=ttl) as server:
        resolver = DnsResolver([server.address])
        for _ in range(3):
            resolver.addresses("partner.example", 5)
    assert server.queries == ["partner.example"] * queries


def test_a_hanging_name_server_delays_no_caller() -> None:
    with name_server({"partner.example": ["192.0.2.1"]}) as server:
        resolver = DnsResolver([server.address])
        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            waiting = [pool.submit(resolver.addresses, "hanging.example", 0.3) for _ in range(16)]
            assert all(isinstance(each.exception(), HostNotFound) for each in waiting)
        assert time.monotonic() - began < 10
        assert resolver.addresses("partner.example", 5) == [ip_address("192.0.2.1")]


@pytest.fixture
def pair() -> Iterator[tuple[DeadlineSocket, socket.socket]]:
    """Two ends of one connection, of which ours keeps a deadline."""
    plain, theirs = socket.socketpair()
    ours = DeadlineSocket(fileno=plain.detach())
    ours.until = time.monotonic() + 30
    with ours, theirs:
        yield ours, theirs


def test_what_comes_in_time_is_read(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"in time\n")
    assert ours.makefile("rb").readline() == b"in time\n"


def test_a_read_that_never_ends_is_cut_off(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, _theirs = pair
    began = time.monotonic()
    ours.until = began + 0.1
    with pytest.raises(DeadlineExceeded):
        ours.makefile("rb").readline()
    assert 0.05 < time.monotonic() - began < 10


def test_drops_do_not_make_a_deadline_any_later(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, theirs = pair

    over = Event()

    def drip() -> None:
        while not over.wait(0.01):
            theirs.sendall(b"x")

    began = time.monotonic()
    ours.until = began + 0.2
    dripping = Thread(target=drip)
    dripping.start()
    stop = Timer(10, over.set)
    stop.start()
    with pytest.raises(DeadlineExceeded):
        ours.makefile("rb").readline()
    assert not over.is_set(), "the deadline came while drops still arrived"
    over.set()
    stop.cancel()
    dripping.join()


def test_a_reader_that_takes_nothing_ends_a_write(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, _theirs = pair
    ours.until = time.monotonic() + 0.1
    with pytest.raises(DeadlineExceeded):
        ours.sendall(b"x" * 50_000_000)


def test_nothing_is_begun_after_the_deadline(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"too late")
    ours.until = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        ours.recv_into(bytearray(10))
    with pytest.raises(DeadlineExceeded):
        ours.sendall(b"x")


def test_no_more_is_read_than_was_allowed(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, theirs = pair
    ours.allowance = 5
    theirs.sendall(b"123456789")
    file = ours.makefile("rb")
    assert file.read(5) == b"12345"
    with pytest.raises(ResponseTooLong):
        file.read(1)


def test_a_stop_ends_a_read_in_another_thread(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, _theirs = pair
    sockets, read = OpenSockets(), list[bytes]()
    sockets.add(ours)
    reading = Thread(target=lambda: read.append(ours.makefile("rb").read()))
    reading.start()
    sockets.shut_down()
    reading.join(20)
    assert read == [b""]
