"""Tests of an endpoint's circuit breaker: it opens, spares whoever fails, probes, and closes as if nothing had been."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.eventually import eventually
from tests.factories import OPERATOR
from tests.integration.endpoints import (
    NO,
    YES,
    all_at_once,
    attempts_kept,
    endpoint,
    listening,
    messages,
    send_one,
    set_endpoint,
)
from tests.integration.house import House
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, SendResult
from workflows.webhooks.deliveries import recover
from workflows.webhooks.endpoints import Endpoint, endpoint_query, ping_endpoint, send_example
from workflows.webhooks.health import OPENS_AFTER_FAILURES

SECOND = timedelta(seconds=1)
NOTHING_AGAINST_IT = (0, None, None, None, None)


@pytest.fixture
def partner(house: House) -> UUID:
    """An endpoint that listens."""
    return listening(house)


def record_of(house: House, endpoint_id: UUID) -> tuple[Any, ...]:
    """What is held against the endpoint."""
    row = endpoint(house, endpoint_id)
    return row.failures, row.failing_since, row.open_until, row.warned_at, row.exhausted_at


def trip(house: House, endpoint_id: UUID) -> None:
    """Let ten messages in a row fail."""
    for _ in range(OPENS_AFTER_FAILURES):
        send_one(house, endpoint_id, NO)
    house.http.received.clear()


def let_it_half_open(house: House, endpoint_id: UUID) -> None:
    """Let the time pass for which the breaker is open."""
    set_endpoint(house, endpoint_id, open_until=func.now() - SECOND)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(9, None), (10, 30), (11, 60), (12, 120), (16, 1920), (17, 3600), (40, 3600)],
)
def test_the_tenth_failure_in_a_row_opens_the_breaker_and_each_further_one_for_longer(
    house: House, partner: UUID, failures: int, seconds: int | None
) -> None:
    set_endpoint(house, partner, failures=failures - 1, failing_since=func.now())
    now = house.row(send_one(house, partner, NO)).now
    row = endpoint(house, partner)
    assert row.failures == failures
    if seconds is None:
        assert row.open_until is None
    else:
        assert timedelta(seconds=seconds - 5) < row.open_until - now <= timedelta(seconds=seconds)


def test_a_success_in_between_begins_the_row_anew(house: House, partner: UUID) -> None:
    for answer in [NO] * 9 + [YES] + [NO] * 9:
        send_one(house, partner, answer)
    row = endpoint(house, partner)
    assert (row.failures, row.open_until) == (9, None)


def test_while_the_breaker_is_open_messages_are_put_off_and_no_attempt_is_counted(house: House, partner: UUID) -> None:
    trip(house, partner)
    open_until = endpoint(house, partner).open_until
    key = send_one(house, partner, YES)
    row = house.row(key)
    assert (row.state, row.attempts, row.lease_until, row.last_error) == ("pending", 0, None, None)
    assert open_until <= row.due_at <= open_until + 5 * SECOND
    assert row.nudge_at == row.due_at
    assert attempts_kept(house, key) == []
    assert house.http.received == []


def test_a_message_that_failed_before_keeps_its_count_while_the_breaker_is_open(house: House, partner: UUID) -> None:
    key = send_one(house, partner, NO)
    trip(house, partner)
    house.make_due(key)
    house.deliverer.deliver(key)
    assert (house.row(key).attempts, attempts_kept(house, key)) == (1, ["retry"])


def test_when_it_has_passed_exactly_one_of_many_probes(house: House, partner: UUID) -> None:
    trip(house, partner)
    let_it_half_open(house, partner)
    keys = messages(house, partner, 10)
    due_at = {key: house.row(key).due_at for key in keys}

    def others_put_off() -> bool:
        return sum(house.row(key).due_at > due_at[key] for key in keys) == len(keys) - 1

    def answer(_message: object) -> SendResult:
        # The probe is still on its way when all others have asked.
        eventually(others_put_off, "the others, put off")
        return YES

    house.http.answers = answer
    all_at_once(house.deliverer, keys)
    assert len(house.http.received) == 1
    states = Counter((house.row(key).state, house.row(key).attempts) for key in keys)
    assert states == {("done", 1): 1, ("pending", 0): 9}


def test_a_success_resets_everything_and_what_was_put_off_is_due_at_a_pace(house: House, partner: UUID) -> None:
    trip(house, partner)
    set_endpoint(house, partner, warned_at=func.now(), exhausted_at=func.now())
    waiting = messages(house, partner, 5)
    all_at_once(house.deliverer, waiting)
    let_it_half_open(house, partner)
    send_one(house, partner, YES)
    assert record_of(house, partner) == NOTHING_AGAINST_IT
    rows = sorted(map(house.row, waiting), key=lambda row: row.event_id)
    assert [row.due_at - rows[0].due_at for row in rows] == [place * SECOND / 25 for place in range(5)]
    assert rows[0].due_at <= rows[0].now
    assert all(row.nudge_at == row.due_at for row in rows)
    for key in waiting:
        house.make_due(key)
    all_at_once(house.deliverer, waiting)
    assert {house.row(key).state for key in waiting} == {"done"}


def test_a_success_leaves_the_others_their_own_pauses(house: House, partner: UUID) -> None:
    failed = send_one(house, partner, NO)
    elsewhere = listening(house, "https://other.example/in")
    (other,) = messages(house, elsewhere)
    house.change(other, due_at=func.now() + timedelta(hours=1))
    send_one(house, partner, YES)
    assert house.row(failed).due_at > house.row(failed).now
    assert house.row(other).due_at > house.row(other).now


def test_what_failed_and_was_put_off_later_is_called_for_as_well(house: House, partner: UUID) -> None:
    failed = send_one(house, partner, NO)
    trip(house, partner)
    house.make_due(failed)
    house.deliverer.deliver(failed)
    assert house.row(failed).due_at > house.row(failed).now + 20 * SECOND
    let_it_half_open(house, partner)
    send_one(house, partner, YES)
    row = house.row(failed)
    assert (row.due_at <= row.now, row.attempts) == (True, 1)


def test_nothing_is_called_for_later_than_it_was_due_anyway(house: House, partner: UUID) -> None:
    trip(house, partner)
    waiting = messages(house, partner, 60)
    for key in waiting:
        house.change(key, due_at=func.now() + 10 * SECOND, put_off_until=func.now() + 10 * SECOND)
    house.change(waiting[-1], due_at=func.now() + SECOND, put_off_until=func.now() + SECOND)
    before = house.row(waiting[-1]).due_at
    let_it_half_open(house, partner)
    send_one(house, partner, YES)
    assert house.row(waiting[-1]).due_at == before
    assert all(row.due_at < row.now + 3 * SECOND for row in map(house.row, waiting))


def test_what_is_recovered_keeps_its_pace_when_the_endpoint_answers_again(house: House, partner: UUID) -> None:
    dead = messages(house, partner, 50)
    for key in dead:
        house.change(key, state="dead", attempts=WEBHOOK_RETRY_POLICY.attempts)
    send_one(house, partner, NO)
    with house.transactions() as db:
        found = Endpoint.of(db.execute(endpoint_query(partner)).one())
        now = db.execute(select(func.now())).scalar_one()
        assert recover(db, actor=OPERATOR, endpoint=found, since=now - timedelta(hours=1), now=now) == 50
    send_one(house, partner, YES)
    dues = sorted(house.row(key).due_at for key in dead)
    assert dues[-1] - dues[0] > SECOND, "25 a second"


def test_a_probe_that_fails_opens_it_for_longer(house: House, partner: UUID) -> None:
    trip(house, partner)
    let_it_half_open(house, partner)
    key = send_one(house, partner, NO)
    row = endpoint(house, partner)
    assert row.failures == OPENS_AFTER_FAILURES + 1
    assert timedelta(seconds=55) < row.open_until - house.row(key).now <= timedelta(seconds=60)


@pytest.mark.parametrize("before", [OPENS_AFTER_FAILURES - 4, OPENS_AFTER_FAILURES - 1])
def test_failures_that_were_on_their_way_together_open_it_once(house: House, partner: UUID, before: int) -> None:
    set_endpoint(house, partner, failures=before, failing_since=func.now())
    keys = messages(house, partner, 9)
    all_there = Barrier(len(keys))

    def answer(_message: object) -> SendResult:
        all_there.wait(20)
        return NO

    house.http.answers = answer
    all_at_once(house.deliverer, keys, threads=len(keys))
    row = endpoint(house, partner)
    assert row.failures == OPENS_AFTER_FAILURES
    assert row.open_until - house.row(keys[0]).now <= 30 * SECOND


def test_a_late_failure_does_not_prolong_what_a_probe_has_found(house: House, partner: UUID) -> None:
    (late,) = messages(house, partner)

    def answer(_message: object) -> SendResult:
        # While it is on its way the breaker opens, and a probe fails.
        trip(house, partner)
        let_it_half_open(house, partner)
        send_one(house, partner, NO)
        return NO

    house.http.answers = answer
    house.deliverer.deliver(late)
    row = endpoint(house, partner)
    assert row.failures == OPENS_AFTER_FAILURES + 1
    assert timedelta(seconds=50) < row.open_until - house.row(late).now <= timedelta(seconds=60)


def test_a_prober_that_dies_is_followed_by_another(house: House, partner: UUID) -> None:
    class Killed(BaseException):
        pass

    def die(_message: object) -> SendResult:
        raise Killed

    trip(house, partner)
    let_it_half_open(house, partner)
    first, second = messages(house, partner, 2)
    house.http.answers = die
    with pytest.raises(Killed):
        house.deliverer.deliver(first)
    house.http.answers = lambda _message: YES
    house.deliverer.deliver(second)
    assert house.row(second).due_at - house.row(second).now <= timedelta(seconds=65)
    let_it_half_open(house, partner)
    house.make_due(second)
    house.deliverer.deliver(second)
    assert house.row(second).state == "done"


def test_a_ping_and_an_example_pass_an_open_breaker(house: House, partner: UUID) -> None:
    trip(house, partner)
    with house.transactions() as db:
        found = Endpoint.of(db.execute(endpoint_query(partner)).one())
        now = db.execute(select(func.now())).scalar_one()
        ping = ping_endpoint(db, actor=OPERATOR, endpoint=found, now=now)
        example = send_example(db, actor=OPERATOR, endpoint=found, event_type="session.completed", now=now)
    for event in (example, ping):
        house.http.answers = lambda _message: NO
        house.deliver("webhooks.send", event.id)
    assert [message.webhook_id for message in house.http.received] == [example.id, ping.id]
    house.http.answers = lambda _message: YES
    key = house.key("webhooks.send", ping.id)
    house.make_due(key)
    house.deliverer.deliver(key)
    assert record_of(house, partner) == NOTHING_AGAINST_IT
