"""Identity, role, what the path names, whose it is, the body's form, the rules: always in this order."""

from uuid import uuid4

import pytest

from tests.api.conftest import Cast
from tests.application import World
from workflows.bookings.records import Booking

NOWHERE = "/bookings/{}/decline"
BAD_BODY = {"reason": 7, "nonsense": True}


def test_who_is_calling_comes_first(world: World, draft: Booking) -> None:
    for path in (draft.id, uuid4(), "no-id"):
        answer = world.client.patch(NOWHERE.format(path), json=BAD_BODY)
        assert answer.status_code == 401


def test_the_role_comes_before_the_look_up(world: World, cast: Cast, draft: Booking) -> None:
    for path in (draft.id, uuid4(), "no-id"):
        answer = world.client.patch(NOWHERE.format(path), json=BAD_BODY, headers=cast.as_mentee)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "path",
    ["0190a1b2-0000-7000-8000-00000000dead", "no-id", "%00", "{00000000-0000-0000-0000-000000000000}", "a" * 300],
)
def test_what_the_path_names_comes_before_the_body(world: World, cast: Cast, path: str) -> None:
    answer = world.client.patch(NOWHERE.format(path), json=BAD_BODY, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_ownership_comes_before_the_body(world: World, cast: Cast, draft: Booking) -> None:
    path = NOWHERE.format(draft.id)
    assert world.client.patch(path, json=BAD_BODY, headers=cast.as_other_mentor).status_code == 403
    assert world.client.patch(path, data=b"{", headers=cast.as_other_mentor).status_code == 403


def test_the_bodys_form_comes_before_what_it_names_and_the_rules(world: World, cast: Cast, accepted: Booking) -> None:
    path = NOWHERE.format(accepted.id)
    assert world.client.patch(path, json=BAD_BODY, headers=cast.as_mentor).json["code"] == "invalid_request"
    assert world.client.patch(path, json={}, headers=cast.as_mentor).json["code"] == "invalid_transition"
    requested = cast.body(listingId=str(uuid4()), title=7)
    assert world.client.post("/bookings", json=requested, headers=cast.as_mentee).status_code == 400
    del requested["title"]
    assert world.client.post("/bookings", json=requested, headers=cast.as_mentee).status_code == 404


def test_lists_ask_who_is_calling_before_they_read_the_query(world: World, cast: Cast) -> None:
    path = "/sessions/mentor/my-sessions?limit=0"
    assert world.client.get(path).status_code == 401
    assert world.client.get(path, headers=cast.as_mentee).status_code == 403
    assert world.client.get(path, headers=cast.as_mentor).status_code == 400
