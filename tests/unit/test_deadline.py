"""Tests of the watchdog's alarms, and of deadlines that cut connections off."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from threading import Event, active_count

import pytest

from tests.eventually import stretched
from workers.transports.deadline import Deadline, DeadlineExceeded, deadline
from workers.transports.watchdog import Watchdog


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of one connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_alarms_ring_in_their_order_whichever_was_set_first() -> None:
    watchdog, rung, last = Watchdog(), [], Event()
    watchdog.after(0.15, lambda: (rung.append("late"), last.set()))
    watchdog.after(0.05, lambda: rung.append("early"))
    assert last.wait(5)
    assert rung == ["early", "late"]


def test_an_alarm_that_was_called_off_does_not_ring() -> None:
    watchdog, rung, last = Watchdog(), [], Event()
    watchdog.after(0.05, lambda: rung.append("no")).call_off()
    watchdog.after(0.1, last.set)
    assert last.wait(5)
    assert rung == []


def test_one_alarms_trouble_does_not_silence_the_others() -> None:
    watchdog, last = Watchdog(), Event()

    def fail() -> None:
        raise RuntimeError("on purpose")

    watchdog.after(0.01, fail)
    watchdog.after(0.05, last.set)
    assert last.wait(5)


def test_any_number_of_alarms_takes_one_thread() -> None:
    watchdog, before = Watchdog(), active_count()
    alarms = [watchdog.after(60, lambda: None) for _ in range(1000)]
    assert active_count() <= before + 1
    for alarm in alarms:
        alarm.call_off()


def test_what_ends_in_time_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with deadline(0.1, lambda: ours):
        theirs.sendall(b"in time")
        assert ours.recv(100) == b"in time"
    time.sleep(0.2)
    theirs.sendall(b"still there")
    assert ours.recv(100) == b"still there"


def test_a_read_that_never_ends_is_cut_off(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _theirs = pair
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"within 0\.1 s"), deadline(0.1, lambda: ours):
        ours.recv(100)
    assert time.monotonic() - began < stretched(1.1)


def test_a_connection_that_is_taken_into_use_too_late_is_cut_off_all_the_same(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, _theirs = pair
    found: list[socket.socket] = []

    def come_late() -> None:
        with deadline(0.05, lambda: found[0] if found else None) as watched:
            while not watched.passed:
                time.sleep(0.01)
            found.append(ours)
            ours.recv(100)

    with pytest.raises(DeadlineExceeded):
        come_late()


def test_an_error_of_the_block_itself_is_told_as_it_is() -> None:
    with pytest.raises(ValueError, match="on purpose"), deadline(5, lambda: None):
        raise ValueError("on purpose")


def test_whoever_is_given_more_time_has_it_from_then_on(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with deadline(0.1, lambda: ours) as watched:
        watched.begin_again(30)
        time.sleep(0.2)
        theirs.sendall(b"late")
        assert ours.recv(100) == b"late"


def test_whoever_has_had_more_time_is_told_how_much(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _theirs = pair

    def read() -> None:
        with deadline(30, lambda: ours) as watched:
            watched.begin_again(0.2)
            ours.recv(100)

    with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"):
        read()


def test_no_time_is_given_once_it_is_up(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _theirs = pair
    watched = Deadline(0.05, lambda: ours)
    assert ours.recv(100) == b""
    watched.begin_again(30)
    assert (watched.passed, watched.left) == (True, 0)
    watched.call_off()
