"""Tests of the fair share: who finds no room waits a moment for it while messages arrive, and is put off otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore
from uuid import UUID, uuid4

import pytest

from tests.eventually import eventually
from workers.transports import share
from workers.transports.lanes import Shares
from workers.transports.share import FairShare
from workflows.events.outcomes import Postpone, Sent
from workflows.outside.send_webhook import WebhookMessage

SHARES = Shares(senders=4, many=3, few=1, slow=1, reserve=1)


class Street:
    """Messages on their way, each until it is let through."""

    def __init__(self) -> None:
        self.begun: list[UUID] = []
        self.green = Semaphore(0)

    def send(self, message: WebhookMessage) -> Sent:
        """Arrive when the light is green."""
        self.begun.append(message.endpoint_id)
        assert self.green.acquire(timeout=20)
        return Sent(status_code=200)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Senders."""
    with ThreadPoolExecutor(10) as threads:
        yield threads


@pytest.fixture
def street(threads: ThreadPoolExecutor) -> Iterator[Street]:  # noqa: ARG001 - the senders end after it
    """Where all lights are green at the end."""
    street = Street()
    yield street
    street.green.release(100)


def to(endpoint: UUID) -> WebhookMessage:
    """A message to an endpoint."""
    return WebhookMessage(
        url="https://partner.example", webhook_id=uuid4(), body=b"", headers={}, sealed_secrets=[], endpoint_id=endpoint
    )


def full(fair: FairShare, street: Street, threads: ThreadPoolExecutor) -> UUID:
    """A prompt endpoint that has as many messages on their way as it may."""
    endpoint = uuid4()
    street.green.release()
    fair.send(to(endpoint))
    for count in range(2, 5):
        threads.submit(fair.send, to(endpoint))
        eventually(lambda count=count: len(street.begun) == count, "another on its way")  # type: ignore[misc]
    return endpoint


def waiting(fair: FairShare, threads: ThreadPoolExecutor, endpoint: UUID) -> Future[Sent]:
    """One more, who has come to wait."""
    before = fair._waiting
    sent = threads.submit(fair.send, to(endpoint))
    eventually(lambda: fair._waiting == before + 1, "one more who waits")
    return sent


def test_while_messages_arrive_the_next_waits_and_goes(
    street: Street, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "MOMENT", 20.0)
    fair = FairShare(street, SHARES, clock=lambda: 0.0)
    endpoint = full(fair, street, threads)
    next_ones = [waiting(fair, threads, endpoint) for _ in range(2)]
    street.green.release(5)
    assert [each.result(20).status_code for each in next_ones] == [200, 200]
    assert fair._waiting == 0


def test_when_none_arrives_for_a_moment_it_is_put_off(
    street: Street, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "MOMENT", 0.01)
    fair = FairShare(street, SHARES, clock=lambda: 0.0)
    endpoint = full(fair, street, threads)
    with pytest.raises(Postpone):
        fair.send(to(endpoint))


def test_whoever_has_nothing_on_its_way_passes_those_who_wait(
    street: Street, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "MOMENT", 20.0)
    fair = FairShare(street, SHARES, clock=lambda: 0.0)
    waits = waiting(fair, threads, full(fair, street, threads))
    other = uuid4()
    passes = threads.submit(fair.send, to(other))
    eventually(lambda: street.begun[-1] == other, "the other's message on its way")
    assert not waits.done()
    street.green.release(6)
    assert passes.result(20).status_code == waits.result(20).status_code == 200


def test_what_is_not_known_to_answer_is_not_waited_for(
    street: Street, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "MOMENT", 20.0)
    fair = FairShare(street, SHARES, clock=lambda: 0.0)
    new = uuid4()
    threads.submit(fair.send, to(new))
    eventually(lambda: street.begun == [new], "the first on its way")
    with pytest.raises(Postpone):
        fair.send(to(new))
    assert fair._waiting == 0
