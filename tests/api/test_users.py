"""Staff find people, change their accounts, and block them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, update

from api.streams.hub import Hub
from models.people import users
from tests import factories
from tests.api.conftest import Cast
from tests.api.streaming import Streams, serving
from tests.api.test_calendar import feed_of, make_secret
from tests.api.test_ended_links import mailed
from tests.application import ApiClient, ApiResponse, World, as_user
from workflows.accounts.records import User
from workflows.bookings.records import Booking


@pytest.fixture
def zuzana(engine: Engine) -> User:
    with engine.begin() as db:
        user = factories.make_user(db, name="Zuzana Čapková", email="zuzka@praha.example")
        db.execute(update(users).where(users.c.id == user.id).values(external_id="cz-7"))
        return user


def change(client: ApiClient, cast: Cast, user: object, **changes: Any) -> ApiResponse:
    return client.patch(f"/users/{user}", json=changes, headers=cast.as_operator)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=capk", True),
        ("q=zuzana%20praha", True),
        ("q=zuzana%20brno", False),
        ("email=ZUZKA@praha.example", True),
        ("email=zuzka@brno.example", False),
        ("externalId=cz-7", True),
        ("externalId=cz", False),
        ("state=active&q=zuz", True),
        ("state=blocked", False),
    ],
)
def test_staff_find_people(client: ApiClient, cast: Cast, zuzana: User, query: str, found: bool) -> None:
    answer = client.get(f"/users?{query}", headers=cast.as_operator)
    assert (answer.status_code, [each["id"] for each in answer.json["items"]]) == (200, [str(zuzana.id)] * found)


def test_only_staff_find_and_change_people(client: ApiClient, cast: Cast) -> None:
    for headers in (cast.as_mentee, cast.as_mentor):
        assert client.get("/users", headers=headers).status_code == 403
        assert client.patch(f"/users/{cast.mentee.id}", json={"name": "A"}, headers=headers).status_code == 403


def test_staff_change_an_account_at_once(client: ApiClient, cast: Cast, zuzana: User) -> None:
    client.patch("/me", json={"email": "later@example.org"}, headers=as_user(zuzana))
    changes = {
        "name": "Z. Č.",
        "email": "z@praha.example",
        "timeZone": "Europe/Prague",
        "locale": "cs",
        "externalId": None,
        "metadata": {"plan": "gold"},
    }
    changed = change(client, cast, zuzana.id, **changes)
    assert (changed.status_code, {name: changed.json[name] for name in changes}) == (200, changes)
    # An address that still waits to be confirmed does not replace this one.
    assert changed.json["pendingEmail"] is None
    assert change(client, cast, zuzana.id, email=cast.mentee.email).json["code"] == "email_taken"
    stale = {**cast.as_operator, "If-Match": '"0"'}
    assert client.patch(f"/users/{zuzana.id}", json={"name": "A"}, headers=stale).status_code == 412


def test_an_erased_account_is_not_changed(client: ApiClient, cast: Cast) -> None:
    assert client.delete("/me", headers=as_user(cast.stranger)).status_code == 204
    for changes in ({"name": "Ada"}, {"state": "blocked"}, {}):
        assert change(client, cast, cast.stranger.id, **changes).status_code == 404


def test_a_blocked_person_is_refused_everywhere(client: ApiClient, cast: Cast, engine: Engine, draft: Booking) -> None:
    secret = make_secret(client, cast.as_mentor)
    (paths,) = mailed(engine).values()
    blocked = change(client, cast, cast.mentor.user_id, state="blocked")
    assert (blocked.json["state"], blocked.json["open"]["drafts"]) == ("blocked", [str(draft.id)])
    for headers in (cast.as_mentor, as_user(cast.mentor.user_id)):
        refused = client.get("/me", headers=headers)
        assert (refused.status_code, refused.json["code"]) == (403, "blocked")
    for path in (paths["Accept request"], paths["unsubscribe"]):
        for method in ("GET", "POST"):
            assert client.open(path, method=method).status_code == 403
    assert feed_of(client, secret).status_code == 403
    listed = client.get("/users?state=blocked", headers=cast.as_operator).json["items"]
    assert [each["id"] for each in listed] == [str(cast.mentor.user_id)]
    # Open requests stay, and staff decide them for the person.
    acting = {**cast.as_operator, "On-Behalf-Of": str(cast.mentor.user_id)}
    assert client.post(f"/bookings/{draft.id}/decline", headers=acting).status_code == 200
    assert change(client, cast, cast.mentor.user_id, state="active").json["open"]["drafts"] == []
    assert client.get("/me", headers=cast.as_mentor).status_code == 200


@pytest.fixture
def streams(world: World) -> Iterator[Streams]:
    with serving(world, partial(Hub, check_seconds=0)) as running:
        yield running


def test_a_blocked_persons_stream_ends(world: World, cast: Cast, streams: Streams, draft: Booking) -> None:
    following = streams.open("/streams/sessions", cast.as_mentor)
    assert following.next() is not None
    change(world.client, cast, cast.mentor.user_id, state="blocked")
    assert streams.open("/streams/sessions", cast.as_mentor).error() == (403, "blocked")
    # Its next change is not sent.
    acting = {**cast.as_operator, "On-Behalf-Of": str(cast.mentor.user_id)}
    world.client.post(f"/bookings/{draft.id}/accept", headers=acting)
    world.run_session_effects()
    with pytest.raises(AssertionError, match="has ended"):
        following.next()


@pytest.mark.usefixtures("scheduled")
def test_a_stream_ends_with_the_person_or_the_mentor_it_is_about(world: World, cast: Cast, streams: Streams) -> None:
    of_person = streams.open("/streams/sessions", {**cast.as_operator, "On-Behalf-Of": str(cast.mentee.id)})
    of_mentor = streams.open(f"/streams/availability?mentorProfileId={cast.mentor.id}", cast.as_stranger)
    assert (of_person.next().name, of_mentor.next().name) == ("snapshot", "snapshot")
    profile = f"/mentor-profiles/{cast.mentor.id}"
    assert world.client.patch(profile, headers=cast.as_operator, json={"state": "paused"}).status_code == 200
    # Neither stream is told that the session is cancelled.
    assert world.client.delete("/me?cancel=true", headers=cast.as_mentee).status_code == 204
    assert (of_person.rest(), of_mentor.rest()) == ([], [])
