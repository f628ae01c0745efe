"""Tests of looking names up: once for everybody, for a moment, and within the time that the caller has."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from threading import Event

import pytest

from tests.eventually import stretched
from workers.transports.resolver import HostNotFound, Resolver


def test_all_addresses_of_a_name_are_found_in_their_order() -> None:
    resolver = Resolver(lambda _host: ["2606:4700::1111", "1.1.1.1"])
    assert resolver.addresses("partner.example", 1) == (ip_address("2606:4700::1111"), ip_address("1.1.1.1"))


def test_this_machine_is_found_by_the_system() -> None:
    assert ip_address("127.0.0.1") in Resolver().addresses("localhost", 5)


def test_a_name_that_nobody_has_is_an_error_with_the_reason() -> None:
    with pytest.raises(HostNotFound, match=r"no-such-host\.invalid"):
        Resolver().addresses("no-such-host.invalid", 5)


@pytest.mark.parametrize("answer", [[], ["nonsense"]])
def test_an_answer_without_addresses_is_none(answer: list[str]) -> None:
    with pytest.raises(HostNotFound):
        Resolver(lambda _host: answer).addresses("partner.example", 1)


def test_an_answer_is_good_for_a_moment_and_no_longer() -> None:
    asked: list[str] = []

    def look_up(host: str) -> list[str]:
        asked.append(host)
        return ["1.1.1.1"]

    lasting, forgetful = Resolver(look_up, fresh_seconds=60), Resolver(look_up, fresh_seconds=0)
    for _ in range(3):
        lasting.addresses("partner.example", 1)
    assert len(asked) == 1
    for _ in range(3):
        forgetful.addresses("partner.example", 1)
    assert len(asked) == 4


def test_an_error_is_not_remembered() -> None:
    answers = iter([socket.gaierror("try again"), ["1.1.1.1"]])

    def look_up(_host: str) -> list[str]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    resolver = Resolver(look_up)
    with pytest.raises(HostNotFound, match="try again"):
        resolver.addresses("partner.example", 1)
    assert resolver.addresses("partner.example", 1) == (ip_address("1.1.1.1"),)


def test_a_name_server_that_hangs_holds_nobody_longer_than_they_wait_and_is_asked_once() -> None:
    released, asked = Event(), []

    def look_up(host: str) -> list[str]:
        asked.append(host)
        if host == "hanging.example":
            released.wait(10)
        return ["1.1.1.1"]

    resolver = Resolver(look_up)
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(resolver.addresses, "hanging.example", 0.3) for _ in range(16)]
        assert all(isinstance(each.exception(), HostNotFound) for each in waiting)
    assert time.monotonic() - began < stretched(1.3)
    # Others are found meanwhile.
    assert resolver.addresses("partner.example", 1) == (ip_address("1.1.1.1"),)
    assert asked == ["hanging.example", "partner.example"]
    released.set()


def test_only_so_many_names_are_looked_up_at_once() -> None:
    released = Event()

    def look_up(_host: str) -> list[str]:
        released.wait(10)
        return ["1.1.1.1"]

    resolver = Resolver(look_up, at_once=1)
    for host in ("first.example", "second.example"):
        with pytest.raises(HostNotFound):
            resolver.addresses(host, 0.05)
    released.set()
    # Both can be found once there is room.
    assert resolver.addresses("second.example", 5) == (ip_address("1.1.1.1"),)


def test_names_of_long_ago_are_forgotten() -> None:
    resolver = Resolver(lambda _host: ["1.1.1.1"], fresh_seconds=0)
    for number in range(1100):
        resolver.addresses(f"h{number}.example", 5)
    assert len(resolver._asked) <= 1001
