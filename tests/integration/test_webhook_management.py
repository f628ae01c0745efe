"""Tests of what owners do with their endpoints: what reaches the receiver, and what happens when two act at once."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, insert, select
from uuid_utils.compat import uuid7

from models.events import DeliveryState, deliveries, delivery_attempts, events
from models.webhooks import EndpointState, Signing, webhook_endpoints, webhook_secrets
from tests.concurrency.racing import Race, codes, winners
from tests.factories import make_booking
from tests.integration.endpoints import messages
from tests.integration.harness import Harness
from tests.queries import execute, scalars
from workflows.events.delivery import DeliveryKey
from workflows.events.status import webhook_status_query
from workflows.identity.actor import Actor
from workflows.webhooks.actions import (
    activate,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    rotate_secret,
    send_example,
)
from workflows.webhooks.deliveries import WebhookDelivery, recover, resend
from workflows.webhooks.messages import example_message
from workflows.webhooks.quotas import MAX_ENDPOINTS
from workflows.webhooks.records import Endpoint

OPERATOR = Actor(operator=True, name="operator:1")
NOW = datetime.now(UTC)
ROUNDS = 10


@pytest.fixture
def race(harness: Harness) -> Iterator[Race]:
    race = Race(harness.engine, 5)
    yield race
    race.close()


def created(db: Connection, number: int = 0, **fields: Any) -> Endpoint:
    return create_endpoint(
        db,
        actor=OPERATOR,
        url=f"https://partner.example/{number}",
        event_types=["booking.*"],
        seal=lambda secret: f"sealed:{secret}",
        now=NOW,
        **fields,
    )


def listening(harness: Harness, **fields: Any) -> Endpoint:
    with harness.transactions() as db:
        endpoint = created(db, **fields)
    harness.run_all()
    harness.http.received.clear()
    return as_it_is(harness, endpoint)


def as_it_is(harness: Harness, endpoint: Endpoint) -> Endpoint:
    return Endpoint.of(execute(harness.engine, Endpoint.by_id(endpoint.id)).one())


def delivered(harness: Harness, state: DeliveryState) -> WebhookDelivery:
    """A delivery of a booking's request to the only endpoint, in that state."""
    with harness.transactions() as db:
        make_booking(db)
    harness.run_all()
    harness.http.received.clear()
    event_id = scalars(harness.engine, select(events.c.id).where(events.c.type == "booking.requested")).one()
    key = harness.key("webhooks.send", event_id)
    if state is DeliveryState.DEAD:
        harness.change(key, state=state, done_at=None, attempts=10)
    return delivery_of(harness, key)


def delivery_of(harness: Harness, key: DeliveryKey) -> WebhookDelivery:
    with harness.engine.connect() as db:
        delivery_id = db.scalars(
            select(deliveries.c.id).where(
                deliveries.c.event_id == key.event_id,
                deliveries.c.effect == key.effect,
                deliveries.c.target == key.target,
            )
        ).one()
        return WebhookDelivery.of(db.execute(webhook_status_query(delivery_id)).one())


def resending(delivery: WebhookDelivery) -> Callable[[Connection], UUID]:
    return lambda db: resend(db, actor=OPERATOR, delivery=delivery).id


def test_a_resend_repeats_id_and_body_with_the_current_secrets(harness: Harness) -> None:
    endpoint = listening(harness)
    with harness.transactions() as db:
        make_booking(db)
    harness.run_all()
    (first,) = harness.http.received
    delivery = delivery_of(harness, harness.key("webhooks.send", first.webhook_id))
    with harness.transactions() as db:
        rotate_secret(db, actor=OPERATOR, endpoint=endpoint, seal=str, grace=timedelta(hours=1))
        resend(db, actor=OPERATOR, delivery=delivery)
    harness.run_all()
    second = harness.http.received[1]
    assert (second.webhook_id, second.body, second.url) == (first.webhook_id, first.body, first.url)
    # The new secret first, and the old one as long as it is valid.
    assert len(second.sealed_secrets) == 2
    assert second.sealed_secrets[1] == first.sealed_secrets[0]


def test_an_example_arrives_as_a_message_of_its_type(harness: Harness) -> None:
    endpoint = listening(harness)
    with harness.transactions() as db:
        asked = send_example(db, actor=OPERATOR, endpoint=endpoint, event_type="session.completed", now=NOW)
    harness.run_all()
    (message,) = harness.http.received
    body = json.loads(message.body)
    assert (body["type"], body["id"], message.webhook_id) == ("session.completed", str(asked.id), asked.id)
    assert body["data"] == example_message("session.completed")["data"]
    assert isinstance(body["sequence"], int)


def test_what_was_recovered_arrives(harness: Harness) -> None:
    endpoint = listening(harness)
    delivery = delivered(harness, DeliveryState.DEAD)
    with harness.transactions() as db:
        since, now = NOW - timedelta(hours=1), datetime.now(UTC) + timedelta(seconds=1)
        assert recover(db, actor=OPERATOR, endpoint=endpoint, since=since, now=now) == 1
    harness.run_all()
    assert [message.webhook_id for message in harness.http.received] == [delivery.event_id]


def test_too_large_a_message_is_cancelled_and_counts_no_failure(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = listening(harness)
    (key,) = messages(harness, endpoint.id)
    monkeypatch.setattr("workflows.webhooks.messages.MAX_BODY_BYTES", 300)
    row = harness.delivered(key)
    assert (row.state, row.cancel_reason, row.attempts) == ("cancelled", "too_large", 1)
    assert row.last_error.endswith("bytes; 300 are the most.")
    assert harness.http.received == []
    assert as_it_is(harness, endpoint).state is EndpointState.ACTIVE
    with harness.engine.connect() as db:
        assert db.scalar(select(webhook_endpoints.c.failures).where(webhook_endpoints.c.id == endpoint.id)) == 0
        (attempt,) = db.execute(select(delivery_attempts).where(delivery_attempts.c.event_id == key.event_id)).all()
    assert (attempt.outcome, attempt.error_class) == ("cancelled", "too_large")


def test_an_endpoint_with_a_new_url_is_pinged_and_activated(harness: Harness) -> None:
    endpoint = listening(harness)
    with harness.transactions() as db:
        moved = {"url": "https://elsewhere.example"}
        change_endpoint(db, actor=OPERATOR, endpoint=endpoint, changes=moved, seal=str, now=NOW)
    harness.run_all()
    assert [message.url for message in harness.http.received] == ["https://elsewhere.example"]
    assert as_it_is(harness, endpoint).state is EndpointState.ACTIVE


def test_a_ping_answered_at_another_url_activates_nothing(harness: Harness) -> None:
    with harness.transactions() as db:
        endpoint = created(db)
        change_endpoint(
            db, actor=OPERATOR, endpoint=endpoint, changes={"url": "https://elsewhere.example"}, seal=str, now=NOW
        )
        activate(db, endpoint.id, url=endpoint.url)
    assert as_it_is(harness, endpoint).state is EndpointState.PENDING
    with harness.transactions() as db:
        activate(db, endpoint.id, url="https://elsewhere.example")
    assert as_it_is(harness, endpoint).state is EndpointState.ACTIVE


def test_an_endpoint_with_ed25519_signs_with_a_private_key(harness: Harness) -> None:
    endpoint = listening(harness, signing=Signing.ED25519)
    (sealed,) = scalars(
        harness.engine, select(webhook_secrets.c.sealed_secret).where(webhook_secrets.c.endpoint_id == endpoint.id)
    )
    assert sealed.startswith("sealed:whsk_")


@pytest.mark.parametrize("state", [DeliveryState.DONE, DeliveryState.DEAD])
def test_five_resends_at_once_send_once(harness: Harness, race: Race, state: DeliveryState) -> None:
    listening(harness)
    delivery = delivered(harness, state)
    assert len(set(race.transact([resending(delivery)] * 5))) == 1
    harness.run_all()
    assert [message.webhook_id for message in harness.http.received] == [delivery.event_id]


def test_two_recoveries_at_once_recover_each_delivery_once(harness: Harness, race: Race) -> None:
    endpoint = listening(harness)
    delivered(harness, DeliveryState.DEAD)

    def recovering(db: Connection) -> int:
        now = datetime.now(UTC) + timedelta(seconds=1)
        return recover(db, actor=OPERATOR, endpoint=endpoint, since=NOW - timedelta(hours=1), now=now)

    assert sorted(race.transact([recovering] * 5)) == [0, 0, 0, 0, 1]
    harness.run_all()
    assert len(harness.http.received) == 1


def test_rotations_at_once_leave_ten_valid_secrets_at_most(harness: Harness, race: Race) -> None:
    endpoint = listening(harness)
    with harness.engine.begin() as db:
        old = [{"id": uuid7(), "endpoint_id": endpoint.id, "sealed_secret": "s"} for _ in range(7)]
        db.execute(insert(webhook_secrets), old)

    def rotating(db: Connection) -> str:
        return rotate_secret(db, actor=OPERATOR, endpoint=endpoint, seal=str)

    outcomes = race.transact([rotating] * 5)
    assert (len(winners(outcomes)), codes(outcomes)) == (2, ["secret_limit"] * 3)
    with harness.engine.connect() as db:
        assert db.scalar(select(func.count()).select_from(webhook_secrets)) == 10
        assert db.scalar(select(func.count()).where(webhook_secrets.c.expires_at.is_(None))) == 1


def test_two_rotations_at_once_both_sign(harness: Harness, race: Race) -> None:
    endpoint = listening(harness)

    def rotating(db: Connection) -> str:
        return rotate_secret(db, actor=OPERATOR, endpoint=endpoint, seal=str)

    secrets = race.transact([rotating] * 2)
    with harness.transactions() as db:
        send_example(db, actor=OPERATOR, endpoint=endpoint, event_type="session.created", now=NOW)
    harness.run_all()
    (message,) = harness.http.received
    assert {*secrets} < {*message.sealed_secrets}
    assert len(message.sealed_secrets) == 3


def test_the_last_place_for_an_endpoint_is_taken_once(harness: Harness, race: Race) -> None:
    with harness.engine.begin() as db:
        rows = [
            {"id": uuid7(), "url": f"https://other.example/{number}", "event_types": ["*"]}
            for number in range(MAX_ENDPOINTS - 1)
        ]
        db.execute(insert(webhook_endpoints), rows)

    def creating(number: int) -> Callable[[Connection], UUID]:
        return lambda db: created(db, number).id

    outcomes = race.transact([creating(number) for number in range(5)])
    assert (len(winners(outcomes)), codes(outcomes)) == (1, ["endpoint_limit"] * 4)


def test_of_concurrent_changes_and_a_deletion_one_succeeds(harness: Harness, race: Race) -> None:
    for number in range(ROUNDS):
        with harness.engine.begin() as db:
            endpoint = created(db, number)

        def changing(db: Connection, seen: Endpoint = endpoint) -> str:
            change_endpoint(db, actor=OPERATOR, endpoint=seen, changes={"rate_limit": 5}, seal=str, now=NOW)
            return "changed"

        def deleting(db: Connection, seen: Endpoint = endpoint) -> str:
            delete_endpoint(db, actor=OPERATOR, endpoint=seen)
            return "deleted"

        outcomes = race.transact([changing, deleting, changing])
        assert (len(winners(outcomes)), codes(outcomes)) == (
            1,
            ["not_found" if "deleted" in outcomes else "stale"] * 2,
        )


def test_without_a_version_changes_follow_one_another(harness: Harness, race: Race) -> None:
    for number in range(ROUNDS):
        with harness.engine.begin() as db:
            endpoint = created(db, number)

        def changing(db: Connection, changes: dict[str, Any], seen: Endpoint = endpoint) -> str:
            change_endpoint(db, actor=OPERATOR, endpoint=seen, changes=changes, seal=str, now=NOW, any_version=True)
            return "changed"

        changed = [partial(changing, changes={"rate_limit": 5}), partial(changing, changes={"description": "Ours"})]
        assert race.transact(changed * 2) == ["changed"] * 4
        with harness.engine.begin() as db:
            present = Endpoint.of(db.execute(Endpoint.by_id(endpoint.id)).one())
            assert (present.rate_limit, present.description, present.version) == (5, "Ours", 3)
            delete_endpoint(db, actor=OPERATOR, endpoint=endpoint, any_version=True)
