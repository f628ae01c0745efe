"""Tests of sockets with a deadline: whatever the other side does, no read and no write goes on beyond it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from tests.eventually import stretched
from workers.transports.sockets import AnswerTooLong, DeadlineExceeded, DeadlineSocket, OpenSockets


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
    assert 0.05 < time.monotonic() - began < stretched(1.1)


def test_drops_do_not_make_a_deadline_any_later(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, theirs = pair

    def drip() -> None:
        while time.monotonic() < ours.until + 0.5:
            theirs.sendall(b"x")
            time.sleep(0.01)

    began = time.monotonic()
    ours.until = began + 0.2
    dripping = Thread(target=drip)
    dripping.start()
    with pytest.raises(DeadlineExceeded):
        ours.makefile("rb").readline()
    assert time.monotonic() - began < stretched(1.2)
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
    with pytest.raises(AnswerTooLong):
        file.read(1)


def test_while_nothing_comes_the_one_that_waits_does_something_else(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, theirs = pair
    called: list[float] = []

    def call() -> None:
        called.append(time.monotonic())
        if len(called) == 3:
            theirs.sendall(b"at last\n")

    ours.waiting, ours.pause = call, 0.02
    assert ours.makefile("rb").readline() == b"at last\n"
    assert len(called) == 3
    ours.until = time.monotonic() + 0.1
    with pytest.raises(DeadlineExceeded):
        ours.makefile("rb").readline()


def test_a_stop_ends_a_read_in_another_thread(pair: tuple[DeadlineSocket, socket.socket]) -> None:
    ours, _theirs = pair
    sockets, read = OpenSockets(), list[bytes]()
    sockets.add(ours)
    reading = Thread(target=lambda: read.append(ours.makefile("rb").read()))
    reading.start()
    sockets.shut_down()
    reading.join(20)
    assert read == [b""]
