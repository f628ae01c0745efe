"""Tests of the share of the senders that a push service has: one that hangs delays its own browsers only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest

from tests.eventually import eventually
from tests.unit.push_messages import to_host
from workers.transports.push_share import push_share
from workflows.events.outcomes import Postpone, Sent
from workflows.outside.send_push import PushMessage

SENDERS = 4


class Services:
    """Push services, of which all whose name begins with `hanging` say nothing until they are let."""

    def __init__(self) -> None:
        self.let = Event()
        self.hanging = 0
        self._lock = Lock()

    def send(self, message: PushMessage) -> Sent:
        """Take a message."""
        if message.host.startswith("hanging"):
            with self._lock:
                self.hanging += 1
            self.let.wait(30)
        return Sent(status_code=201)


def test_browsers_at_a_host_that_hangs_hold_up_nobody_elses() -> None:
    services = Services()
    way_out = push_share(services, SENDERS)
    with ThreadPoolExecutor(20) as threads:
        pushes = [threads.submit(way_out.send, to_host("hanging.example")) for _ in range(20)]
        eventually(lambda: sum(push.done() for push in pushes) == 19, "all but one put off")
        assert services.hanging == 1
        assert {type(push.exception()) for push in pushes if push.done()} == {Postpone}
        for number in range(3):
            assert way_out.send(to_host(f"good{number}.example")).error is None
            assert way_out.send(to_host("good.example")).error is None
        services.let.set()


def test_however_many_hosts_hang_no_more_senders_are_held_than_push_has() -> None:
    services = Services()
    way_out = push_share(services, SENDERS)
    with ThreadPoolExecutor(20) as threads:
        pushes = [threads.submit(way_out.send, to_host(f"hanging{number}.example")) for number in range(20)]
        eventually(lambda: sum(push.done() for push in pushes) == 20 - SENDERS, "the others, put off")
        assert services.hanging == SENDERS
        with pytest.raises(Postpone):
            way_out.send(to_host("good.example"))
        services.let.set()
    assert way_out.send(to_host("good.example")).error is None
