"""Tests of an endpoint's circuit breaker: it opens, postpones, probes and closes."""

import itertools
import time
from collections import Counter
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from models.webhooks import EndpointState
from tests.eventually import eventually
from tests.factories import OPERATOR
from tests.integration.endpoints import (
    NO,
    YES,
    all_at_once,
    announced,
    attempts_kept,
    endpoint,
    listening,
    messages,
    send_one,
    set_endpoint,
    use_up,
)
from tests.integration.harness import Harness
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, Postpone, SendResult
from workflows.events.status import webhook_status_query
from workflows.events.subscriptions import load
from workflows.kernel.errors import Invalid
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.notifications.mails import SEND_MAIL
from workflows.webhooks.actions import change_endpoint, hasten_postponed, ping_endpoint, send_example
from workflows.webhooks.deliveries import WebhookDelivery, recover, resend
from workflows.webhooks.health import OPENS_AFTER_FAILURES
from workflows.webhooks.messages import utc
from workflows.webhooks.records import Endpoint

SECOND = timedelta(seconds=1)
NOTHING_AGAINST_IT = (0, None, None, None, None)


@pytest.fixture
def partner(harness: Harness) -> UUID:
    return listening(harness)


def record_of(harness: Harness, endpoint_id: UUID) -> tuple[Any, ...]:
    row = endpoint(harness, endpoint_id)
    return row.failures, row.failing_since, row.open_until, row.warned_at, row.exhausted_at


def trip(harness: Harness, endpoint_id: UUID) -> None:
    for _ in range(OPENS_AFTER_FAILURES):
        send_one(harness, endpoint_id, NO)
    harness.http.received.clear()


def found(db: Connection, delivery_id: UUID) -> WebhookDelivery:
    return WebhookDelivery.of(db.execute(webhook_status_query(delivery_id)).one())


def let_it_half_open(harness: Harness, endpoint_id: UUID) -> None:
    set_endpoint(harness, endpoint_id, open_until=func.now() - SECOND)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(9, None), (10, 30), (11, 60), (12, 120), (16, 1920), (17, 3600), (40, 3600)],
)
def test_from_the_tenth_failure_on_the_breaker_opens_longer_each_time(
    harness: Harness, partner: UUID, failures: int, seconds: int | None
) -> None:
    set_endpoint(harness, partner, failures=failures - 1, failing_since=func.now())
    now = harness.row(send_one(harness, partner, NO)).now
    row = endpoint(harness, partner)
    assert row.failures == failures
    if seconds is None:
        assert row.open_until is None
    else:
        assert timedelta(seconds=seconds - 5) < row.open_until - now <= timedelta(seconds=seconds)


def test_a_success_in_between_begins_the_row_anew(harness: Harness, partner: UUID) -> None:
    for answer in [NO] * 9 + [YES] + [NO] * 9:
        send_one(harness, partner, answer)
    row = endpoint(harness, partner)
    assert (row.failures, row.open_until) == (9, None)


def test_an_open_breaker_postpones_messages_without_counting_an_attempt(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    open_until = endpoint(harness, partner).open_until
    key = send_one(harness, partner, YES)
    row = harness.row(key)
    assert (row.state, row.attempts, row.lease_until) == ("pending", 0, None)
    assert f"circuit breaker is open until {utc(open_until)}" in row.last_error
    assert open_until <= row.due_at <= open_until + 5 * SECOND
    assert row.nudge_at == row.due_at
    assert attempts_kept(harness, key) == []
    assert harness.http.received == []


def test_an_open_breaker_keeps_the_count_of_earlier_attempts(harness: Harness, partner: UUID) -> None:
    key = send_one(harness, partner, NO)
    trip(harness, partner)
    assert (harness.delivered_again(key).attempts, attempts_kept(harness, key)) == (1, ["retry"])


def test_when_it_has_passed_exactly_one_of_many_probes(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    let_it_half_open(harness, partner)
    keys = messages(harness, partner, 10)
    due_at = {key: harness.row(key).due_at for key in keys}

    def others_put_off() -> bool:
        return [harness.row(key).due_at > due_at[key] for key in keys].count(True) == len(keys) - 1

    def answer(_message: object) -> SendResult:
        # The probe is still on its way when all others have asked.
        eventually(others_put_off, "the others, put off")
        return YES

    harness.http.answers = answer
    all_at_once(harness.deliverer, keys)
    assert len(harness.http.received) == 1
    states = Counter((harness.row(key).state, harness.row(key).attempts) for key in keys)
    assert states == {("done", 1): 1, ("pending", 0): 9}


def test_a_success_closes_the_breaker_and_paces_postponed_messages(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    set_endpoint(harness, partner, warned_at=func.now(), exhausted_at=func.now())
    waiting = messages(harness, partner, 5)
    all_at_once(harness.deliverer, waiting)
    let_it_half_open(harness, partner)
    send_one(harness, partner, YES)
    assert record_of(harness, partner) == NOTHING_AGAINST_IT
    rows = sorted(map(harness.row, waiting), key=lambda row: row.event_id)
    assert [row.due_at - rows[0].due_at for row in rows] == [place * SECOND / 25 for place in range(5)]
    assert rows[0].due_at <= rows[0].now
    assert all(row.nudge_at == row.due_at for row in rows)
    for key in waiting:
        harness.make_due(key)
    all_at_once(harness.deliverer, waiting)
    assert {harness.row(key).state for key in waiting} == {"done"}


def test_a_success_leaves_the_others_their_own_pauses(harness: Harness, partner: UUID) -> None:
    failed = send_one(harness, partner, NO)
    elsewhere = listening(harness, "https://other.example/in")
    (other,) = messages(harness, elsewhere)
    harness.change(other, due_at=func.now() + timedelta(hours=1))
    send_one(harness, partner, YES)
    assert harness.row(failed).due_at > harness.row(failed).now
    assert harness.row(other).due_at > harness.row(other).now


def test_failed_messages_postponed_later_become_due_with_the_success(harness: Harness, partner: UUID) -> None:
    failed = send_one(harness, partner, NO)
    trip(harness, partner)
    harness.delivered_again(failed)
    assert harness.row(failed).due_at > harness.row(failed).now + 20 * SECOND
    let_it_half_open(harness, partner)
    send_one(harness, partner, YES)
    row = harness.row(failed)
    assert (row.due_at <= row.now, row.attempts) == (True, 1)


def test_a_success_delays_no_message_that_is_due_earlier(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    waiting = messages(harness, partner, 60)
    for key in waiting:
        harness.change(key, due_at=func.now() + 10 * SECOND, put_off_until=func.now() + 10 * SECOND)
    harness.change(waiting[-1], due_at=func.now() + SECOND, put_off_until=func.now() + SECOND)
    before = harness.row(waiting[-1]).due_at
    let_it_half_open(harness, partner)
    send_one(harness, partner, YES)
    assert harness.row(waiting[-1]).due_at == before
    assert all(row.due_at < row.now + 3 * SECOND for row in map(harness.row, waiting))


def test_recovered_messages_keep_their_pace_after_a_success(harness: Harness, partner: UUID) -> None:
    dead = messages(harness, partner, 50)
    for key in dead:
        harness.change(key, state="dead", attempts=WEBHOOK_RETRY_POLICY.attempts)
    send_one(harness, partner, NO)
    with harness.transactions() as db:
        found = Endpoint.of(db.execute(Endpoint.by_id(partner)).one())
        now = db.execute(select(func.now())).scalar_one()
        assert recover(db, actor=OPERATOR, endpoint=found, since=now - timedelta(hours=1), now=now) == 50
    send_one(harness, partner, YES)
    dues = sorted(harness.row(key).due_at for key in dead)
    assert dues[-1] - dues[0] > SECOND, "25 a second"


def test_a_probe_that_fails_opens_it_for_longer(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    let_it_half_open(harness, partner)
    key = send_one(harness, partner, NO)
    row = endpoint(harness, partner)
    assert row.failures == OPENS_AFTER_FAILURES + 1
    assert timedelta(seconds=55) < row.open_until - harness.row(key).now <= timedelta(seconds=60)


@pytest.mark.parametrize("before", [OPENS_AFTER_FAILURES - 4, OPENS_AFTER_FAILURES - 1])
def test_failures_that_were_on_their_way_together_open_it_once(harness: Harness, partner: UUID, before: int) -> None:
    set_endpoint(harness, partner, failures=before, failing_since=func.now())
    keys = messages(harness, partner, 9)
    all_there = Barrier(len(keys))

    def answer(_message: object) -> SendResult:
        all_there.wait(20)
        return NO

    harness.http.answers = answer
    all_at_once(harness.deliverer, keys, threads=len(keys))
    row = endpoint(harness, partner)
    assert row.failures == OPENS_AFTER_FAILURES
    assert row.open_until - harness.row(keys[0]).now <= 30 * SECOND


def test_a_late_failure_does_not_prolong_an_open_breaker(harness: Harness, partner: UUID) -> None:
    (late,) = messages(harness, partner)

    def answer(_message: object) -> SendResult:
        # While it is on its way the breaker opens, and a probe fails.
        trip(harness, partner)
        let_it_half_open(harness, partner)
        send_one(harness, partner, NO)
        return NO

    harness.http.answers = answer
    harness.deliverer.deliver(late)
    row = endpoint(harness, partner)
    assert row.failures == OPENS_AFTER_FAILURES + 1
    assert timedelta(seconds=50) < row.open_until - harness.row(late).now <= timedelta(seconds=60)


def no_room(_message: object) -> SendResult:
    raise Postpone(SECOND, "As many messages as allowed are already being sent to its destination.")


def test_a_probe_without_room_is_given_back(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    let_it_half_open(harness, partner)
    (key,) = messages(harness, partner)
    harness.http.answers = no_room
    row = harness.delivered(key)
    assert (row.state, row.attempts, row.due_at - row.now < 2 * SECOND) == ("pending", 0, True)
    # Another message probes at once.
    assert harness.row(send_one(harness, partner, YES)).state == "done"
    assert record_of(harness, partner) == NOTHING_AGAINST_IT


def test_a_ping_without_room_leaves_the_breaker_open(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    before = endpoint(harness, partner).open_until
    with harness.transactions() as db:
        found = Endpoint.of(db.execute(Endpoint.by_id(partner)).one())
        now = db.execute(select(func.now())).scalar_one()
        ping = ping_endpoint(db, actor=OPERATOR, endpoint=found, now=now)
    harness.http.answers = no_room
    assert harness.row(harness.deliver("webhooks.send", ping.id)).attempts == 0
    assert endpoint(harness, partner).open_until == before


def test_a_prober_that_dies_is_followed_by_another(harness: Harness, partner: UUID) -> None:
    class Killed(BaseException):
        pass

    def die(_message: object) -> SendResult:
        raise Killed

    trip(harness, partner)
    let_it_half_open(harness, partner)
    first, second = messages(harness, partner, 2)
    harness.http.answers = die
    with pytest.raises(Killed):
        harness.deliverer.deliver(first)
    harness.http.answers = lambda _message: YES
    harness.deliverer.deliver(second)
    assert harness.row(second).due_at - harness.row(second).now <= timedelta(seconds=65)
    let_it_half_open(harness, partner)
    assert harness.delivered_again(second).state == "done"


def test_a_ping_and_an_example_pass_an_open_breaker(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    with harness.transactions() as db:
        found = Endpoint.of(db.execute(Endpoint.by_id(partner)).one())
        now = db.execute(select(func.now())).scalar_one()
        ping = ping_endpoint(db, actor=OPERATOR, endpoint=found, now=now)
        example = send_example(db, actor=OPERATOR, endpoint=found, event_type="session.completed", now=now)
    for event in (example, ping):
        harness.http.answers = lambda _message: NO
        harness.deliver("webhooks.send", event.id)
    assert [message.webhook_id for message in harness.http.received] == [example.id, ping.id]
    harness.http.answers = lambda _message: YES
    key = harness.key("webhooks.send", ping.id)
    harness.delivered_again(key)
    assert record_of(harness, partner) == NOTHING_AGAINST_IT


@pytest.mark.parametrize("rate", [1, 5])
def test_the_rate_limit_holds_and_loses_no_message(harness: Harness, rate: int) -> None:
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


def test_a_message_takes_its_turn_once(harness: Harness) -> None:
    capped = listening(harness, rate_limit=1, next_send_at=func.now() + timedelta(minutes=1))
    keys = messages(harness, capped, 3)
    for key in keys:
        harness.deliverer.deliver(key)
    rows = [harness.row(key) for key in keys]
    assert {(row.state, row.attempts, row.lease_until, row.turn_rate) for row in rows} == {("pending", 0, None, 1)}
    assert [row.due_at - rows[0].due_at for row in rows] == [0 * SECOND, SECOND, 2 * SECOND]
    assert rows[0].due_at > rows[0].now + 50 * SECOND
    assert {row.nudge_at - row.due_at for row in rows} == {2 * SECOND}
    assert {row.last_error for row in rows} == {"The endpoint's rate limit is reached."}
    line = endpoint(harness, capped).next_send_at
    harness.change(keys[2], due_at=func.now())
    harness.deliverer.deliver(keys[2])
    assert [message.webhook_id for message in harness.http.received] == [keys[2].event_id]
    assert endpoint(harness, capped).next_send_at == line
    # A retry is another message, which takes a turn of its own.
    harness.http.answers = lambda _message: NO
    for _ in range(2):
        harness.change(keys[1], due_at=func.now())
        harness.deliverer.deliver(keys[1])
    assert (harness.row(keys[1]).attempts, harness.row(keys[1]).due_at) == (1, line)


def test_a_turn_that_was_missed_is_not_made_up_for(harness: Harness) -> None:
    capped = listening(harness, rate_limit=1, next_send_at=func.now() + timedelta(minutes=1))
    (key,) = messages(harness, capped)
    harness.deliverer.deliver(key)
    line = endpoint(harness, capped).next_send_at
    harness.change(key, due_at=func.now() - 3 * SECOND)
    assert (harness.delivered(key).due_at, harness.http.received) == (line, [])


def test_resent_messages_keep_to_the_rate_limit(harness: Harness) -> None:
    capped = listening(harness, rate_limit=1, next_send_at=func.now() + timedelta(minutes=1))
    keys = messages(harness, capped, 3)
    harness.deliverer.deliver(*keys)
    turns = [harness.row(key).due_at for key in keys]
    for key in keys:
        with harness.transactions() as db:
            resend(db, actor=OPERATOR, delivery=found(db, harness.row(key).id))
    harness.deliverer.deliver(*keys)
    assert ([harness.row(key).due_at for key in keys], harness.http.received) == (turns, [])


@pytest.mark.parametrize(("before", "after", "most"), [(1, 1000, SECOND), (1, None, SECOND), (5, 1, 60 * SECOND)])
def test_turns_follow_a_change_of_the_rate(harness: Harness, before: int, after: int | None, most: timedelta) -> None:
    capped = listening(harness, rate_limit=before)
    keys = messages(harness, capped, 3 * before)
    harness.deliverer.deliver(*keys)
    waiting = [key for key in keys if harness.row(key).state == "pending"]
    assert len(waiting) == 2 * before
    with harness.transactions() as db:
        found = Endpoint.of(db.execute(Endpoint.by_id(capped)).one())
        change_endpoint(
            db, actor=OPERATOR, endpoint=found, changes={"rate_limit": after}, seal=str, now=found.created_at
        )
    if after == 1:
        # A message that had its turn under the higher limit takes another one.
        for key in waiting:
            harness.change(key, due_at=func.now())
        harness.deliverer.deliver(*waiting)
        pending = sorted(row.due_at for row in map(harness.row, waiting) if row.state == "pending")
        assert {then - first for first, then in itertools.pairwise(pending)} == {SECOND}
        assert len(pending) == len(waiting) - 1
    assert all(row.due_at <= row.now + most for row in map(harness.row, waiting))
    assert endpoint(harness, capped).hastens is False


def test_a_long_backlog_is_hastened_page_by_page(harness: Harness, partner: UUID) -> None:
    set_endpoint(harness, partner, hastens=True)
    waiting = messages(harness, partner, 7)
    for key in waiting:
        harness.change(key, due_at=func.now() + timedelta(hours=1), put_off_until=func.now() + timedelta(hours=1))
    rounds: list[bool] = []
    while not rounds or rounds[-1]:
        with harness.transactions() as db:
            rounds.append(hasten_postponed(db, limit=3))
    assert rounds == [True, True, False]
    rows = [harness.row(key) for key in waiting]
    dues = sorted(row.due_at for row in rows)
    assert {then - first for first, then in itertools.pairwise(dues)} == {SECOND / 25}
    assert endpoint(harness, partner).hastens is False


def test_a_success_is_written_whatever_becomes_of_what_waited(
    harness: Harness, partner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(*_args: object) -> bool:
        raise OperationalError("UPDATE", {}, psycopg.errors.QueryCanceled("statement timeout"))

    trip(harness, partner)
    let_it_half_open(harness, partner)
    monkeypatch.setattr("workflows.effects.webhooks.hasten_postponed", cancelled)
    assert harness.row(send_one(harness, partner, YES)).state == "done"
    assert endpoint(harness, partner).hastens is True


def test_a_message_that_cannot_be_sent_takes_no_probe(
    harness: Harness, partner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    trip(harness, partner)
    let_it_half_open(harness, partner)
    before = endpoint(harness, partner).open_until

    def too_large(_event: object) -> bytes:
        raise Invalid("The message is too large.")

    monkeypatch.setattr("workflows.effects.webhooks.body_of", too_large)
    assert harness.row(send_one(harness, partner, YES)).state == "cancelled"
    assert endpoint(harness, partner).open_until == before


def test_a_resend_has_all_its_attempts_again(harness: Harness, partner: UUID) -> None:
    key = use_up(harness, partner)
    with harness.transactions() as db:
        resend(db, actor=OPERATOR, delivery=found(db, harness.row(key).id))
    row = harness.row(key)
    assert (row.state, row.attempts, row.forgiven) == (
        "pending",
        WEBHOOK_RETRY_POLICY.attempts,
        WEBHOOK_RETRY_POLICY.attempts,
    )
    for attempt in range(1, WEBHOOK_RETRY_POLICY.attempts + 1):
        assert harness.row(key).state == "pending"
        set_endpoint(harness, partner, open_until=None)
        row = harness.delivered_again(key)
        assert row.attempts == WEBHOOK_RETRY_POLICY.attempts + attempt
        if attempt == 1:
            assert SECOND < row.due_at - row.now <= 6 * SECOND, "the policy's first pause"
    assert row.state == "dead"


def test_the_operators_retry_schedule_is_followed_to_the_end(harness: Harness) -> None:
    strict = Harness(harness.engine, load().with_policy(OperatorPolicy(webhook_retry_schedule=(60,))))
    partner = listening(strict)
    key = send_one(strict, partner, NO)
    row = strict.row(key)
    assert timedelta(seconds=48 - 1) < row.due_at - row.now < timedelta(seconds=72)
    assert announced(strict, "webhook_endpoint.exhausted") == []
    assert (strict.delivered_again(key).state, attempts_kept(strict, key)) == ("dead", ["retry", "dead"])
    assert len(announced(strict, "webhook_endpoint.exhausted")) == 1


def test_other_effects_keep_their_own_retry_schedule() -> None:
    chosen = load().with_policy(OperatorPolicy(webhook_retry_schedule=(60,)))
    mail = chosen.named("mail.send")
    assert mail is not None
    assert mail.policy == SEND_MAIL.policy


@pytest.mark.parametrize("change", ["a pause", "a new address"])
def test_a_change_that_closes_the_breaker_releases_what_waited(harness: Harness, partner: UUID, change: str) -> None:
    set_endpoint(harness, partner, failures=15, failing_since=func.now(), open_until=func.now() + timedelta(minutes=9))
    waiting = send_one(harness, partner, YES)
    steps = [{"url": "https://elsewhere.example/in"}]
    if change == "a pause":
        steps = [{"state": EndpointState.PAUSED}, {"state": EndpointState.ACTIVE}]
    for changes in steps:
        with harness.transactions() as db:
            found = Endpoint.of(db.execute(Endpoint.by_id(partner)).one())
            now = db.execute(select(func.now())).scalar_one()
            change_endpoint(db, actor=OPERATOR, endpoint=found, changes=changes, seal=str, now=now)
    harness.run_all("webhooks")
    row = harness.row(waiting)
    assert (row.state, row.attempts) == ("done", 1)


def test_pings_that_fail_do_not_lengthen_the_breakers_pause(harness: Harness, partner: UUID) -> None:
    trip(harness, partner)
    before = record_of(harness, partner)
    with harness.transactions() as db:
        found = Endpoint.of(db.execute(Endpoint.by_id(partner)).one())
        now = db.execute(select(func.now())).scalar_one()
        pings = [ping_endpoint(db, actor=OPERATOR, endpoint=found, now=now) for _ in range(3)]
    for ping in pings:
        harness.deliver("webhooks.send", ping.id)
    assert len(harness.http.received) == 3
    assert record_of(harness, partner) == before
