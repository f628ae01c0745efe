"""Webhook endpoints: created, listed, read, pinged, each by its owner."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import Cast
from tests.application import World

HOOK = {"url": "https://partner.example/hooks", "eventTypes": ["session.completed"]}


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


def test_an_endpoint_is_its_owners(client: FlaskClient, cast: Cast) -> None:
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
    ],
    ids=str,
)
def test_endpoints_that_make_no_sense_are_refused(client: FlaskClient, cast: Cast, flaw: dict[str, object]) -> None:
    answer = client.post("/webhook-endpoints", json=HOOK | flaw, headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert next(iter(answer.json["details"])).partition(".")[0] in flaw
