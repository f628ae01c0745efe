"""Tests of the circuit breaker: what is unavailable is left alone, uses up no attempts, and keeps no other waiting."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.push_messages import to_host
from workers.routes import protected_push
from workers.transports import Renew, Transport, no_lease
from workers.transports.protection import MAX_POSTPONED, Breaker, Protected, Shares
from workflows.events.delivery import Postpone, SendResult
from workflows.notifications.pushes import PushMessage

DOWN = SendResult(error="ConnectionRefusedError", unavailable=True)
BROKEN_OFF = SendResult(error="SMTPServerDisconnected: Connection unexpectedly closed")
LATER = SendResult(error="The mail server answered 451: later", status_code=451)
NO = SendResult(error="The mail server answered 550: no", status_code=550, permanent=True)


@dataclass
class News:
    """A message, as old as that."""

    age: timedelta = timedelta()


@dataclass
class StubTransport(Transport[Any]):
    """Sends the given answers in order and then successes; holds the breaker's clock."""

    answers: list[SendResult] = field(default_factory=list)
    asked: int = 0
    now: float = 1000.0

    def send(self, _message: Any, _renew: Renew = no_lease) -> SendResult:
        """Take a message."""
        self.asked += 1
        return self.answers.pop(0) if self.answers else SendResult()


def protected(server: StubTransport, *, age_share: float = 0.0) -> Protected[News]:
    """That server behind a circuit breaker."""
    breaker = Breaker[News](name="mail server", age=lambda news: news.age, age_share=age_share)
    shares = Shares.of_one(8)
    return Protected(server, shares, destination=lambda _news: "", breaker=breaker, clock=lambda: server.now)


def postponed_by(way: Protected[Any], message: Any) -> float:
    """For how many seconds the message is postponed."""
    with pytest.raises(Postpone) as postponed:
        way.send(message)
    assert postponed.value.shown
    assert isinstance(postponed.value.until, timedelta)
    return postponed.value.until.total_seconds()


@pytest.mark.parametrize(
    "answer", [DOWN, SendResult(error="The mail server answered 535: who are you?", status_code=535, unavailable=True)]
)
def test_an_unavailable_server_costs_no_attempt(answer: SendResult) -> None:
    server = StubTransport([answer, answer])
    way = protected(server)
    pauses = []
    for _ in range(2):
        pauses.append(postponed_by(way, News()))
        postponed_by(way, News())
        server.now += 5
    assert server.asked == 2, "those that came meanwhile were not tried"
    assert 1 < pauses[0] < 4.1
    assert 3 < pauses[1] < 6.1
    assert way.send(News()).error is None
    assert way.send(News()).error is None


def test_the_pauses_end_at_half_a_minute() -> None:
    server = StubTransport([DOWN] * 10)
    way = protected(server)
    for _ in range(9):
        postponed_by(way, News())
        server.now += 60
    assert postponed_by(way, News()) <= 32


@pytest.mark.parametrize(("asked", "least", "most"), [(60, 60, 63), (1, 1.9, 4.1)])
def test_retry_after_only_delays(asked: int, least: float, most: float) -> None:
    server = StubTransport([SendResult(error="503", unavailable=True, retry_after=timedelta(seconds=asked))])
    assert least < postponed_by(protected(server), News()) <= most


@pytest.mark.parametrize(("age", "minutes"), [(timedelta(minutes=1), 0.1), (timedelta(hours=10), 60)])
def test_age_share_postpones_old_messages_for_longer(age: timedelta, minutes: float) -> None:
    way = protected(StubTransport([DOWN]), age_share=0.1)
    # Tried and not tried alike.
    for _ in range(2):
        assert minutes - 0.1 < postponed_by(way, News(age)) / 60 <= minutes + 0.1


def test_repeated_unavailability_costs_no_attempt() -> None:
    half_minutes_of_a_day = 2880
    server = StubTransport([DOWN] * half_minutes_of_a_day)
    way = protected(server)
    for _ in range(half_minutes_of_a_day):
        server.now += 60
        postponed_by(way, News())


@pytest.mark.parametrize("answer", [LATER, NO, BROKEN_OFF])
def test_a_messages_own_failure_does_not_open_the_breaker(answer: SendResult) -> None:
    way = protected(StubTransport([answer]))
    assert way.send(News()) is answer
    assert way.send(News()).error is None


def test_what_has_waited_for_days_ends_by_its_own_policy() -> None:
    assert protected(StubTransport([DOWN])).send(News(MAX_POSTPONED + timedelta(hours=1))) is DOWN


class Services(Transport[PushMessage]):
    """Push services, of which some are unavailable; counts how often each was asked."""

    def __init__(self, *unavailable: str) -> None:
        self.unavailable = set(unavailable)
        self.asked: Counter[str] = Counter()

    def send(self, message: PushMessage, _renew: Renew = no_lease) -> SendResult:
        """Take a message."""
        self.asked[message.host] += 1
        return (
            SendResult(error="The host was not found.", unavailable=True)
            if message.host in self.unavailable
            else SendResult(status_code=201)
        )


def test_a_push_service_that_is_unavailable_keeps_no_other_waiting() -> None:
    services, now = Services("down.example"), [1000.0]
    way = protected_push(services, 4, clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(Postpone, match="The push service is unavailable: The host was not found"):
            way.send(to_host("down.example"))
        assert way.send(to_host("well.example")).error is None
    assert services.asked == {"down.example": 1, "well.example": 5}
    services.unavailable.clear()
    now[0] += 60
    assert way.send(to_host("down.example")).error is None


def test_only_the_most_recent_destinations_are_remembered() -> None:
    hosts = ["one.example", "two.example", "three.example"]
    services = Services(*hosts)
    way = protected_push(services, 4, max_destinations=2)
    for host in (*hosts, *reversed(hosts)):
        postponed_by(way, to_host(host))
    assert services.asked == {"one.example": 2, "two.example": 1, "three.example": 1}
