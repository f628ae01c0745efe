"""Tests of the bounds on what goes out: a share of the senders, and a server that is away is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from workers.transports import bounded
from workers.transports.bounded import LONGEST_PAUSE, PATIENCE, Bounded, Sparing
from workflows.events.outcomes import Postpone, Sent

NEWS = SimpleNamespace(written_at=datetime.now(UTC))
OLD_NEWS = SimpleNamespace(written_at=datetime.now(UTC) - PATIENCE - timedelta(hours=1))
AWAY = Sent(error="ConnectionRefusedError", away=True)
BROKEN_OFF = Sent(error="SMTPServerDisconnected: Connection unexpectedly closed")
LATER = Sent(error="The mail server answered 451: later", status_code=451)
NO = Sent(error="The mail server answered 550: no", status_code=550, permanent=True)


class Server:
    """Answers what it is told to, once it is let."""

    def __init__(self, *answers: Sent) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.open = Event()
        self.open.set()

    def send(self, _message: Any) -> Sent:
        """Take a message."""
        self.asked += 1
        self.open.wait(10)
        return self.answers.pop(0) if self.answers else Sent()


@contextmanager
def hanging(way_out: Bounded, server: Server, count: int) -> Iterator[None]:
    """So many messages are on their way, and stay there for the time of the block."""
    server.open.clear()
    with ThreadPoolExecutor(count) as threads:
        before = server.asked
        futures = [threads.submit(way_out.send, NEWS) for _ in range(count)]
        while server.asked < before + count:
            assert not any(future.done() for future in futures)
        try:
            yield
        finally:
            server.open.set()


def test_a_way_out_has_a_few_senders_until_it_was_quick_and_many_then() -> None:
    server = Server()
    way_out = Bounded(server, few=1, many=3)
    with hanging(way_out, server, 1), pytest.raises(Postpone):
        way_out.send(NEWS)
    with hanging(way_out, server, 3), pytest.raises(Postpone):
        way_out.send(NEWS)


def test_a_failure_takes_the_trust_back() -> None:
    server = Server(Sent(), NO)
    way_out = Bounded(server, few=1, many=3)
    for _ in range(2):
        way_out.send(NEWS)
    with hanging(way_out, server, 1), pytest.raises(Postpone):
        way_out.send(NEWS)


def test_a_sender_that_fails_gives_its_place_back() -> None:
    class Broken:
        def send(self, _message: Any) -> Sent:
            raise RuntimeError("a defect")

    way_out = Bounded(Broken(), few=1, many=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            way_out.send(NEWS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that passes for the pauses, in its one element."""
    now = [1000.0]
    monkeypatch.setattr(bounded, "monotonic", lambda: now[0])
    return now


def test_those_that_are_waited_for_for_long_leave_room_for_a_few_others_until_it_is_taken(clock: list[float]) -> None:
    server = Server()
    way_out = Bounded(server, few=1, many=3)
    with ExitStack() as street:
        for _ in range(3):
            street.enter_context(hanging(way_out, server, 1))
            with pytest.raises(Postpone):
                way_out.send(NEWS)
            clock[0] += bounded.LONG
        with pytest.raises(Postpone):
            way_out.send(NEWS)
    assert way_out.send(NEWS).error is None


@pytest.mark.parametrize(
    ("waited", "most"), [(0, 2), (29, 2), (30, 7.5), (60, 15), (120, LONGEST_PAUSE), (600, LONGEST_PAUSE)]
)
def test_the_longer_others_are_waited_for_the_less_often_one_asks(
    clock: list[float], waited: float, most: float
) -> None:
    server = Server()
    way_out = Bounded(server, few=1, many=1)
    with hanging(way_out, server, 1):
        clock[0] += waited
        with pytest.raises(Postpone) as put_off:
            way_out.send(NEWS)
    assert most / 4 - 0.1 < (put_off.value.until - datetime.now(UTC)).total_seconds() <= most


@pytest.mark.parametrize(
    "answer", [AWAY, Sent(error="The mail server answered 535: who are you?", status_code=535, away=True)]
)
def test_a_server_that_is_away_uses_nobodys_attempts_up_and_is_left_alone(clock: list[float], answer: Sent) -> None:
    server = Server(answer, answer)
    way_out = Sparing(server, "mail server")
    pauses = []
    for _ in range(2):
        with pytest.raises(Postpone) as put_off:
            way_out.send(NEWS)
        pauses.append((put_off.value.until - datetime.now(UTC)).total_seconds())
        with pytest.raises(Postpone):
            way_out.send(NEWS)
        clock[0] += 5
    assert server.asked == 2, "those that came meanwhile were not tried"
    assert 1 < pauses[0] < 4.1
    assert 3 < pauses[1] < 6.1
    assert way_out.send(NEWS).error is None
    assert way_out.send(NEWS).error is None


def test_the_pauses_end_at_half_a_minute(clock: list[float]) -> None:
    server = Server(*[AWAY] * 10)
    way_out = Sparing(server, "mail server")
    for _ in range(9):
        with pytest.raises(Postpone):
            way_out.send(NEWS)
        clock[0] += 60
    with pytest.raises(Postpone) as put_off:
        way_out.send(NEWS)
    assert (put_off.value.until - datetime.now(UTC)).total_seconds() <= 32


def test_what_a_server_wishes_while_it_is_away_only_delays(clock: list[float]) -> None:
    assert clock
    for wish, least, most in ((60, 60, 63), (1, 1.9, 4.1)):
        server = Server(Sent(error="503", away=True, retry_after=timedelta(seconds=wish)))
        with pytest.raises(Postpone) as put_off:
            Sparing(server, "server").send(NEWS)
        assert least < (put_off.value.until - datetime.now(UTC)).total_seconds() <= most


@pytest.mark.parametrize(("age", "minutes"), [(timedelta(minutes=1), 0.1), (timedelta(hours=10), 60)])
def test_where_it_is_said_so_what_is_old_waits_for_longer(clock: list[float], age: timedelta, minutes: float) -> None:
    assert clock
    old = SimpleNamespace(written_at=datetime.now(UTC) - age)
    way_out = Sparing(Server(AWAY), "server", patience=0.1)
    # Tried and not tried alike.
    for _ in range(2):
        with pytest.raises(Postpone) as put_off:
            way_out.send(old)
        waits = (put_off.value.until - datetime.now(UTC)).total_seconds() / 60
        assert minutes - 0.1 < waits <= minutes + 0.1


def test_however_often_a_server_was_away_it_is_away_and_nothing_else(clock: list[float]) -> None:
    half_minutes_of_a_day = 2880
    way_out = Sparing(Server(*[AWAY] * half_minutes_of_a_day), "mail server")
    for _ in range(half_minutes_of_a_day):
        clock[0] += 60
        with pytest.raises(Postpone):
            way_out.send(NEWS)


@pytest.mark.parametrize("answer", [LATER, NO, BROKEN_OFF])
def test_what_comes_of_a_message_is_its_own_affair_and_its_policy_goes_by_it(clock: list[float], answer: Sent) -> None:
    assert clock
    server = Server(answer)
    way_out = Sparing(server, "mail server")
    assert way_out.send(NEWS) is answer
    assert way_out.send(NEWS).error is None


def test_what_has_waited_for_days_ends_by_its_own_policy(clock: list[float]) -> None:
    assert clock
    assert Sparing(Server(AWAY), "mail server").send(OLD_NEWS) is AWAY
