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
from tests.integration.harness import Harness
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, SendResult

DAY = timedelta(days=1)
NOTHING_AGAINST_IT = (0, None, None, None, None)


@pytest.fixture
def partner(harness: Harness) -> UUID:
    """An endpoint that listens."""
    return listening(harness)


def test_410_disables_at_once_others_are_told_and_what_is_left_is_cancelled(harness: Harness, partner: UUID) -> None:
    wanted = listening(harness, "https://watcher.example", event_types=["webhook_endpoint.*"])
    listening(harness, "https://else.example", event_types=["booking.*"])
    listening(harness, "https://mentor.example", event_types=["session.created"])
    (left,) = messages(harness, partner)
    first = send_one(harness, partner, GONE)
    row = endpoint(harness, partner)
    assert (row.state, row.disabled_reason) == ("disabled", "The receiver answered 410 Gone.")
    (event,) = announced(harness, "webhook_endpoint.disabled")
    assert event.data["webhook_endpoint_id"] == str(partner)
    assert harness.row(harness.key("webhooks.send", event.id, str(wanted))).state == "pending"
    assert harness.row(harness.key("webhooks.send", event.id, str(partner))).state == "cancelled", (
        "kept for its recovery"
    )
    assert (harness.row(first).state, harness.row(first).last_error) == ("dead", "The receiver answered 410.")
    assert announced(harness, "webhook_endpoint.exhausted") == [], "it was told of something worse"
    harness.make_due(left)
    harness.deliverer.deliver(left)
    assert (harness.row(left).state, harness.row(left).last_error) == ("cancelled", "The webhook endpoint is disabled.")
    assert len(harness.http.received) == 1


@pytest.mark.parametrize(("answer", "told"), [(GONE, "disabled"), (NO, "exhausted")])
def test_what_several_find_at_once_is_told_once(harness: Harness, partner: UUID, answer: SendResult, told: str) -> None:
    # The breaker has been opened by another meanwhile: what is found late is told once as well.
    for open_until in (None, func.now() + timedelta(minutes=1)):
        in_trouble = {"failures": 9, "failing_since": func.now(), "open_until": None, "exhausted_at": None}
        set_endpoint(harness, partner, state="active", disabled_reason=None, **in_trouble)
        keys = messages(harness, partner, 8)
        for key in keys:
            harness.change(key, attempts=WEBHOOK_RETRY_POLICY.attempts - 1)
        all_there = Barrier(len(keys), partial(set_endpoint, harness, partner, open_until=open_until))

        def wait_for_all(_message: object, all_there: Barrier = all_there) -> SendResult:
            all_there.wait(20)
            return answer

        before = len(announced(harness, f"webhook_endpoint.{told}"))
        harness.http.answers = wait_for_all
        all_at_once(harness.deliverer, keys, threads=len(keys))
        assert {harness.row(key).state for key in keys} == {"dead"}
        assert len(announced(harness, f"webhook_endpoint.{told}")) == before + 1


@pytest.mark.parametrize(
    ("failing_for", "state"),
    [(timedelta(days=5, seconds=-60), "active"), (timedelta(days=5), "disabled")],
)
def test_five_days_without_one_success_disable(
    harness: Harness, partner: UUID, failing_for: timedelta, state: str
) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - failing_for, warned_at=func.now() - 2 * DAY)
    send_one(harness, partner, NO)
    row = endpoint(harness, partner)
    assert row.state == state
    assert row.disabled_reason == ("No message was taken for five days." if state == "disabled" else None)
    assert len(announced(harness, "webhook_endpoint.disabled")) == (state == "disabled")


# Its last attempts may all have been made before the third day was over, and then for days there was none.
@pytest.mark.parametrize("failing_for", [timedelta(days=5), timedelta(days=6), timedelta(days=60)])
def test_nobody_is_disabled_who_was_not_warned_two_days_before(
    harness: Harness, partner: UUID, failing_for: timedelta
) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - failing_for)
    send_one(harness, partner, NO)
    assert (endpoint(harness, partner).state, len(announced(harness, "webhook_endpoint.failing"))) == ("active", 1)
    set_endpoint(harness, partner, warned_at=func.now() - 2 * DAY + timedelta(minutes=1))
    send_one(harness, partner, NO)
    assert (endpoint(harness, partner).state, announced(harness, "webhook_endpoint.disabled")) == ("active", [])
    set_endpoint(harness, partner, warned_at=func.now() - 2 * DAY)
    send_one(harness, partner, NO)
    assert (endpoint(harness, partner).state, len(announced(harness, "webhook_endpoint.disabled"))) == ("disabled", 1)
    assert len(announced(harness, "webhook_endpoint.failing")) == 1


def test_of_many_failures_after_five_days_one_disables(harness: Harness, partner: UUID) -> None:
    since = {"failing_since": func.now() - 6 * DAY, "warned_at": func.now() - 2 * DAY}
    set_endpoint(harness, partner, failures=1, **since)
    keys = messages(harness, partner, 5)
    everybody_sends = Event()

    def answer(_message: object) -> SendResult:
        if len(harness.http.received) == len(keys):
            everybody_sends.set()
        assert everybody_sends.wait(20)
        return NO

    harness.http.answers = answer
    all_at_once(harness.deliverer, keys)
    assert len(announced(harness, "webhook_endpoint.disabled")) == 1


def test_three_days_without_success_warn_once(harness: Harness, partner: UUID) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - timedelta(days=3) + timedelta(minutes=1))
    send_one(harness, partner, NO)
    assert announced(harness, "webhook_endpoint.failing") == []
    set_endpoint(harness, partner, failing_since=func.now() - timedelta(days=3))
    for _ in range(3):
        send_one(harness, partner, NO)
    assert len(announced(harness, "webhook_endpoint.failing")) == 1
    assert endpoint(harness, partner).state == "active"
    send_one(harness, partner, YES)
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - timedelta(days=4))
    send_one(harness, partner, NO)
    assert len(announced(harness, "webhook_endpoint.failing")) == 2, "a new row of failures is told anew"


# The policy's ten attempts take about three days: warning and last attempt may come together.
@pytest.mark.parametrize("failing_for", [timedelta(hours=1), timedelta(hours=75)])
def test_the_first_message_that_uses_up_its_attempts_is_told_once(
    harness: Harness, partner: UUID, failing_for: timedelta
) -> None:
    set_endpoint(harness, partner, failures=1, failing_since=func.now() - failing_for)
    use_up(harness, partner)
    assert len(announced(harness, "webhook_endpoint.exhausted")) == 1
    use_up(harness, partner)
    assert len(announced(harness, "webhook_endpoint.exhausted")) == 1


def test_an_endpoint_deleted_meanwhile_is_cancelled_quietly(
    harness: Harness, partner: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    (waiting, sending) = messages(harness, partner, 2)

    def delete_it(_message: object) -> SendResult:
        with harness.engine.begin() as db:
            db.execute(delete(webhook_endpoints))
        return NO

    harness.http.answers = delete_it
    harness.deliverer.deliver(sending)
    assert (harness.row(sending).state, harness.row(sending).last_error) == ("pending", NO.error)
    for key in (waiting, sending):
        harness.make_due(key)
        harness.deliverer.deliver(key)
        assert (harness.row(key).state, harness.row(key).last_error) == (
            "cancelled",
            "The webhook endpoint has been deleted.",
        )
    assert announced(harness, "webhook_endpoint.disabled") == []
    assert [line for line in caplog.records if line.levelname == "ERROR"] == []
