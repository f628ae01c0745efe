"""Tests of the fair share: an endpoint that hangs holds a bounded number of senders."""

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from infrastructure.http_client import HttpClient, HttpLimits
from tests.eventually import eventually
from tests.integration.endpoints import YES, all_at_once, attempts_kept, listening, messages
from tests.integration.harness import Harness, routes
from tests.integration.test_webhook_transport import LOOPBACK, SEALER
from tests.receivers import http_receiver
from workers.outbound import LEASE
from workers.runner import DeliveryRunner
from workers.transports import Transport
from workers.transports.protection import Protected, Shares
from workers.transports.webhooks import WebhookTransport
from workflows.effects.webhooks import SEND_WEBHOOK, WebhookMessage
from workflows.events.claim import claim_leased
from workflows.events.delivery import DeliveryKey, SendResult
from workflows.events.subscriptions import load

MAX_SENDS = 3
MANY = 6


def sharing(harness: Harness, sender: Transport[WebhookMessage]) -> DeliveryRunner:
    shares = Shares(senders=32, many=MANY, few=MAX_SENDS, slow=8, reserve=8)
    # Time stands still: a slow machine makes no destination slow.
    transport = Protected(sender, shares, destination=lambda message: message.endpoint_id, clock=lambda: 0.0)
    return DeliveryRunner(harness.transactions, load(), routes(http=transport, mail=harness.mail))


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of a server that takes connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_endpoint_holds_at_most_its_share_of_senders(harness: Harness) -> None:
    partner = listening(harness)
    keys = messages(harness, partner, 10)
    deliverer = sharing(harness, harness.http)
    due_at = {key: harness.row(key).due_at for key in keys}

    def put_off() -> int:
        return sum(harness.row(key).due_at > due_at[key] for key in keys)

    def answer(_message: object) -> SendResult:
        # No answer before all have asked.
        eventually(lambda: put_off() == len(keys) - MAX_SENDS, "the others, put off")
        return YES

    harness.http.answers = answer
    all_at_once(deliverer, keys)
    assert len(harness.http.received) == MAX_SENDS
    rows = {key: harness.row(key) for key in keys}
    assert Counter((row.state, row.attempts) for row in rows.values()) == {("done", 1): MAX_SENDS, ("pending", 0): 7}
    for key, row in rows.items():
        if row.state == "pending":
            assert due_at[key] < row.due_at <= row.now + timedelta(seconds=2)
            assert (row.lease_until, attempts_kept(harness, key)) == (None, [])


def test_a_claim_gives_one_endpoint_a_quarter_of_its_room(harness: Harness) -> None:
    crowded = listening(harness)
    messages(harness, crowded, 12)
    quiet = listening(harness, "https://quiet.example/in")
    messages(harness, quiet, 1)
    with harness.transactions() as db:
        leased = claim_leased(db, SEND_WEBHOOK.name, [], LEASE, limit=8)
    assert Counter(each.endpoint_id for each in leased) == {crowded: 2, quiet: 1}


def test_a_prompt_endpoint_gets_a_larger_share(harness: Harness) -> None:
    partner = listening(harness)
    deliverer = sharing(harness, harness.http)

    def share_of(count: int) -> int:
        keys = messages(harness, partner, count)
        due_at = {key: harness.row(key).due_at for key in keys}
        harness.http.received.clear()

        def answer(_message: object) -> SendResult:
            eventually(lambda: put_off(due_at) + len(harness.http.received) == count, "all, sent or put off")
            return answers_with

        harness.http.answers = answer
        all_at_once(deliverer, keys)
        return len(harness.http.received)

    def put_off(due_at: dict[DeliveryKey, datetime]) -> int:
        rows = {key: harness.row(key) for key in due_at}
        untried = [key for key, row in rows.items() if row.state == "pending" and not row.attempts]
        return sum(rows[key].due_at > due_at[key] for key in untried)

    answers_with = YES
    all_at_once(deliverer, messages(harness, partner, 1))
    assert share_of(10) == MANY
    answers_with = SendResult(error="no")
    assert share_of(10) == MANY
    assert share_of(10) == MAX_SENDS


def test_what_was_put_off_goes_when_its_turn_comes(harness: Harness) -> None:
    keys = messages(harness, listening(harness), 10)
    deliverer = sharing(harness, harness.http)

    def all_done() -> bool:
        all_at_once(deliverer, keys)
        return {harness.row(key).state for key in keys} == {"done"}

    eventually(all_done, "every message")
    assert len({message.webhook_id for message in harness.http.received}) == len(harness.http.received) == len(keys)
    assert {harness.row(key).attempts for key in keys} == {1}


def test_the_share_is_free_again_whatever_the_sending_came_to(harness: Harness) -> None:
    partner = listening(harness)
    deliverer = sharing(harness, harness.http)

    def boom(_message: object) -> SendResult:
        raise KeyError("a defect")

    for answer in (boom, lambda _message: SendResult(error="no"), lambda _message: YES):
        harness.http.answers = answer
        harness.http.received.clear()
        all_at_once(deliverer, messages(harness, partner, MAX_SENDS), threads=MAX_SENDS)
        assert len(harness.http.received) == MAX_SENDS


def test_a_hanging_endpoint_delays_no_other(harness: Harness, hanging: str) -> None:
    held = messages(harness, listening(harness, hanging, seal=SEALER.seal), 10)
    with http_receiver() as receiver, ThreadPoolExecutor(10) as senders:
        well = listening(harness, receiver.url, seal=SEALER.seal)
        transport = WebhookTransport(SEALER, LOOPBACK, HttpClient(LOOPBACK, limits=HttpLimits(deadline=5)))
        deliverer = sharing(harness, transport)
        waiting = [senders.submit(deliverer.deliver, key) for key in held]
        eventually(lambda: sum(each.done() for each in waiting) == len(held) - MAX_SENDS, "those that are put off")
        others = messages(harness, well, 2 * MAX_SENDS)
        for key in others:
            senders.submit(deliverer.deliver, key).result(timeout=20)
        assert len(receiver.requests) == len(others)
        assert sum(not each.done() for each in waiting) == MAX_SENDS, "they hang still"
    transport.close()
    rows = [harness.row(key) for key in held]
    assert Counter((row.state, row.attempts) for row in rows) == {("pending", 1): MAX_SENDS, ("pending", 0): 7}
    assert all(row.last_error.startswith("No complete answer within") for row in rows if row.attempts)
