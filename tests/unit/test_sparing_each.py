"""Tests of push services that are away: each is spared by itself, and so many are remembered and no more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.push_messages import to_host
from workers.transports import bounded, sparing_each
from workers.transports.sparing_each import SparingEach
from workflows.events.outcomes import Postpone, Sent
from workflows.outside.send_push import PushMessage


class Services:
    """Push services, of which some are away; counts how often each was asked."""

    def __init__(self, *away: str) -> None:
        self.away = set(away)
        self.asked: Counter[str] = Counter()

    def send(self, message: PushMessage) -> Sent:
        """Take a message."""
        self.asked[message.host] += 1
        return Sent(error="The host was not found.", away=True) if message.host in self.away else Sent(status_code=201)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that passes for the pauses, in its one element."""
    now = [1000.0]
    monkeypatch.setattr(bounded, "monotonic", lambda: now[0])
    return now


def put_off(way_out: SparingEach, host: str) -> str:
    """Why a message to that host is put off."""
    with pytest.raises(Postpone) as refused:
        way_out.send(to_host(host))
    assert refused.value.away
    return str(refused.value)


def test_one_that_is_away_is_spared_and_no_other(clock: list[float]) -> None:
    services = Services("away.example")
    way_out = SparingEach(services)
    for _ in range(5):
        assert put_off(way_out, "away.example") == "The push service is away: The host was not found."
        assert way_out.send(to_host("well.example")).error is None
    assert services.asked == {"away.example": 1, "well.example": 5}
    services.away.clear()
    clock[0] += 60
    assert way_out.send(to_host("away.example")).error is None


def test_what_is_an_hour_old_waits_for_six_minutes(clock: list[float]) -> None:
    assert clock
    way_out = SparingEach(Services("away.example"))
    old = replace(to_host("away.example"), written_at=datetime.now(UTC) - timedelta(hours=1))
    # Tried and not tried alike.
    for _ in range(2):
        with pytest.raises(Postpone) as refused:
            way_out.send(old)
        waits = refused.value.until - datetime.now(UTC)
        assert timedelta(minutes=5.9) < waits < timedelta(minutes=6.1)


def test_of_any_number_of_hosts_those_that_were_named_last_are_remembered(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clock
    monkeypatch.setattr(sparing_each, "REMEMBERED", 2)
    hosts = ["one.example", "two.example", "three.example"]
    services = Services(*hosts)
    way_out = SparingEach(services)
    for host in (*hosts, *reversed(hosts)):
        put_off(way_out, host)
    assert services.asked == {"one.example": 2, "two.example": 1, "three.example": 1}
