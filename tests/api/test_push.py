"""Push subscriptions over HTTP: one's own alone, and the push address is never shown."""

from uuid import uuid4

import pytest
from sqlalchemy import Engine

from config.vapid import new_private_key, vapid
from tests.api.conftest import Cast, version_of
from tests.application import World
from tests.integration.browsers import SubscribedBrowser

KEY = new_private_key()
SUBJECT = "mailto:operators@tutelage.example"


@pytest.fixture
def pushing(engine: Engine) -> World:
    return World.on(engine, vapid_private_key=KEY, vapid_subject=SUBJECT, webhook_allowed_networks=())


def browser(name: str = "abc") -> dict[str, object]:
    return SubscribedBrowser(f"https://push.example/send/{name}").subscription


def test_a_browser_is_told_the_key_that_it_subscribes_by(pushing: World, cast: Cast) -> None:
    answer = pushing.client.get("/push-subscriptions/key", headers=cast.as_mentee)
    made = vapid(KEY, SUBJECT)
    assert made is not None
    assert answer.json == {"publicKey": made.public_key}
    assert len(made.public_key) == 87


def test_a_subscription_is_made_listed_and_taken_back(pushing: World, cast: Cast) -> None:
    made = pushing.client.post("/push-subscriptions", json=browser(), headers=cast.as_mentee)
    assert (made.status_code, set(made.json)) == (201, {"id", "host", "createdAt"})
    assert made.json["host"] == "push.example"
    listed = pushing.client.get("/push-subscriptions", headers=cast.as_mentee)
    assert listed.json == {"items": [made.json], "nextCursor": None}
    assert "send/abc" not in listed.text
    assert pushing.client.get("/push-subscriptions", headers=cast.as_stranger).json["items"] == []
    path = f"/push-subscriptions/{made.json['id']}"
    assert pushing.client.delete(path, headers=cast.as_stranger).status_code == 403
    assert pushing.client.delete(path, headers=cast.as_mentee | {"If-Match": '"7"'}).status_code == 412
    assert pushing.client.delete(path, headers=cast.as_mentee).status_code == 204
    assert pushing.client.delete(path, headers=cast.as_mentee).status_code == 404
    assert pushing.client.delete(f"/push-subscriptions/{uuid4()}", headers=cast.as_mentee).status_code == 404


def test_a_browser_subscribes_once_however_often_it_says_so(pushing: World, cast: Cast) -> None:
    same = browser()
    first, again = (pushing.client.post("/push-subscriptions", json=same, headers=cast.as_mentee) for _ in range(2))
    assert first.json["id"] == again.json["id"]
    moved = pushing.client.post("/push-subscriptions", json=same, headers=cast.as_stranger)
    assert moved.status_code == 201
    # Nothing of it shows who has used this browser before.
    assert (moved.json["id"] != first.json["id"], version_of(moved)) == (True, 1)
    assert pushing.client.get("/push-subscriptions", headers=cast.as_mentee).json["items"] == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"endpoint": "https://169.254.169.254/latest"}, "endpoint"),
        ({"endpoint": "http://push.example/x"}, "endpoint"),
        ({"keys": {"p256dh": "x", "auth": "y"}}, "keys.p256dh"),
        ({"keys": {"p256dh": "x"}}, "keys.auth"),
        ({"userVisibleOnly": True}, "userVisibleOnly"),
    ],
)
def test_what_is_no_subscription_is_refused_by_field(
    pushing: World, cast: Cast, changed: dict[str, object], field: str
) -> None:
    answer = pushing.client.post("/push-subscriptions", json={**browser(), **changed}, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert field in answer.json["details"]


def test_without_a_key_nothing_is_pushed_and_the_answer_says_so(world: World, cast: Cast) -> None:
    for answer in (
        world.client.get("/push-subscriptions/key", headers=cast.as_mentee),
        world.client.post("/push-subscriptions", json=browser(), headers=cast.as_mentee),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "push_off")
    assert world.client.get("/push-subscriptions", headers=cast.as_operator).status_code == 403
