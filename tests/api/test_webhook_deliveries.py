"""Messages to endpoints: listed, read with every attempt, and sent again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.events import DeliveryState, ErrorClass
from models.webhooks import EndpointState
from tests.api.conftest import Cast
from tests.api.partner import CANCELLED, DEAD, DONE, PENDING, Partner
from tests.application import World
from tests.statements import statements_of
from workflows.webhooks.deliveries import MAX_SHOWN_ATTEMPTS

HOUR = timedelta(hours=1)


def listed(partner: Partner, query: str = "", **headers: str) -> list[str]:
    answer = partner.client.get(f"/webhook-deliveries{query}", headers=headers or partner.headers)
    assert answer.status_code == 200, answer.json
    return [item["id"] for item in answer.json["items"]]


def resent(partner: Partner, delivery: str, **headers: str) -> Any:
    answer = partner.client.post(f"/webhook-deliveries/{delivery}/resend", headers=partner.headers | headers)
    assert answer.status_code == 202, answer.json
    assert answer.headers["Location"] == f"/webhook-deliveries/{answer.json['id']}"
    return answer


def test_a_delivery_is_shown_with_its_attempts(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(DEAD)
    partner.attempted(
        delivery, 1, error="No complete answer within 15 s.", error_class=ErrorClass.TIMEOUT, duration_ms=15_000
    )
    partner.attempted(delivery, 2, outcome="dead", status_code=500, response="Oops", error="It answered 500.")
    row = partner.delivery(delivery)
    shown = partner.client.get(f"/webhook-deliveries/{delivery}", headers=cast.as_mentor).json
    log = shown.pop("attemptLog")
    (item,) = partner.client.get("/webhook-deliveries", headers=cast.as_mentor).json["items"]
    assert item == shown
    assert item == {
        "id": delivery,
        "endpointId": str(partner.id),
        "eventId": str(row.event_id),
        "eventType": "booking.requested",
        "state": "dead",
        "attempts": 10,
        "nextAttemptAt": None,
        "lastStatusCode": 500,
        "lastError": "The receiver answered 500.",
        "lastErrorClass": None,
        "createdAt": item["createdAt"],
        "doneAt": None,
    }
    assert [entry.pop("at")[-1] for entry in log] == ["Z", "Z"]
    assert log == [
        {
            "number": 1,
            "outcome": "retry",
            "statusCode": None,
            "durationMs": 15_000,
            "error": "No complete answer within 15 s.",
            "errorClass": "timeout",
            "response": None,
        },
        {
            "number": 2,
            "outcome": "dead",
            "statusCode": 500,
            "durationMs": 12,
            "error": "It answered 500.",
            "errorClass": None,
            "response": "Oops",
        },
    ]


def test_the_latest_attempts_are_shown(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(DEAD)
    for number in range(1, MAX_SHOWN_ATTEMPTS + 3):
        partner.attempted(delivery, number)
    log = partner.client.get(f"/webhook-deliveries/{delivery}", headers=cast.as_mentor).json["attemptLog"]
    assert [each["number"] for each in log] == list(range(3, MAX_SHOWN_ATTEMPTS + 3))


def test_an_attempts_time_is_its_beginning(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told()
    ended = datetime(2030, 5, 4, 9, 0, 15, tzinfo=UTC)
    partner.attempted(delivery, 1, error_class=ErrorClass.TIMEOUT, duration_ms=15_000, created_at=ended)
    (attempt,) = partner.client.get(f"/webhook-deliveries/{delivery}", headers=cast.as_mentor).json["attemptLog"]
    assert attempt["at"] == "2030-05-04T09:00:00Z"


def test_a_defect_of_ours_is_named_and_not_described(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(attempts=1, last_error="KeyError: 'a line of ours'")
    partner.attempted(delivery, 1, error="KeyError: 'a line of ours'", error_class=ErrorClass.INTERNAL)
    shown = partner.client.get(f"/webhook-deliveries/{delivery}", headers=cast.as_mentor)
    (attempt,) = shown.json["attemptLog"]
    assert (attempt["errorClass"], attempt["error"]) == ("internal", "Something went wrong on our side, not on yours.")
    assert (shown.json["lastError"], shown.json["lastErrorClass"]) == (attempt["error"], "internal")
    listed = partner.client.get("/webhook-deliveries", headers=cast.as_mentor)
    assert "KeyError" not in shown.text + listed.text


def test_what_is_pending_says_when_it_is_tried_next(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    later = datetime(2030, 5, 4, 9, tzinfo=UTC)
    delivery = partner.told(attempts=2, due_at=later)
    shown = partner.client.get(f"/webhook-deliveries/{delivery}", headers=cast.as_mentor).json
    assert (shown["nextAttemptAt"], shown["lastStatusCode"]) == ("2030-05-04T09:00:00Z", None)


def test_the_list_is_by_endpoint_and_state_the_newest_first(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    second = Partner.of(world, cast.as_mentor, url="https://second.example")
    others = Partner.of(world, cast.as_operator)
    oldest, middle = partner.told(DEAD, ago=3 * HOUR), second.told(DONE, ago=2 * HOUR)
    newest, foreign = partner.told(PENDING, ago=HOUR), others.told(DEAD)
    assert listed(partner) == [newest, middle, oldest]
    assert listed(partner, f"?endpointId={partner.id}") == [newest, oldest]
    assert listed(partner, f"?endpointId={partner.id}&state=dead") == [oldest]
    assert listed(partner, "?state=done") == [middle]
    assert listed(partner, "?state=cancelled") == []
    assert listed(others) == [foreign]


def test_owners_see_their_own_deliveries(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told()
    by_endpoint, path = f"?endpointId={partner.id}", f"/webhook-deliveries/{delivery}"
    assert listed(partner, by_endpoint, **cast.as_other_mentor) == []
    assert listed(partner, **cast.as_operator) == []
    # As with the endpoint itself, an operator who is asked for help can look.
    assert listed(partner, by_endpoint, **cast.as_operator) == [delivery]
    assert partner.client.get(path, headers=cast.as_operator).status_code == 200
    for headers, status in ((cast.as_other_mentor, 403), (cast.as_mentee, 403), ({}, 401)):
        assert partner.client.get(path, headers=headers).status_code == status
        assert partner.client.post(f"{path}/resend", headers=headers).status_code == status
    assert partner.client.get("/webhook-deliveries", headers=cast.as_mentee).status_code == 403
    for nowhere in (uuid4(), "no-id"):
        assert partner.client.get(f"/webhook-deliveries/{nowhere}", headers=cast.as_mentor).status_code == 404


def test_a_delivery_of_another_effect_is_none(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    row = partner.delivery(partner.told())
    with world.engine.connect() as db:
        other = db.exec_driver_sql(
            "SELECT id FROM deliveries WHERE event_id = %s AND effect <> 'webhooks.send' LIMIT 1", (row.event_id,)
        ).scalar_one()
    assert partner.client.get(f"/webhook-deliveries/{other}", headers=cast.as_operator).status_code == 404


@pytest.mark.parametrize("query", ["?state=gone", "?endpointId=no-id", "?limit=0", "?cursor=x", "?effect=x", "?state="])
def test_queries_that_make_no_sense_are_refused(world: World, cast: Cast, query: str) -> None:
    answer = world.client.get(f"/webhook-deliveries{query}", headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert world.client.get(f"/webhook-deliveries{query}").status_code == 401


def test_pages_hold_every_delivery_once_whatever_comes_in_between(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    second = Partner.of(world, cast.as_mentor, url="https://second.example")
    # Resends share their event with the first delivery: the order within an event counts, too.
    made = [(partner, second)[number % 2].told(DONE, ago=number * HOUR) for number in range(7)]
    made += [resent(partner, made[0]).json["id"], resent(partner, made[2]).json["id"]]
    seen: list[str] = []
    query = "?limit=2"
    while query:
        answer = partner.client.get(f"/webhook-deliveries{query}", headers=cast.as_mentor).json
        seen += [item["id"] for item in answer["items"]]
        query = f"?limit=2&cursor={answer['nextCursor']}" if answer["nextCursor"] else ""
        partner.told()
    assert len(seen) == len(set(seen)) == 9
    assert set(seen) == set(made)
    cursor = partner.client.get("/webhook-deliveries?limit=2", headers=cast.as_mentor).json["nextCursor"]
    other = partner.client.get(f"/webhook-deliveries?state=done&cursor={cursor}", headers=cast.as_mentor)
    assert (other.status_code, list(other.json["details"])) == (400, ["cursor"])


def test_a_list_makes_two_statements_and_a_detail_three(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery, *_others = (partner.told(DEAD) for _ in range(5))
    for path, most in (("/webhook-deliveries", 2), (f"/webhook-deliveries/{delivery}", 3)):
        with statements_of(world.engine) as made:
            assert world.client.get(path, headers=cast.as_mentor).status_code == 200
        assert len(made.statements) == most


def test_a_pending_delivery_is_tried_now(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(attempts=3, due_at=datetime.now(UTC) + 10 * HOUR, nudge_at=datetime.now(UTC) + 10 * HOUR)
    world.wakeups.take()
    assert resent(partner, delivery).json["id"] == delivery
    assert [wakeup.target for wakeup in world.wakeups.take()] == [str(partner.id)], (
        "at once, without waiting for a sweep"
    )
    row = partner.delivery(delivery)
    assert row.due_at <= datetime.now(UTC)
    assert row.nudge_at == row.due_at
    assert (row.state, row.attempts, row.forgiven) == (PENDING, 3, 0)


def test_a_delivery_that_is_just_being_sent_is_left_alone(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(attempts=1, lease_until=datetime.now(UTC) + HOUR)
    before = partner.delivery(delivery)
    world.wakeups.take()
    assert resent(partner, delivery).json["id"] == delivery
    assert partner.delivery(delivery) == before
    assert world.wakeups.take() == []


def test_a_dead_delivery_gets_all_its_attempts_again(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(DEAD)
    answer = resent(partner, delivery)
    assert (answer.json["id"], answer.json["state"]) == (delivery, "pending")
    row = partner.delivery(delivery)
    assert (row.state, row.attempts, row.forgiven, row.lease_until) == (PENDING, 10, 10, None)
    # Once more: it is on its way already.
    assert resent(partner, delivery).json["id"] == delivery
    assert partner.delivery(delivery).forgiven == 10


@pytest.mark.parametrize("state", [DONE, CANCELLED])
def test_resending_an_ended_delivery_makes_another(world: World, cast: Cast, state: DeliveryState) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(state)
    before = partner.delivery(delivery)
    world.wakeups.take()
    first = resent(partner, delivery).json
    assert first["id"] != delivery
    # The id of the event is the `webhook-id` of both.
    assert first["eventId"] == str(before.event_id)
    assert (first["state"], first["attempts"], first["endpointId"]) == ("pending", 0, str(partner.id))
    assert partner.delivery(delivery) == before
    assert [wakeup.target for wakeup in world.wakeups.take()] == [f"{partner.id}:1"]
    # While that one is on its way, there is no second; nor by its own id.
    assert resent(partner, delivery).json["id"] == first["id"]
    assert resent(partner, first["id"]).json["id"] == first["id"]
    with world.engine.begin() as db:
        db.exec_driver_sql("UPDATE deliveries SET state = 'done', done_at = now() WHERE id = %s", (first["id"],))
    second = resent(partner, first["id"]).json
    assert second["id"] not in (first["id"], delivery)
    assert partner.delivery(second["id"]).target == f"{partner.id}:2"
    assert set(listed(partner)) == {delivery, first["id"], second["id"]}


@pytest.mark.parametrize("state", [EndpointState.PENDING, EndpointState.PAUSED, EndpointState.DISABLED])
def test_inactive_endpoints_refuse_resends(world: World, cast: Cast, state: EndpointState) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(DEAD)
    partner.becomes(state)
    answer = partner.client.post(f"/webhook-deliveries/{delivery}/resend", headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (409, "endpoint_not_active")
    assert partner.delivery(delivery).state == DEAD


def test_a_resend_is_decided_on_what_was_seen(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    delivery = partner.told(DEAD)
    path = f"/webhook-deliveries/{delivery}"
    tag = partner.client.get(path, headers=cast.as_mentor).headers["ETag"]
    assert resent(partner, delivery, **{"If-Match": tag}).headers["ETag"] != tag
    stale = partner.client.post(f"{path}/resend", headers=cast.as_mentor | {"If-Match": tag})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")
    assert partner.client.post(f"{path}/resend", json={"x": 1}, headers=cast.as_mentor).status_code == 400
