"""Webhook endpoints over HTTP: created, read, changed, paused and deleted by their owners."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update

from config.sealing import Sealer
from models.events import DeliveryState, deliveries
from models.webhooks import EndpointState, deleted_webhook_endpoints
from tests.api.conftest import Cast
from tests.api.partner import HOOK, Partner
from tests.application import SECRET, ApiClient, World
from tests.queries import scalars
from workflows.webhooks.actions import cancel_left_deliveries
from workflows.webhooks.headers import opened_headers

ACTIVE, PAUSED, PENDING, DISABLED = (
    EndpointState.ACTIVE,
    EndpointState.PAUSED,
    EndpointState.PENDING,
    EndpointState.DISABLED,
)
IN_TROUBLE = {
    "failures": 12,
    "failing_since": datetime(2030, 5, 1, tzinfo=UTC),
    "open_until": datetime(2030, 5, 4, tzinfo=UTC),
    "warned_at": datetime(2030, 5, 4, tzinfo=UTC),
}


def test_an_endpoint_begins_as_pending_and_is_pinged(world: World, cast: Cast) -> None:
    client = world.client
    answer = client.post("/webhook-endpoints", json=HOOK, headers=cast.as_operator)
    assert answer.status_code == 201
    assert answer.json == {
        "id": answer.headers["Location"].rpartition("/")[2],
        "url": HOOK["url"],
        "eventTypes": HOOK["eventTypes"],
        "description": None,
        "headerNames": [],
        "rateLimit": None,
        "signing": "hmac-sha256",
        "state": "pending",
        "disabledReason": None,
        "consecutiveFailures": 0,
        "failingSince": None,
        "retryingAt": None,
        "createdAt": answer.json["createdAt"],
    }
    path = answer.headers["Location"]
    assert client.get(path, headers=cast.as_operator).json == answer.json
    secret = client.get(f"{path}/secret", headers=cast.as_operator)
    assert secret.json["secret"].startswith("whsec_")
    assert secret.headers["Cache-Control"] == "no-store"
    ping = client.post(f"{path}/ping", headers=cast.as_operator)
    assert (ping.status_code, ping.json["endpointId"]) == (202, answer.json["id"])
    assert len(world.wakeups.take()) == 2


def test_an_endpoint_is_its_owners(client: ApiClient, cast: Cast) -> None:
    path = client.post("/webhook-endpoints", json=HOOK, headers=cast.as_mentor).headers["Location"]
    for address in (path, f"{path}/secret"):
        assert client.get(address, headers=cast.as_mentor).status_code == 200
        assert client.get(address, headers=cast.as_operator).status_code == 200
        assert client.get(address, headers=cast.as_other_mentor).status_code == 403
        assert client.get(address, headers=cast.as_mentee).status_code == 403
    assert client.post(f"{path}/ping", headers=cast.as_other_mentor).status_code == 403
    assert client.post("/webhook-endpoints", json=HOOK, headers=cast.as_mentee).status_code == 403
    assert len(client.get("/webhook-endpoints", headers=cast.as_mentor).json["items"]) == 1
    assert client.get("/webhook-endpoints", headers=cast.as_other_mentor).json["items"] == []
    assert client.get("/webhook-endpoints", headers=cast.as_operator).json["items"] == []


def test_what_is_changed_is_answered_and_stays(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    changes = {
        "eventTypes": ["session.*", "*", "session.*"],
        "description": "Our hook",
        "headers": {"Authorization": "Bearer hush", "X-Team": "a"},
        "rateLimit": 10,
    }
    answer = partner.client.patch(partner.path, json=changes, headers=cast.as_mentor)
    assert answer.status_code == 200
    assert answer.json["eventTypes"] == ["session.*", "*"]
    assert (answer.json["description"], answer.json["rateLimit"]) == ("Our hook", 10)
    # A header may be a credential: its value is never shown again.
    assert sorted(answer.json["headerNames"]) == ["Authorization", "X-Team"]
    assert "hush" not in answer.text
    stored = partner.row().headers
    assert "hush" not in str(stored)
    assert opened_headers(stored, Sealer([SECRET]).unseal) == changes["headers"]
    assert answer.json["state"] == "active"
    assert partner.client.get(partner.path, headers=cast.as_mentor).json == answer.json
    emptied = partner.client.patch(
        partner.path, json={"description": None, "headers": None, "rateLimit": None}, headers=cast.as_mentor
    )
    assert (emptied.json["description"], emptied.json["headerNames"], emptied.json["rateLimit"]) == (None, [], None)
    assert emptied.json["eventTypes"] == ["session.*", "*"]


def test_a_new_address_is_pending_until_it_answers_a_ping(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    partner.becomes(DISABLED, **IN_TROUBLE)
    world.wakeups.take()
    body = {"url": "https://elsewhere.example:443/hooks"}
    answer = partner.client.patch(partner.path, json=body, headers=cast.as_operator)
    assert (answer.json["url"], answer.json["state"]) == ("https://elsewhere.example/hooks", "pending")
    assert answer.json["disabledReason"] is None
    row = partner.row()
    assert (row.failures, row.failing_since, row.open_until, row.warned_at) == (0, None, None, None)
    assert [wakeup.subject_id for wakeup in world.wakeups.take()] == [partner.id]


def test_the_same_address_again_changes_nothing(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    world.wakeups.take()
    for body in ({"url": HOOK["url"]}, {"url": "HTTPS://Partner.Example:443/hooks"}, {}):
        tag = partner.client.get(partner.path, headers=cast.as_operator).headers["ETag"]
        answer = partner.client.patch(partner.path, json=body, headers=cast.as_operator)
        assert (answer.status_code, answer.json["state"], answer.headers["ETag"]) == (200, "active", tag)
    assert world.wakeups.take() == []


# Every state, and which of the two that can be set by hand follows upon it.
@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        (ACTIVE, PAUSED, True),
        (PAUSED, ACTIVE, True),
        (ACTIVE, ACTIVE, False),
        (PAUSED, PAUSED, False),
        (PENDING, ACTIVE, False),
        (PENDING, PAUSED, False),
        (DISABLED, ACTIVE, False),
        (DISABLED, PAUSED, False),
    ],
)
def test_only_a_pause_is_made_and_ended_by_hand(
    world: World, cast: Cast, before: EndpointState, after: EndpointState, may: bool
) -> None:
    partner = Partner.of(world, cast.as_mentor)
    partner.becomes(before, **IN_TROUBLE)
    answer = partner.client.patch(partner.path, json={"state": after}, headers=cast.as_mentor)
    if may:
        assert (answer.status_code, answer.json["state"]) == (200, after)
        assert partner.row().failures == 0
    else:
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_transition")
        assert partner.row().state == before


@pytest.mark.parametrize(
    "flaw",
    [
        {"url": "ftp://partner.example"},
        {"url": "https://user:secret@partner.example"},
        {"url": "https://"},
        {"url": "https://[::1"},
        {"url": "https://partner.example:99999"},
        {"url": 7},
        {"eventTypes": []},
        {"eventTypes": ["session.exploded"]},
        {"eventTypes": "session.completed"},
        {"headers": {"webhook-signature": "mine"}},
        {"headers": {"Content-Type": "text/plain"}},
        {"headers": {"X-Bad": "a\r\nb: c"}},
        {"headers": {"bad name": "x"}},
        {"headers": {"X-Number": 7}},
        {"headers": []},
        {"rateLimit": 0},
        {"rateLimit": "5"},
        {"secret": "mine"},
        {"url": "http://8.8.8.8"},
        {"url": "https://10.0.0.1"},
        {"url": None},
        {"url": ""},
        {"eventTypes": None},
        {"eventTypes": ["webhook.ping"]},
        {"headers": {"Cookie": "a=b"}},
        {"headers": {"X-A": "a\nb"}},
        {"rateLimit": 1001},
        {"description": "x" * 1001},
        {"state": "pending"},
        {"state": "disabled"},
        {"state": "gone"},
        {"state": None},
        {"state": "paused", "url": "https://elsewhere.example"},
        {"signing": "ed25519"},
        {"disabledReason": "none"},
    ],
    ids=str,
)
def test_invalid_fields_are_refused_at_creation_and_change(world: World, cast: Cast, flaw: dict[str, object]) -> None:
    partner = Partner.of(world, cast.as_operator)
    before = partner.row()
    answers = [partner.client.patch(partner.path, json=flaw, headers=cast.as_operator)]
    if "signing" not in flaw:
        answers.append(partner.client.post("/webhook-endpoints", json=HOOK | flaw, headers=cast.as_operator))
    for answer in answers:
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
        assert next(iter(answer.json["details"])).partition(".")[0] in flaw
    assert partner.row() == before


@pytest.mark.parametrize("url", ["http://partner.example", "https://partner.example:9000", "http://localhost:9000"])
def test_where_no_networks_are_listed_only_the_public_internet_is_reached(engine: Engine, cast: Cast, url: str) -> None:
    closed = World.on(engine, webhook_allowed_networks=())
    partner = Partner.of(closed, cast.as_mentor)
    for answer in (
        closed.client.patch(partner.path, json={"url": url}, headers=cast.as_mentor),
        closed.client.post("/webhook-endpoints", json=HOOK | {"url": url}, headers=cast.as_mentor),
    ):
        assert (answer.status_code, list(answer.json["details"])) == (400, ["url"])


def test_two_endpoints_do_not_get_one_address(world: World, cast: Cast) -> None:
    Partner.of(world, cast.as_mentor)
    other = Partner.of(world, cast.as_mentor, url="https://other.example")
    answer = other.client.patch(other.path, json={"url": HOOK["url"]}, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (409, "endpoint_exists")


def test_a_change_is_made_on_the_version_that_was_named(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    tag = partner.client.get(partner.path, headers=cast.as_mentor).headers["ETag"]
    # Counting failures is no change that the owner could have seen.
    partner.becomes(ACTIVE, failures=3, failing_since=datetime.now(UTC), next_send_at=datetime.now(UTC))
    changed = partner.client.patch(partner.path, json={"rateLimit": 5}, headers=cast.as_mentor | {"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/secret/rotate"), ("POST", "/ping")):
        answer = partner.client.open(
            partner.path + path, method=method, json={}, headers=cast.as_mentor | {"If-Match": tag}
        )
        assert (answer.status_code, answer.json["code"]) == (412, "stale"), (method, path)
    assert partner.row().rate_limit == 5


def test_what_is_deleted_is_gone_with_its_secrets(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    partner.told()
    answer = partner.client.delete(partner.path, headers=cast.as_mentor)
    assert (answer.status_code, answer.data) == (204, b"")
    for path in (partner.path, f"{partner.path}/secret"):
        assert partner.client.get(path, headers=cast.as_mentor).status_code == 404
    assert partner.client.delete(partner.path, headers=cast.as_mentor).status_code == 404
    assert partner.client.get("/webhook-deliveries", headers=cast.as_mentor).json["items"] == []
    assert Partner.of(world, cast.as_mentor).path != partner.path


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_whose_it_is_comes_before_the_body(client: ApiClient, world: World, cast: Cast, method: str) -> None:
    path = Partner.of(world, cast.as_mentor).path
    nowhere = "/webhook-endpoints/0190a1b2-0000-7000-8000-00000000dead"
    for where, headers, status in (
        (path, {}, 401),
        (path, cast.as_mentee, 403),
        (nowhere, cast.as_mentee, 403),
        (nowhere, cast.as_mentor, 404),
        ("/webhook-endpoints/no-id", cast.as_mentor, 404),
        (path, cast.as_other_mentor, 403),
    ):
        answer = client.open(where, method=method, data=b"{", content_type="application/json", headers=headers)
        assert answer.status_code == status
    assert client.patch(path, data=b"{", content_type="application/json", headers=cast.as_mentor).status_code == 400
    # An operator helps a mentor out.
    assert client.patch(path, json={"rateLimit": 1}, headers=cast.as_operator).status_code == 200


@pytest.mark.parametrize("reader", ["as_mentor", "as_operator"])
def test_a_deletion_cancels_what_is_pending_and_stays_readable(world: World, cast: Cast, reader: str) -> None:
    partner, headers = Partner.of(world, cast.as_mentor), getattr(cast, reader)
    waiting, done = partner.told(), partner.told(DeliveryState.DONE)
    assert partner.client.delete(partner.path, headers=cast.as_mentor).status_code == 204
    shown = partner.client.get(f"/webhook-deliveries/{waiting}", headers=headers).json
    assert (shown["state"], shown["lastErrorClass"], shown["endpointId"]) == ("cancelled", "deleted", str(partner.id))
    assert partner.client.get(f"/webhook-deliveries/{done}", headers=headers).json["state"] == "done"
    listed = partner.client.get(f"/webhook-deliveries?endpointId={partner.id}", headers=headers).json["items"]
    assert {item["id"] for item in listed} >= {waiting, done}
    refused = partner.client.post(f"/webhook-deliveries/{done}/resend", headers=headers)
    assert (refused.status_code, refused.json["code"]) == (409, "endpoint_not_active")


def test_what_is_left_of_a_deletion_is_cancelled_in_pages(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    now = datetime.now(UTC)
    waiting = partner.told()
    leased = partner.told(lease_until=now + timedelta(seconds=45), attempts=1)
    assert partner.client.delete(partner.path, headers=cast.as_mentor).status_code == 204
    # Its sender has it in hand, and writes what comes of it.
    assert partner.delivery(waiting).state == DeliveryState.CANCELLED
    assert partner.delivery(leased).state == DeliveryState.PENDING
    late = [partner.told() for _ in range(5)]

    def cancel(limit: int) -> bool:
        with world.engine.begin() as db:
            return cancel_left_deliveries(db, limit=limit)

    assert [cancel(2) for _ in range(3)] == [True, True, False]
    assert {partner.delivery(each).cancel_reason for each in late} == {"deleted"}
    assert partner.delivery(leased).state == DeliveryState.PENDING
    with world.engine.begin() as db:
        of_endpoint = deliveries.c.id == UUID(leased)
        db.execute(update(deliveries).where(of_endpoint).values(lease_until=now - timedelta(seconds=1)))
    assert not cancel(2)
    assert partner.delivery(leased).cancel_reason == "deleted"
    assert list(scalars(world.engine, select(deleted_webhook_endpoints.c.deliveries_left))) == [False]


def test_others_do_not_read_what_a_deleted_endpoint_was_sent(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_operator)
    done = partner.told(DeliveryState.DONE)
    assert partner.client.delete(partner.path, headers=cast.as_operator).status_code == 204
    assert partner.client.get(f"/webhook-deliveries/{done}", headers=cast.as_mentor).status_code == 403
    listed = partner.client.get(f"/webhook-deliveries?endpointId={partner.id}", headers=cast.as_mentor)
    assert listed.json["items"] == []


def test_an_endpoint_shows_its_failures_under_an_etag_of_their_own(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    healthy = partner.client.get(partner.path, headers=cast.as_mentor).headers["ETag"]
    partner.becomes(ACTIVE, **IN_TROUBLE)
    shown = partner.client.get(partner.path, headers=cast.as_mentor | {"If-None-Match": healthy})
    assert shown.status_code == 200
    assert (shown.json["consecutiveFailures"], shown.json["failingSince"], shown.json["retryingAt"]) == (
        12,
        "2030-05-01T00:00:00Z",
        "2030-05-04T00:00:00Z",
    )
    matched = cast.as_mentor | {"If-Match": shown.headers["ETag"]}
    assert partner.client.patch(partner.path, json={"rateLimit": 5}, headers=matched).status_code == 200
