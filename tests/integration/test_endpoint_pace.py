"""Tests of how fast endpoints are told: their rate cap, their wish to wait, and retries that were asked for."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func

from tests.eventually import eventually
from tests.factories import OPERATOR
from tests.integration.endpoints import (
    YES,
    all_at_once,
    attempts_kept,
    listening,
    messages,
    send_one,
    set_endpoint,
    use_up,
)
from tests.integration.harness import Harness
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, SendResult
from workflows.events.store import webhook_status_query
from workflows.webhooks.deliveries import WebhookDelivery, resend

SECOND = timedelta(seconds=1)
NOTHING_AGAINST_IT = (0, None, None, None, None)


@pytest.fixture
def partner(harness: Harness) -> UUID:
    """An endpoint that listens."""
    return listening(harness)


@pytest.mark.parametrize("rate", [1, 5])
def test_no_more_go_at_once_than_the_rate_cap_says_and_none_is_lost(harness: Harness, rate: int) -> None:
    capped = listening(harness, rate_limit=rate)
    keys = messages(harness, capped, 4 * rate)
    arrived: list[float] = []

    def answer(_message: object) -> SendResult:
        arrived.append(time.monotonic())
        return YES

    harness.http.answers = answer
    began = time.monotonic()
    all_at_once(harness.deliverer, keys)
    took = time.monotonic() - began
    assert rate <= len(arrived) <= rate * (1 + took)
    put_off = [key for key in keys if harness.row(key).state == "pending"]
    assert len(put_off) == len(keys) - len(arrived) > 0
    assert {harness.row(key).attempts for key in put_off} == {0}
    assert [attempts_kept(harness, key) for key in put_off] == [[]] * len(put_off)

    def all_arrived() -> bool:
        all_at_once(harness.deliverer, put_off)
        return len(arrived) == len(keys)

    eventually(all_arrived, "every message")
    assert len({message.webhook_id for message in harness.http.received}) == len(keys)
    assert {harness.row(key).attempts for key in keys} == {1}
    for number, moment in enumerate(arrived):
        assert number + 1 <= rate * (1 + moment - began)


def test_who_had_to_wait_often_waits_longer_for_the_rate_cap(harness: Harness) -> None:
    capped = listening(harness, rate_limit=1, next_send_at=func.now() + timedelta(minutes=1))
    for nudges, longest in [(0, 1), (1, 2), (3, 8), (4, 15), (500, 15)]:
        (key,) = messages(harness, capped)
        harness.change(key, nudges=nudges)
        harness.deliverer.deliver(key)
        row = harness.row(key)
        assert (row.state, row.attempts) == ("pending", 0)
        assert timedelta() < row.due_at - row.now <= longest * SECOND


@pytest.mark.parametrize(("wish", "at_least", "at_most"), [(3600, 3595, 3600), (0, 1, 6), (None, 1, 6)])
def test_a_wish_to_wait_only_ever_delays(
    harness: Harness, partner: UUID, wish: int | None, at_least: int, at_most: int
) -> None:
    retry_after = None if wish is None else timedelta(seconds=wish)
    answer = SendResult(error="The receiver answered 429.", status_code=429, retry_after=retry_after)
    row = harness.row(send_one(harness, partner, answer))
    assert at_least * SECOND < row.due_at - row.now <= at_most * SECOND


def test_a_retry_that_was_asked_for_has_all_its_attempts_again(harness: Harness, partner: UUID) -> None:
    key = use_up(harness, partner)
    with harness.transactions() as db:
        found = WebhookDelivery.of(db.execute(webhook_status_query(harness.row(key).id)).one())
        resend(db, actor=OPERATOR, delivery=found)
    row = harness.row(key)
    assert (row.state, row.attempts, row.forgiven) == (
        "pending",
        WEBHOOK_RETRY_POLICY.attempts,
        WEBHOOK_RETRY_POLICY.attempts,
    )
    for attempt in range(1, WEBHOOK_RETRY_POLICY.attempts + 1):
        assert harness.row(key).state == "pending"
        set_endpoint(harness, partner, open_until=None)
        harness.make_due(key)
        harness.deliverer.deliver(key)
        row = harness.row(key)
        assert row.attempts == WEBHOOK_RETRY_POLICY.attempts + attempt
        if attempt == 1:
            assert SECOND < row.due_at - row.now <= 6 * SECOND, "the policy's first pause"
    assert row.state == "dead"
