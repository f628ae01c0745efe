"""Tests of what ends in disabling an endpoint, and of the warnings before: each told once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from threading import Barrier, Event
from uuid import UUID

import pytest
from sqlalchemy import delete, func

from models.webhooks import webhook_endpoints
from tests.integration.endpoints import (
    GONE,
    NO,
    YES,
    all_at_once,
    announced,
    endpoint,
    listening,
    messages,
    send_one,
    set_endpoint,
    use_up,
)
from tests.integration.house import House
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, SendResult

DAY = timedelta(days=1)
NOTHING_AGAINST_IT = (0, None, None, None, None)


@pytest.fixture
def partner(house: House) -> UUID:
    """An endpoint that listens."""
    return listening(house)


def test_410_disables_at_once_others_are_told_and_what_is_left_is_cancelled(house: House, partner: UUID) -> None:
    wanted = listening(house, "https://watcher.example", event_types=["webhook_endpoint.*"])
    listening(house, "https://else.example", event_types=["booking.*"])
    listening(house, "https://mentor.example", event_types=["session.created"])
    (left,) = messages(house, partner)
    first = send_one(house, partner, GONE)
    row = endpoint(house, partner)
    assert (row.state, row.disabled_reason) == ("disabled", "The receiver answered 410 Gone.")
    (event,) = announced(house, "webhook_endpoint.disabled")
    assert event.data["webhook_endpoint_id"] == str(partner)
    assert house.row(house.key("webhooks.send", event.id, str(wanted))).state == "pending"
    assert house.row(house.key("webhooks.send", event.id, str(partner))).state == "cancelled", "kept for its recovery"
    assert (house.row(first).state, house.row(first).last_error) == ("dead", "The receiver answered 410.")
    assert announced(house, "webhook_endpoint.exhausted") == [], "it was told of something worse"
    house.make_due(left)
    house.deliverer.deliver(left)
    assert (house.row(left).state, house.row(left).last_error) == ("cancelled", "The webhook endpoint is disabled.")
    assert len(house.http.received) == 1


@pytest.mark.parametrize(("answer", "told"), [(GONE, "disabled"), (NO, "exhausted")])
def test_what_several_find_at_once_is_told_once(house: House, partner: UUID, answer: SendResult, told: str) -> None:
    # The breaker has been opened by another meanwhile: what is found late is told once as well.
    for open_until in (None, func.now() + timedelta(minutes=1)):
        in_trouble = {"failures": 9, "failing_since": func.now(), "open_until": None, "exhausted_at": None}
        set_endpoint(house, partner, state="active", disabled_reason=None, **in_trouble)
        keys = messages(house, partner, 8)
        for key in keys:
            house.change(key, attempts=WEBHOOK_RETRY_POLICY.attempts - 1)
        all_there = Barrier(len(keys), partial(set_endpoint, house, partner, open_until=open_until))

        def wait_for_all(_message: object, all_there: Barrier = all_there) -> SendResult:
            all_there.wait(20)
            return answer

        before = len(announced(house, f"webhook_endpoint.{told}"))
        house.http.answers = wait_for_all
        all_at_once(house.deliverer, keys, threads=len(keys))
        assert {house.row(key).state for key in keys} == {"dead"}
        assert len(announced(house, f"webhook_endpoint.{told}")) == before + 1


@pytest.mark.parametrize(
    ("failing_for", "state"),
    [(timedelta(days=5, seconds=-60), "active"), (timedelta(days=5), "disabled")],
)
def test_five_days_without_one_success_disable(house: House, partner: UUID, failing_for: timedelta, state: str) -> None:
    set_endpoint(house, partner, failures=1, failing_since=func.now() - failing_for, warned_at=func.now() - 2 * DAY)
    send_one(house, partner, NO)
    row = endpoint(house, partner)
    assert row.state == state
    assert row.disabled_reason == ("No message was taken for five days." if state == "disabled" else None)
    assert len(announced(house, "webhook_endpoint.disabled")) == (state == "disabled")


# Its last attempts may all have been made before the third day was over, and then for days there was none.
@pytest.mark.parametrize("failing_for", [timedelta(days=5), timedelta(days=6), timedelta(days=60)])
def test_nobody_is_disabled_who_was_not_warned_two_days_before(
    house: House, partner: UUID, failing_for: timedelta
) -> None:
    set_endpoint(house, partner, failures=1, failing_since=func.now() - failing_for)
    send_one(house, partner, NO)
    assert (endpoint(house, partner).state, len(announced(house, "webhook_endpoint.failing"))) == ("active", 1)
    set_endpoint(house, partner, warned_at=func.now() - 2 * DAY + timedelta(minutes=1))
    send_one(house, partner, NO)
    assert (endpoint(house, partner).state, announced(house, "webhook_endpoint.disabled")) == ("active", [])
    set_endpoint(house, partner, warned_at=func.now() - 2 * DAY)
    send_one(house, partner, NO)
    assert (endpoint(house, partner).state, len(announced(house, "webhook_endpoint.disabled"))) == ("disabled", 1)
    assert len(announced(house, "webhook_endpoint.failing")) == 1


def test_of_many_failures_after_five_days_one_disables(house: House, partner: UUID) -> None:
    since = {"failing_since": func.now() - 6 * DAY, "warned_at": func.now() - 2 * DAY}
    set_endpoint(house, partner, failures=1, **since)
    keys = messages(house, partner, 5)
    everybody_sends = Event()

    def answer(_message: object) -> SendResult:
        if len(house.http.received) == len(keys):
            everybody_sends.set()
        assert everybody_sends.wait(20)
        return NO

    house.http.answers = answer
    all_at_once(house.deliverer, keys)
    assert len(announced(house, "webhook_endpoint.disabled")) == 1


def test_three_days_without_success_warn_once(house: House, partner: UUID) -> None:
    set_endpoint(house, partner, failures=1, failing_since=func.now() - timedelta(days=3) + timedelta(minutes=1))
    send_one(house, partner, NO)
    assert announced(house, "webhook_endpoint.failing") == []
    set_endpoint(house, partner, failing_since=func.now() - timedelta(days=3))
    for _ in range(3):
        send_one(house, partner, NO)
    assert len(announced(house, "webhook_endpoint.failing")) == 1
    assert endpoint(house, partner).state == "active"
    send_one(house, partner, YES)
    set_endpoint(house, partner, failures=1, failing_since=func.now() - timedelta(days=4))
    send_one(house, partner, NO)
    assert len(announced(house, "webhook_endpoint.failing")) == 2, "a new row of failures is told anew"


# The policy's ten attempts take about three days: warning and last attempt may come together.
@pytest.mark.parametrize("failing_for", [timedelta(hours=1), timedelta(hours=75)])
def test_the_first_message_that_uses_up_its_attempts_is_told_once(
    house: House, partner: UUID, failing_for: timedelta
) -> None:
    set_endpoint(house, partner, failures=1, failing_since=func.now() - failing_for)
    use_up(house, partner)
    assert len(announced(house, "webhook_endpoint.exhausted")) == 1
    use_up(house, partner)
    assert len(announced(house, "webhook_endpoint.exhausted")) == 1


def test_an_endpoint_deleted_meanwhile_is_cancelled_quietly(
    house: House, partner: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    (waiting, sending) = messages(house, partner, 2)

    def delete_it(_message: object) -> SendResult:
        with house.engine.begin() as db:
            db.execute(delete(webhook_endpoints))
        return NO

    house.http.answers = delete_it
    house.deliverer.deliver(sending)
    assert (house.row(sending).state, house.row(sending).last_error) == ("pending", NO.error)
    for key in (waiting, sending):
        house.make_due(key)
        house.deliverer.deliver(key)
        assert (house.row(key).state, house.row(key).last_error) == (
            "cancelled",
            "The webhook endpoint has been deleted.",
        )
    assert announced(house, "webhook_endpoint.disabled") == []
    assert [line for line in caplog.records if line.levelname == "ERROR"] == []
