"""Tests of missed messages that are sent again as a whole, of examples, and of the list of event types."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from models.events import ErrorClass, events
from models.webhooks import EndpointState
from tests.api.conftest import Cast
from tests.api.partner import CANCELLED, DEAD, DONE, PENDING, Partner
from tests.application import World
from tests.queries import execute, scalar
from tests.statements import statements_of
from workflows.events.event_types import announced_types

NOT_LISTENING = ErrorClass.NOT_LISTENING
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ago(time: timedelta) -> str:
    return (datetime.now(UTC) - time).isoformat()


def asking(world: World, headers: dict[str, str], **fields: Any) -> Partner:
    """An endpoint that asks for what its deliveries tell of."""
    return Partner.of(world, headers, **{"eventTypes": ["booking.*"], **fields})


def recovered(partner: Partner, **body: str) -> int:
    answer = partner.client.post(f"{partner.path}/recover", json=body, headers=partner.headers)
    assert answer.status_code == 202, answer.json
    return int(answer.json["recovered"])


def test_what_died_since_then_is_sent_again_in_its_order(world: World, cast: Cast) -> None:
    partner = asking(world, cast.as_mentor)
    before = partner.told(DEAD, ago=5 * HOUR)
    dead = [partner.told(DEAD, ago=hours * HOUR) for hours in (3, 2, 1)]
    alive = {state: partner.told(state, ago=HOUR) for state in (PENDING, DONE, CANCELLED)}
    others = asking(world, cast.as_mentor, url="https://other.example").told(DEAD, ago=HOUR)
    world.wakeups.take()
    assert recovered(partner, since=ago(4 * HOUR)) == 3
    rows = [partner.delivery(each) for each in dead]
    assert {(row.state, row.attempts, row.forgiven, row.nudges) for row in rows} == {(PENDING, 10, 10, 0)}
    # 25 a second, the oldest first.
    assert [row.due_at - rows[0].due_at for row in rows] == [timedelta(milliseconds=40) * place for place in range(3)]
    assert all(row.nudge_at == row.due_at for row in rows)
    # The first goes at once; the sweep calls for the others when they are due.
    assert [wakeup.event_id for wakeup in world.wakeups.take()] == [rows[0].event_id]
    assert [partner.delivery(each).state for each in (before, others)] == [DEAD, DEAD]
    assert {state: partner.delivery(each).state for state, each in alive.items()} == {each: each for each in alive}
    assert recovered(partner, since=ago(4 * HOUR)) == 0


def test_recovering_ends_where_it_is_told_to(world: World, cast: Cast) -> None:
    partner = asking(world, cast.as_mentor)
    early, late = partner.told(DEAD, ago=3 * HOUR), partner.told(DEAD, ago=HOUR)
    assert recovered(partner, since=ago(14 * DAY - HOUR), until=ago(2 * HOUR)) == 1
    assert (partner.delivery(early).state, partner.delivery(late).state) == (PENDING, DEAD)


def test_a_dead_resend_is_recovered_and_a_dead_ping_is_not(world: World, cast: Cast) -> None:
    partner = asking(world, cast.as_mentor)
    delivery = partner.told(DONE, ago=HOUR)
    copy = partner.client.post(f"/webhook-deliveries/{delivery}/resend", headers=cast.as_mentor).json["id"]
    assert partner.client.post(f"{partner.path}/ping", headers=cast.as_mentor).status_code == 202
    with world.engine.begin() as db:
        db.exec_driver_sql("UPDATE deliveries SET state = 'dead' WHERE effect = 'webhooks.send' AND state = 'pending'")
    dead = partner.client.get("/webhook-deliveries?state=dead", headers=cast.as_mentor).json["items"]
    assert {item["eventType"] for item in dead} == {"webhook.ping", "booking.requested"}
    assert recovered(partner, since=ago(2 * HOUR)) == 1
    assert partner.delivery(copy).state == PENDING


def test_deliveries_missed_in_a_pause_are_recovered_once(world: World, cast: Cast) -> None:
    partner = asking(world, cast.as_mentor)
    world.wakeups.take()
    missed = [partner.told(CANCELLED, ago=hours * HOUR, cancel_reason=NOT_LISTENING) for hours in (3, 2)]
    dead = partner.told(DEAD, ago=HOUR)
    before = [partner.delivery(each) for each in missed]
    assert recovered(partner, since=ago(DAY)) == 3
    assert [partner.delivery(each) for each in missed] == before, "what was cancelled stays so"
    copies = [partner.run(row.event_id, f"{partner.id}:1") for row in before]
    assert {(copy.state, copy.attempts, copy.forgiven, copy.queue) for copy in copies} == {(PENDING, 0, 0, "webhooks")}
    assert [row.due_at - copies[0].due_at for row in (*copies, partner.delivery(dead))] == [
        timedelta(milliseconds=40) * place for place in range(3)
    ]
    assert [wakeup.target for wakeup in world.wakeups.take()] == [f"{partner.id}:1"]
    assert recovered(partner, since=ago(DAY)) == 0
    shown = partner.client.get(f"/webhook-deliveries/{copies[0].id}", headers=cast.as_mentor).json
    assert (shown["state"], shown["eventId"]) == ("pending", str(before[0].event_id))


def test_what_is_missed_again_is_recovered_again_and_counts_once(world: World, cast: Cast) -> None:
    partner = asking(world, cast.as_mentor)
    missed = partner.delivery(partner.told(CANCELLED, ago=HOUR, cancel_reason=NOT_LISTENING))
    for number in range(1, 12):
        assert recovered(partner, since=ago(DAY)) == 1
        copy = partner.run(missed.event_id, f"{partner.id}:{number}")
        partner.ends(copy, CANCELLED, cancel_reason=NOT_LISTENING)
    assert recovered(partner, since=ago(DAY)) == 1
    partner.ends(partner.run(missed.event_id, f"{partner.id}:12"), DONE, done_at=func.now())
    assert recovered(partner, since=ago(DAY)) == 0


@pytest.mark.parametrize("reason", [None, "too_large", "deleted"])
def test_what_was_cancelled_for_another_reason_is_not_recovered(world: World, cast: Cast, reason: str | None) -> None:
    partner = asking(world, cast.as_mentor)
    partner.told(CANCELLED, ago=HOUR, cancel_reason=reason, last_error="The webhook endpoint is paused.")
    assert recovered(partner, since=ago(DAY)) == 0


def test_what_is_no_longer_asked_for_is_not_recovered(world: World, cast: Cast) -> None:
    partner = asking(world, cast.as_mentor)
    partner.told(DEAD, ago=HOUR)
    partner.told(CANCELLED, ago=HOUR, cancel_reason=NOT_LISTENING)
    partner.becomes(EndpointState.ACTIVE, event_types=["session.*", "booking.accepted"])
    assert recovered(partner, since=ago(DAY)) == 0
    for event_types in (["*"], ["booking.requested"]):
        partner.becomes(EndpointState.ACTIVE, event_types=event_types)
        assert recovered(partner, since=ago(DAY)) == (2 if event_types == ["*"] else 0)


@pytest.mark.parametrize("count", [1, 60])
def test_recovering_makes_as_many_statements_for_sixty_as_for_one(world: World, cast: Cast, count: int) -> None:
    partner = asking(world, cast.as_mentor)
    for _ in range(count):
        partner.told(DEAD, ago=HOUR)
        partner.told(CANCELLED, ago=HOUR, cancel_reason=NOT_LISTENING)
    with statements_of(world.engine) as made:
        assert recovered(partner, since=ago(DAY)) == 2 * count
    # Who calls, about what; the quota, and what failed; the audit.
    assert len(made.statements) == 5


def test_ten_thousand_are_recovered_at_most(world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.events.repair.MAX_REQUEUED", 2)
    partner = asking(world, cast.as_mentor)
    dead = [partner.told(DEAD, ago=hours * HOUR) for hours in (3, 2, 1)]
    assert recovered(partner, since=ago(DAY)) == 2
    assert [partner.delivery(each).state for each in dead] == [PENDING, PENDING, DEAD]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "since"),
        ({"since": None}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"since": ago(14 * DAY + HOUR)}, "since"),
        ({"since": ago(-HOUR)}, "since"),
        ({"since": ago(HOUR), "until": ago(HOUR + HOUR)}, "until"),
        ({"since": ago(HOUR), "until": None}, "until"),
        ({"since": ago(HOUR), "state": "done"}, "state"),
    ],
)
def test_times_that_make_no_sense_are_refused(world: World, cast: Cast, body: dict[str, Any], field: str) -> None:
    partner = Partner.of(world, cast.as_mentor)
    answer = partner.client.post(f"{partner.path}/recover", json=body, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert list(answer.json["details"]) == [field]


@pytest.mark.parametrize(
    ("step", "body"), [("recover", {"since": ago(HOUR)}), ("example", {"eventType": "session.created"})]
)
def test_who_may_repair_and_when(world: World, cast: Cast, step: str, body: dict[str, str]) -> None:
    partner = Partner.of(world, cast.as_mentor)
    path = f"{partner.path}/{step}"
    nowhere = f"/webhook-endpoints/{uuid4()}/{step}"
    for where, headers, sent, status in (
        (path, {}, {"x": 1}, 401),
        (nowhere, cast.as_mentee, {"x": 1}, 403),
        (nowhere, cast.as_mentor, {"x": 1}, 404),
        (path, cast.as_other_mentor, {"x": 1}, 403),
        (path, cast.as_mentor, {"x": 1}, 400),
        (path, cast.as_mentor | {"If-Match": '"99"'}, body, 412),
        (path, cast.as_mentor, body, 202),
    ):
        assert world.client.post(where, json=sent, headers=headers).status_code == status
    for state in (EndpointState.PENDING, EndpointState.PAUSED, EndpointState.DISABLED):
        partner.becomes(state)
        answer = world.client.post(path, json=body, headers=cast.as_mentor)
        assert (answer.status_code, answer.json["code"]) == (409, "endpoint_not_active")


def test_an_example_is_for_its_own_endpoint_alone(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor, eventTypes=["*"])
    Partner.of(world, cast.as_operator, eventTypes=["*"])
    Partner.of(world, cast.as_mentor, url="https://other.example", eventTypes=["*"])
    world.wakeups.take()
    answer = partner.client.post(
        f"{partner.path}/example", json={"eventType": "session.completed"}, headers=cast.as_mentor
    )
    assert (answer.status_code, answer.json["endpointId"]) == (202, str(partner.id))
    assert queued(world) == [str(partner.id)]
    event = execute(world.engine, select(events).where(events.c.id == UUID(answer.json["eventId"]))).one()
    assert (event.type, event.subject_id) == ("webhook.example", partner.id)
    assert event.data == {"webhook_endpoint_id": str(partner.id), "example_type": "session.completed"}


@pytest.mark.parametrize("name", ["session.exploded", "session.*", "*", "webhook.ping", "webhook.example", ""])
def test_there_are_examples_of_what_can_be_asked_for_alone(world: World, cast: Cast, name: str) -> None:
    partner = Partner.of(world, cast.as_mentor)
    answer = partner.client.post(f"{partner.path}/example", json={"eventType": name}, headers=cast.as_mentor)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["eventType"])


def test_an_example_of_more_than_256_kb_is_refused(world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    partner = Partner.of(world, cast.as_mentor)
    world.wakeups.take()
    monkeypatch.setattr("workflows.webhooks.messages.MAX_BODY_BYTES", 300)
    answer = partner.client.post(
        f"{partner.path}/example", json={"eventType": "session.completed"}, headers=cast.as_mentor
    )
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert set(answer.json) >= {"statusCode", "error", "message", "requestId"}
    assert "300 are the most" in answer.json["message"]
    assert scalar(world.engine, select(func.count()).where(events.c.type == "webhook.example")) == 0
    assert world.wakeups.take() == []


def test_the_catalogue_lists_every_type_with_schema_and_example(world: World, cast: Cast) -> None:
    for headers, status in (({}, 401), (cast.as_mentee, 403), (cast.as_mentor, 200), (cast.as_operator, 200)):
        assert world.client.get("/event-types", headers=headers).status_code == status
    items = world.client.get("/event-types", headers=cast.as_mentor).json["items"]
    assert [item["type"] for item in items] == list(announced_types())
    for item in items:
        assert set(item) == {"type", "description", "schema", "example"}
        assert item["schema"]["properties"]["type"] == {"const": item["type"]}
        assert item["example"]["type"] == item["type"]


def queued(world: World) -> list[str]:
    return [wakeup.target for wakeup in world.wakeups.take() if wakeup.effect == "webhooks.send"]
