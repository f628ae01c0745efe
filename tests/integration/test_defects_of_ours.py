"""Tests of what goes wrong on our side: tried again, told to the operator, and held against no endpoint."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import func, select

from config.sealing import Sealer
from models.events import delivery_attempts
from tests.integration.endpoints import NO, YES, announced, endpoint, listening, messages, send_one, set_endpoint
from tests.integration.harness import Harness, routes
from workers.runner import DeliveryRunner
from workers.transports.http import WebhookTransport
from workflows.effects import webhooks
from workflows.events.delivery import WEBHOOK_RETRY_POLICY
from workflows.events.subscriptions import load
from workflows.webhooks.headers import sealed_headers

GONE_KEY = Sealer(["a key that ENCRYPTION_KEYS no longer holds"])
DAY = timedelta(days=1)


@pytest.fixture
def partner(harness: Harness) -> UUID:
    """An endpoint that listens, and whose secret nobody can open any more."""
    return listening(harness, seal=GONE_KEY.seal)


@pytest.fixture
def deliverer(harness: Harness) -> DeliveryRunner:
    """A worker with the keys of today."""
    transport = WebhookTransport(Sealer(["the key of today, and long enough"]), ())
    return DeliveryRunner(harness.transactions, load(), routes(http=transport, mail=harness.mail))


def health(harness: Harness, endpoint_id: UUID) -> tuple[Any, ...]:
    row = endpoint(harness, endpoint_id)
    return row.state, row.failures, row.failing_since, row.open_until, row.warned_at, row.exhausted_at


def classes(harness: Harness) -> list[str | None]:
    with harness.engine.connect() as db:
        return list(db.scalars(select(delivery_attempts.c.error_class)))


def test_a_secret_that_cannot_be_opened_is_no_failure_of_the_endpoint(
    harness: Harness, partner: UUID, deliverer: DeliveryRunner
) -> None:
    before = health(harness, partner)
    keys = messages(harness, partner, 12)
    with structlog.testing.capture_logs() as lines:
        for key in keys:
            deliverer.deliver(key)
    assert health(harness, partner) == before
    assert {(row.state, row.attempts) for row in map(harness.row, keys)} == {("pending", 1)}
    assert all(timedelta() < row.due_at - row.now < timedelta(seconds=7) for row in map(harness.row, keys))
    assert classes(harness) == ["internal"] * len(keys)
    told = [line for line in lines if line["event"] == "delivery.transport_failed"]
    assert [line["log_level"] for line in told] == ["error"] * len(keys)
    assert {type(line["exc_info"]).__name__ for line in told} == {"UnsealError"}


def test_neither_is_a_header_that_cannot_be_opened(harness: Harness, deliverer: DeliveryRunner) -> None:
    today = Sealer(["the key of today, and long enough"])
    partner = listening(
        harness, seal=today.seal, headers=sealed_headers({"authorization": "Bearer hush"}, GONE_KEY.seal)
    )
    (key,) = messages(harness, partner)
    deliverer.deliver(key)
    assert (harness.row(key).state, endpoint(harness, partner).failures, classes(harness)) == (
        "pending",
        0,
        ["internal"],
    )


def test_it_neither_warns_the_owner_nor_disables_the_endpoint_however_long_it_lasts(
    harness: Harness, partner: UUID, deliverer: DeliveryRunner
) -> None:
    set_endpoint(harness, partner, failures=9, failing_since=func.now() - 6 * DAY)
    before = health(harness, partner)
    (key,) = messages(harness, partner)
    harness.change(key, attempts=WEBHOOK_RETRY_POLICY.attempts - 1)
    deliverer.deliver(key)
    assert harness.row(key).state == "dead"
    assert health(harness, partner) == before
    for name in ("exhausted", "failing", "disabled"):
        assert announced(harness, f"webhook_endpoint.{name}") == []


@pytest.mark.parametrize("broken", ["body_of", "admit"])
def test_a_bug_while_preparing_is_no_failure_of_the_endpoint(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def bug(*_args: object, **_kw: object) -> None:
        raise KeyError("a bug")

    partner = listening(harness)
    before = health(harness, partner)
    with monkeypatch.context() as patched:
        patched.setattr(webhooks, broken, bug)
        key = send_one(harness, partner, YES)
    row = harness.row(key)
    assert (row.state, row.attempts, row.last_error) == ("pending", 1, "KeyError: 'a bug'")
    assert (health(harness, partner), classes(harness)) == (before, ["internal"])
    harness.make_due(key)
    harness.deliverer.deliver(key)
    assert harness.row(key).state == "done"


def test_a_failure_of_the_endpoints_own_counts_still(harness: Harness) -> None:
    partner = listening(harness)
    send_one(harness, partner, NO)
    assert endpoint(harness, partner).failures == 1
