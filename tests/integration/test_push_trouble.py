"""Tests of push services out of reach: no browser is forgotten, no other waits, and nothing comes too late."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import func, update

from cli.embedded import free_port
from config.vapid import Vapid
from infrastructure.http_client import HttpClient, HttpLimits
from models.notifications import notifications, push_subscriptions
from tests.integration.browsers import SubscribedBrowser
from tests.integration.harness import Harness, routes, without_guards
from tests.integration.names import Names
from tests.integration.test_push import LOOPBACK, SEALER, Pushing, key
from tests.receivers import HttpReceiver, http_receiver, silent, talker
from workers.routes import protected_push
from workers.runner import DeliveryRunner
from workers.transports.protection import MAX_PAUSE_SECONDS
from workers.transports.web_push import WebPushTransport
from workflows.events.delivery import PUSH_RETRY_POLICY, DeliveryKey
from workflows.events.subscriptions import load
from workflows.events.sweep import backlogs
from workflows.notifications.pushes import PUSH_USEFUL_FOR

__all__ = ["key"]

QUICKLY = HttpLimits(connect=0.3, deadline=0.3)


@dataclass
class Network:
    """Ours: while it is down no name leads anywhere; what is up leads to this machine."""

    up: bool = True
    asked: list[str] = field(default_factory=list)

    def look_up(self, host: str) -> list[str]:
        self.asked.append(host)
        if not self.up:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["127.0.0.1"]


class Trouble(Pushing):
    """Grace, whose browsers get pushes by the protected transport, over a network that may fail."""

    def __init__(self, harness: Harness, vapid: Vapid) -> None:
        super().__init__(harness, vapid)
        self.vapid = vapid
        self.network = Network()
        # So many seconds have passed for the pauses.
        self.passed = 0.0
        self.client = self.leave(HttpLimits())

    def leave(self, limits: HttpLimits) -> HttpClient:
        """Push with these limits."""
        client = HttpClient(LOOPBACK, resolver=Names(self.network.look_up), limits=limits)
        transport = WebPushTransport(self.vapid, SEALER, client, "https://t.example")
        protected = protected_push(transport, 4, clock=lambda: monotonic() + self.passed)
        self.harness.deliverer = DeliveryRunner(
            self.harness.transactions, load(), routes(mail=self.harness.mail, push=protected)
        )
        return client

    def asked_at(self, *endpoints: str) -> list[DeliveryKey]:
        """A request to Grace, whose browsers are at those addresses; returns the push to each."""
        targets = [str(self.subscribe(SubscribedBrowser(endpoint)).id) for endpoint in endpoints]
        self.be_asked()
        return [self.harness.key("push.send", target=target) for target in targets]

    def try_again(self, push: DeliveryKey) -> Any:
        return self.harness.delivered_again(push)

    def let_pass(self, time: timedelta) -> None:
        """Make all notifications older by this time."""
        with self.harness.engine.begin() as db, without_guards(db):
            db.execute(update(notifications).values(created_at=func.now() - time))


@pytest.fixture
def trouble(harness: Harness, key: Vapid) -> Iterator[Trouble]:
    made = Trouble(harness, key)
    yield made
    made.client.close()


@pytest.fixture
def service() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        receiver.status = 201
        yield receiver


def at(service: HttpReceiver, host: str) -> str:
    """A browser's address there, by a name of one's choice."""
    return f"{service.url.replace('127.0.0.1', host)}/send/abc"


def test_our_own_network_failure_costs_no_attempt(trouble: Trouble, service: HttpReceiver) -> None:
    pushes = trouble.asked_at(at(service, "one.internal"), at(service, "two.internal"))
    trouble.network.up = False
    for _ in range(PUSH_RETRY_POLICY.attempts + 3):
        for push in pushes:
            row = trouble.try_again(push)
            assert (row.state, row.attempts) == ("pending", 0)
            assert row.last_error == "The push service is unavailable: The host was not found."
        trouble.passed += 2 * MAX_PAUSE_SECONDS
    assert len(trouble.subscriptions()) == 2
    trouble.network.up = True
    assert {trouble.try_again(push).state for push in pushes} == {"done"}
    assert len(service.requests) == 2


@pytest.mark.parametrize("trouble_of", ["refused", "silent", "tls", "gateway", "unavailable"])
def test_an_unreachable_push_service_costs_no_attempt(trouble: Trouble, service: HttpReceiver, trouble_of: str) -> None:
    with ExitStack() as servers:
        match trouble_of:
            case "refused":
                endpoint = f"http://127.0.0.1:{free_port()}/x"
            case "silent":
                endpoint = f"http://127.0.0.1:{servers.enter_context(talker(silent))}/x"
                trouble.leave(QUICKLY)
            case "tls":
                endpoint = service.url.replace("http://", "https://") + "/x"
            case _:
                endpoint, service.status = f"{service.url}/x", 502 if trouble_of == "gateway" else 503
        (push,) = trouble.asked_at(endpoint)
        for _ in range(PUSH_RETRY_POLICY.attempts + 1):
            row = trouble.try_again(push)
            assert (row.state, row.attempts) == ("pending", 0)
            assert row.last_error.startswith("The push service is unavailable: ")
            trouble.passed += 2 * MAX_PAUSE_SECONDS
    assert len(trouble.subscriptions()) == 1


@pytest.mark.parametrize("status", [300, 302, 400, 401, 403, 413, 429, 500])
def test_no_other_refusal_forgets_a_browser(trouble: Trouble, service: HttpReceiver, status: int) -> None:
    service.status = status
    (push,) = trouble.asked_at(f"{service.url}/x")
    trouble.harness.change(push, attempts=PUSH_RETRY_POLICY.attempts - 1)
    row = trouble.try_again(push)
    assert (row.state, row.last_error) == ("cancelled", f"The push service answered {status}.")
    assert len(trouble.subscriptions()) == 1


def test_an_unavailable_push_service_delays_no_other(trouble: Trouble, service: HttpReceiver) -> None:
    down = f"http://down.internal:{free_port()}"
    first, second, third, well = trouble.asked_at(f"{down}/1", f"{down}/2", f"{down}/3", at(service, "well.internal"))
    for push in (first, second, third):
        assert trouble.try_again(push).attempts == 0
    assert trouble.try_again(well).state == "done"
    assert trouble.network.asked.count("down.internal") == 1, "one of them is enough to know it"
    trouble.passed += 2 * MAX_PAUSE_SECONDS
    service.requests.clear()
    # It is back.
    with trouble.harness.engine.begin() as db:
        moved = SEALER.seal(json.dumps(SubscribedBrowser(at(service, "down.internal")).subscription))
        db.execute(update(push_subscriptions).values(sealed=moved))
    assert {trouble.try_again(push).state for push in (first, second, third)} == {"done"}
    assert len(service.requests) == 3


def test_an_unavailable_port_delays_none_at_the_usual_one(trouble: Trouble, service: HttpReceiver) -> None:
    closed, well = trouble.asked_at(f"http://push.internal:{free_port()}/x", at(service, "push.internal"))
    assert trouble.try_again(closed).last_error.startswith("The push service is unavailable: ")
    assert trouble.try_again(well).state == "done"


def test_retry_after_of_a_push_service_is_respected(trouble: Trouble, service: HttpReceiver) -> None:
    service.status, service.headers = 503, {"Retry-After": "600"}
    for push in trouble.asked_at(f"{service.url}/x", f"{service.url}/y"):
        row = trouble.try_again(push)
        assert (row.state, row.attempts) == ("pending", 0)
        assert 590 < (row.due_at - row.now).total_seconds() <= 605
    assert len(service.requests) == 1


def test_a_push_of_no_use_ends_as_cancelled(trouble: Trouble, service: HttpReceiver) -> None:
    trouble.network.up = False
    (push,) = trouble.asked_at(at(service, "one.internal"))
    trouble.let_pass(PUSH_USEFUL_FOR - timedelta(minutes=1))
    assert trouble.try_again(push).state == "pending"
    trouble.let_pass(PUSH_USEFUL_FOR)
    trouble.network.up = True
    trouble.passed += 2 * MAX_PAUSE_SECONDS
    row = trouble.try_again(push)
    assert (row.state, row.attempts) == ("cancelled", 1)
    assert row.last_error == "It could not be pushed while it was of use."
    assert service.requests == []
    assert len(trouble.subscriptions()) == 1


def test_the_ttl_of_a_push_ends_with_its_use(trouble: Trouble, service: HttpReceiver) -> None:
    (push,) = trouble.asked_at(f"{service.url}/x")
    trouble.let_pass(timedelta(hours=20))
    assert trouble.try_again(push).state == "done"
    hours = int(service.requests[0].headers["ttl"]) / 3600
    assert 3.9 < hours <= 4


def test_postponed_pushes_are_no_backlog(trouble: Trouble, service: HttpReceiver) -> None:
    trouble.network.up = False
    (push,) = trouble.asked_at(at(service, "unknown.internal"))
    assert trouble.try_again(push).last_error is not None
    trouble.harness.change(push, created_at=func.now() - timedelta(hours=1))
    with trouble.harness.engine.connect() as db:
        (backlog,) = backlogs(db, ["notifications"])
    # Any user may name a host that does not exist.
    assert backlog.oldest < timedelta(minutes=5)
