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
from tests.integration.house import House
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, SendResult
from workflows.events.store import webhook_status_query
from workflows.webhooks.deliveries import WebhookDelivery, resend

SECOND = timedelta(seconds=1)
NOTHING_AGAINST_IT = (0, None, None, None, None)


@pytest.fixture
def partner(house: House) -> UUID:
    """An endpoint that listens."""
    return listening(house)


@pytest.mark.parametrize("rate", [1, 5])
def test_no_more_go_at_once_than_the_rate_cap_says_and_none_is_lost(house: House, rate: int) -> None:
    capped = listening(house, rate_limit=rate)
    keys = messages(house, capped, 4 * rate)
    arrived: list[float] = []

    def answer(_message: object) -> SendResult:
        arrived.append(time.monotonic())
        return YES

    house.http.answers = answer
    began = time.monotonic()
    all_at_once(house.deliverer, keys)
    took = time.monotonic() - began
    assert rate <= len(arrived) <= rate * (1 + took)
    put_off = [key for key in keys if house.row(key).state == "pending"]
    assert len(put_off) == len(keys) - len(arrived) > 0
    assert {house.row(key).attempts for key in put_off} == {0}
    assert [attempts_kept(house, key) for key in put_off] == [[]] * len(put_off)

    def all_arrived() -> bool:
        all_at_once(house.deliverer, put_off)
        return len(arrived) == len(keys)

    eventually(all_arrived, "every message")
    assert len({message.webhook_id for message in house.http.received}) == len(keys)
    assert {house.row(key).attempts for key in keys} == {1}
    for number, moment in enumerate(arrived):
        assert number + 1 <= rate * (1 + moment - began)


def test_who_had_to_wait_often_waits_longer_for_the_rate_cap(house: House) -> None:
    capped = listening(house, rate_limit=1, next_send_at=func.now() + timedelta(minutes=1))
    for nudges, longest in [(0, 1), (1, 2), (3, 8), (4, 15), (500, 15)]:
        (key,) = messages(house, capped)
        house.change(key, nudges=nudges)
        house.deliverer.deliver(key)
        row = house.row(key)
        assert (row.state, row.attempts) == ("pending", 0)
        assert timedelta() < row.due_at - row.now <= longest * SECOND


@pytest.mark.parametrize(("wish", "at_least", "at_most"), [(3600, 3595, 3600), (0, 1, 6), (None, 1, 6)])
def test_a_wish_to_wait_only_ever_delays(
    house: House, partner: UUID, wish: int | None, at_least: int, at_most: int
) -> None:
    retry_after = None if wish is None else timedelta(seconds=wish)
    answer = SendResult(error="The receiver answered 429.", status_code=429, retry_after=retry_after)
    row = house.row(send_one(house, partner, answer))
    assert at_least * SECOND < row.due_at - row.now <= at_most * SECOND


def test_a_retry_that_was_asked_for_has_all_its_attempts_again(house: House, partner: UUID) -> None:
    key = use_up(house, partner)
    with house.transactions() as db:
        found = WebhookDelivery.of(db.execute(webhook_status_query(house.row(key).id)).one())
        resend(db, actor=OPERATOR, delivery=found)
    row = house.row(key)
    assert (row.state, row.attempts, row.forgiven) == (
        "pending",
        WEBHOOK_RETRY_POLICY.attempts,
        WEBHOOK_RETRY_POLICY.attempts,
    )
    for attempt in range(1, WEBHOOK_RETRY_POLICY.attempts + 1):
        assert house.row(key).state == "pending"
        set_endpoint(house, partner, open_until=None)
        house.make_due(key)
        house.deliverer.deliver(key)
        row = house.row(key)
        assert row.attempts == WEBHOOK_RETRY_POLICY.attempts + attempt
        if attempt == 1:
            assert SECOND < row.due_at - row.now <= 6 * SECOND, "the policy's first pause"
    assert row.state == "dead"
