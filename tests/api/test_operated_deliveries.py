"""Tests of operators' work on deliveries of every effect: list, retry one or many, and cancel."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update

from models.events import DeliveryState, deliveries
from models.webhooks import EndpointState
from tests.api.conftest import Cast
from tests.api.partner import CANCELLED, DEAD, DONE, PENDING, Partner
from tests.application import ApiResponse, World
from tests.statements import statements_of
from workflows.operators.deliveries import DEFAULT_REASON

HOUR = timedelta(hours=1)
PATH = "/operations/deliveries"
BULK = {"state": "dead"}


def listed(world: World, cast: Cast, query: str = "") -> list[str]:
    """The ids of a list of deliveries."""
    answer = world.client.get(f"{PATH}{query}", headers=cast.as_operator)
    assert answer.status_code == 200, answer.json
    return [item["id"] for item in answer.json["items"]]


def posted(world: World, cast: Cast, path: str, json: Any = None, **headers: str) -> ApiResponse:
    """The answer to an operator's POST."""
    return world.client.post(f"{PATH}{path}", json=json, headers=cast.as_operator | headers)


def audited(world: World, cast: Cast, subject: str) -> list[dict[str, Any]]:
    """The audit entries of a subject."""
    answer = world.client.get(f"/audit?subjectId={subject}", headers=cast.as_operator)
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def dead_internal(world: World, cast: Cast) -> int:
    """How many deliveries are dead, as the invariants have it."""
    items = world.client.get("/operations/invariants", headers=cast.as_operator).json["items"]
    (found,) = [item["violations"] for item in items if item["name"] == "dead_delivery"]
    return int(found)


def die(engine: Engine, delivery: str) -> str:
    """Let all other deliveries of the same event die, too, and return the id of one of them."""
    event = select(deliveries.c.event_id).where(deliveries.c.id == UUID(delivery)).scalar_subquery()
    others = (deliveries.c.event_id == event, deliveries.c.id != UUID(delivery), deliveries.c.state == PENDING)
    with engine.begin() as db:
        died = update(deliveries).where(*others).values(state=DEAD, attempts=8).returning(deliveries.c.id)
        return str(db.scalars(died).all()[0])


def test_a_delivery_is_shown_with_what_its_event_was_about(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    delivery = partner.told(DEAD)
    row = partner.delivery(delivery)
    (item,) = world.client.get(f"{PATH}?state=dead", headers=cast.as_operator).json["items"]
    assert item.pop("createdAt")[-1] == item.pop("dueAt")[-1] == "Z"
    assert UUID(item.pop("subjectId"))
    assert item == {
        "id": delivery,
        "effect": "webhooks.send",
        "queue": "webhooks",
        "target": str(partner.id),
        "eventId": str(row.event_id),
        "eventType": "booking.requested",
        "subjectType": "booking",
        "state": "dead",
        "attempts": 10,
        "nextAttemptAt": None,
        "doneAt": None,
        "lastError": "The receiver answered 500.",
    }


def test_the_list_is_by_state_and_effect_the_newest_event_first(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    oldest, middle = partner.told(DEAD, ago=3 * HOUR), partner.told(DEAD, ago=2 * HOUR)
    done, cancelled = partner.told(DONE, ago=HOUR), partner.told(CANCELLED)
    assert listed(world, cast, "?state=dead") == [middle, oldest]
    assert listed(world, cast, "?state=done") == [done]
    assert listed(world, cast, "?state=cancelled") == [cancelled]
    of_webhooks = listed(world, cast, "?effect=webhooks.send&limit=100")
    assert [each for each in of_webhooks if each in (oldest, middle, done, cancelled)] == [
        cancelled,
        done,
        middle,
        oldest,
    ]
    assert listed(world, cast, "?state=pending&effect=unknown.effect") == []
    assert set(of_webhooks) < set(listed(world, cast, "?limit=100"))


def test_the_list_is_of_the_events_about_one_subject(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    partner.told(DEAD)
    partner.told(DONE)
    every = world.client.get(f"{PATH}?limit=100", headers=cast.as_operator).json["items"]
    subjects = {item["subjectId"] for item in every}
    for subject in subjects:
        of_subject = [item["id"] for item in every if item["subjectId"] == subject]
        assert listed(world, cast, f"?limit=100&subjectId={subject}") == of_subject
    assert len(subjects) > 1
    assert listed(world, cast, f"?subjectId={partner.id}&state=dead") == []


def test_pages_hold_every_delivery_once(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    for number in range(3):
        partner.told(DONE, ago=number * HOUR)
    everything = listed(world, cast, "?limit=100")
    seen: list[str] = []
    query = "?limit=2"
    while query:
        answer = world.client.get(f"{PATH}{query}", headers=cast.as_operator).json
        seen += [item["id"] for item in answer["items"]]
        query = f"?limit=2&cursor={answer['nextCursor']}" if answer["nextCursor"] else ""
    assert seen == everything
    assert len(set(seen)) == len(seen) > 6


@pytest.mark.parametrize("query", ["?state=gone", "?limit=0", "?cursor=x", "?target=x", "?state=", "?subjectId=x"])
def test_queries_that_make_no_sense_are_refused(world: World, cast: Cast, query: str) -> None:
    answer = world.client.get(f"{PATH}{query}", headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_operators_alone_see_and_change_deliveries(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    dead = partner.told(DEAD)
    steps = [f"{PATH}/{dead}/retry", f"{PATH}/{dead}/cancel", f"{PATH}/retry"]
    for headers, status in ((cast.as_mentor, 403), (cast.as_mentee, 403), ({}, 401)):
        assert world.client.get(PATH, headers=headers).status_code == status
        for step in steps:
            assert world.client.post(step, json=BULK, headers=headers).status_code == status
    assert partner.delivery(dead).state == DEAD


@pytest.mark.parametrize("step", ["retry", "cancel"])
@pytest.mark.parametrize("nowhere", ["01a1fd8d-6e38-77e6-8589-437e5aa80e96", "no-id"])
def test_what_is_not_there_is_not_found(world: World, cast: Cast, step: str, nowhere: str) -> None:
    assert posted(world, cast, f"/{nowhere}/{step}").status_code == 404


def test_a_retried_delivery_is_nudged_with_all_its_attempts(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    mail = die(world.engine, partner.told(DONE))
    world.wakeups.take()
    answer = posted(world, cast, f"/{mail}/retry")
    assert (answer.status_code, answer.json["state"]) == (200, "pending")
    assert answer.json["nextAttemptAt"] == answer.json["dueAt"]
    row = partner.delivery(mail)
    (wakeup,) = world.wakeups.take()
    assert (wakeup.event_id, wakeup.effect, wakeup.queue) == (row.event_id, row.effect, row.queue)
    assert (row.state, row.attempts, row.forgiven, row.nudges) == (PENDING, 8, 8, 0)
    assert row.due_at <= datetime.now(UTC)
    (entry,) = audited(world, cast, mail)
    assert (entry["action"], entry["subjectType"], entry["reason"]) == ("delivery.retried", "delivery", None)
    assert entry["data"] == {"effect": row.effect, "eventId": str(row.event_id), "attempts": 8}


@pytest.mark.parametrize(
    ("step", "state"),
    [
        *(("retry", state) for state in (PENDING, DONE, CANCELLED)),
        *(("cancel", state) for state in (DONE, CANCELLED)),
    ],
)
def test_a_step_that_does_not_lead_from_here_is_refused(
    world: World, cast: Cast, step: str, state: DeliveryState
) -> None:
    partner = Partner.of(world, cast.as_operator)
    delivery = partner.told(state)
    before = partner.delivery(delivery)
    world.wakeups.take()
    answer = posted(world, cast, f"/{delivery}/{step}")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_transition")
    assert partner.delivery(delivery) == before
    assert (world.wakeups.take(), audited(world, cast, delivery)) == ([], [])


def test_what_is_being_sent_is_not_cancelled(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    delivery = partner.told(attempts=2, lease_until=datetime.now(UTC) + HOUR)
    answer = posted(world, cast, f"/{delivery}/cancel", None)
    assert (answer.status_code, answer.json["code"]) == (409, "delivery_in_progress")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("body", "told", "kept"),
    [
        ({"reason": "It is obsolete."}, "It is obsolete.", "It is obsolete."),
        (None, DEFAULT_REASON, None),
        ({"reason": None}, DEFAULT_REASON, None),
    ],
)
def test_a_cancelled_delivery_says_why(world: World, cast: Cast, body: Any, told: str, kept: str | None) -> None:
    partner = Partner.of(world, cast.as_operator)
    delivery = partner.told(attempts=2, lease_until=datetime.now(UTC) - HOUR)
    answer = posted(world, cast, f"/{delivery}/cancel", body)
    assert (answer.status_code, answer.json["state"], answer.json["lastError"]) == (200, "cancelled", told)
    assert answer.json["nextAttemptAt"] is None
    row = partner.delivery(delivery)
    assert (row.state, row.lease_until, row.last_error, row.cancel_reason) == (CANCELLED, None, told, None)
    (entry,) = audited(world, cast, delivery)
    assert (entry["action"], entry["reason"]) == ("delivery.cancelled", kept)


def test_an_operator_cancels_a_dead_delivery(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    mail = die(world.engine, partner.told(DONE))
    given_up = dead_internal(world, cast)
    seen = posted(world, cast, f"/{mail}/cancel", {"reason": "They wrote to us themselves."})
    assert (seen.status_code, seen.json["state"], seen.json["attempts"]) == (200, "cancelled", 8)
    assert seen.json["lastError"] == "They wrote to us themselves."
    assert mail not in listed(world, cast, "?state=dead")
    assert dead_internal(world, cast) == given_up - 1
    (entry,) = audited(world, cast, mail)
    assert (entry["action"], entry["reason"]) == ("delivery.cancelled", "They wrote to us themselves.")
    for step in ("retry", "cancel"):
        assert posted(world, cast, f"/{mail}/{step}").json["code"] == "invalid_transition"


def test_what_was_cancelled_after_its_death_is_not_recovered(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator, eventTypes=["booking.*"])
    seen, left = partner.told(DEAD), partner.told(DEAD)
    assert posted(world, cast, f"/{seen}/cancel").status_code == 200
    since = {"since": (datetime.now(UTC) - HOUR).isoformat()}
    recovered = world.client.post(f"/webhook-endpoints/{partner.id}/recover", json=since, headers=cast.as_operator)
    assert recovered.json == {"recovered": 1}
    assert (partner.delivery(seen).state, partner.delivery(left).state) == (CANCELLED, PENDING)


@pytest.mark.parametrize("reason", ["", "  ", "\n\t", "x" * 2001, 7])
def test_a_reason_says_something(world: World, cast: Cast, reason: Any) -> None:
    delivery = Partner.of(world, cast.as_operator).told()
    answer = posted(world, cast, f"/{delivery}/cancel", {"reason": reason})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert list(answer.json["details"]) == ["reason"]
    assert audited(world, cast, delivery) == []


def test_steps_honour_idempotency_keys_and_versions(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    delivery = partner.told(DEAD)
    first, second = (posted(world, cast, f"/{delivery}/retry", **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, first.json) == (200, second.json)
    assert second.headers["Idempotent-Replayed"] == "true"
    stale = posted(world, cast, f"/{delivery}/cancel", **{"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")
    cancelled = posted(world, cast, f"/{delivery}/cancel", **{"If-Match": first.headers["ETag"]})
    assert cancelled.status_code == 200


def test_all_that_is_dead_is_retried_at_a_pace_of_each_effect(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    dead = [partner.told(DEAD, ago=number * HOUR) for number in (3, 2, 1)]
    die(world.engine, dead[0])
    done = partner.told(DONE)
    world.wakeups.take()
    answer = posted(world, cast, "/retry", BULK)
    assert answer.status_code == 202
    rows = [partner.delivery(each) for each in dead]
    assert all((row.state, row.forgiven, row.attempts) == (PENDING, 10, 10) for row in rows)
    steps = [(later.due_at - row.due_at).total_seconds() for row, later in pairwise(rows)]
    assert steps == [0.04, 0.04]
    wakeups = world.wakeups.take()
    effects = [wakeup.effect for wakeup in wakeups]
    assert len(effects) == len(set(effects)) > 1, "the first of each effect, and no other"
    assert next(wakeup.event_id for wakeup in wakeups if wakeup.effect == "webhooks.send") == rows[0].event_id
    assert listed(world, cast, "?state=dead") == []
    assert partner.delivery(done).state == DONE
    (entry,) = audited(world, cast, answer.json["id"])
    assert (entry["action"], entry["subjectType"]) == ("deliveries.retried", "retry")
    assert entry["data"] == {"effect": None, "since": None, "retried": answer.json["retried"]}
    assert posted(world, cast, "/retry", BULK).json["retried"] == 0


def test_a_retry_of_many_is_of_one_effect_and_since_then(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    old, new = partner.told(DEAD, ago=3 * HOUR), partner.told(DEAD, ago=HOUR)
    other = die(world.engine, new)
    since = (datetime.now(UTC) - 2 * HOUR).isoformat()
    answer = posted(world, cast, "/retry", BULK | {"effect": "webhooks.send", "since": since})
    assert answer.json["retried"] == 1
    states = [partner.delivery(each).state for each in (old, new, other)]
    assert states == [DEAD, PENDING, DEAD]


@pytest.mark.parametrize(
    "body", [{}, {"state": "done"}, {"state": "dead", "since": "today"}, {"state": "dead", "effect": ""}, [], None]
)
def test_a_retry_of_many_says_of_what(world: World, cast: Cast, body: Any) -> None:
    answer = posted(world, cast, "/retry", body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("state", [EndpointState.PAUSED, EndpointState.DISABLED])
def test_a_dead_webhook_of_an_inactive_endpoint_is_not_retried(world: World, cast: Cast, state: EndpointState) -> None:
    partner = Partner.of(world, cast.as_operator)
    dead = partner.told(DEAD)
    partner.becomes(state)
    answer = posted(world, cast, f"/{dead}/retry")
    assert (answer.status_code, answer.json["code"]) == (409, "endpoint_not_active")
    assert posted(world, cast, "/retry", BULK).json["retried"] == 0
    assert (partner.delivery(dead).state, audited(world, cast, dead)) == (DEAD, [])


def test_a_retry_of_an_unknown_effect_is_refused(world: World, cast: Cast) -> None:
    answer = posted(world, cast, "/retry", BULK | {"effect": "mail.sent"})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert answer.json["details"] == {"effect": ["unknown effect mail.sent"]}
    audit = world.client.get("/audit?action=deliveries.retried", headers=cast.as_operator)
    assert audit.json["items"] == []


def test_however_many_there_are_it_takes_as_many_statements(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    one, two, *_others = (partner.told(DEAD) for _ in range(6))
    with statements_of(world.engine) as made:
        assert world.client.get(f"{PATH}?state=dead", headers=cast.as_operator).status_code == 200
    assert len(made.statements) == 1
    # Who is calling and the delivery, the step, how it stands then, and the audit.
    for step, statements in ((f"/{one}/retry", 5), (f"/{one}/cancel", 4)):
        with statements_of(world.engine) as made:
            assert posted(world, cast, step).status_code == 200
        assert len(made.statements) == statements, made.statements
    # All the others at once: the step, and the audit; that an operator is calling needs no look-up.
    with statements_of(world.engine) as made:
        assert posted(world, cast, "/retry", BULK).json["retried"] == 5
    assert len(made.statements) == 2, made.statements
    assert partner.delivery(two).state == PENDING
