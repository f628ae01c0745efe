"""Blocks over HTTP: whom a mentor does not take on, and who may say so."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from models.groups import waitlist_entries
from tests import factories
from tests.api.conftest import Cast, refusal
from tests.api.test_seats import make_group, post
from tests.application import ApiClient, World
from workers.maintain import CHORES


@pytest.fixture
def blocks(cast: Cast) -> str:
    return f"/mentors/{cast.mentor.id}/blocks"


@pytest.mark.parametrize("who", ["as_mentor", "as_operator"])
def test_a_block_is_set_listed_and_lifted(client: ApiClient, cast: Cast, blocks: str, who: str) -> None:
    headers = getattr(cast, who)
    body = {"userId": str(cast.mentee.id), "reason": "Rude"}
    made = [client.post(blocks, json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json == {**body, "createdAt": made[1].json["createdAt"]}
    assert client.get(blocks, headers=headers).json["items"] == [made[0].json]
    path = f"{blocks}/{cast.mentee.id}"
    assert client.delete(path, headers=headers).status_code == 204
    assert refusal(client.delete(path, headers=headers)) == (404, "not_found")
    assert client.get(blocks, headers=headers).json["items"] == []


def test_nobody_is_blocked_for_an_erased_mentor(client: ApiClient, cast: Cast, blocks: str) -> None:
    # Nothing would erase the reason.
    assert client.delete("/me", headers=cast.as_mentor).status_code == 204
    body = {"userId": str(cast.mentee.id), "reason": "Rude"}
    assert refusal(client.post(blocks, json=body, headers=cast.as_operator)) == (404, "not_found")


def test_others_neither_set_see_nor_lift_a_block(client: ApiClient, cast: Cast, blocks: str) -> None:
    body = {"userId": str(cast.stranger.id)}
    assert client.post(blocks, json=body, headers=cast.as_mentor).status_code == 201
    for headers in (cast.as_mentee, cast.as_stranger, cast.as_other_mentor):
        assert client.post(blocks, json=body, headers=headers).status_code == 403
        assert client.get(blocks, headers=headers).status_code == 403
        assert client.delete(f"{blocks}/{cast.stranger.id}", headers=headers).status_code == 403


def test_only_users_other_than_the_mentor_are_blocked(client: ApiClient, cast: Cast, blocks: str) -> None:
    block = partial(client.post, blocks, headers=cast.as_mentor)
    assert refusal(block(json={"userId": str(cast.mentor.user_id)})) == (400, "invalid_request")
    # Whether a person exists is not shown.
    assert block(json={"userId": str(cast.mentor.id)}).status_code == 201
    assert refusal(block(json={})) == (400, "invalid_request")


def test_a_blocked_person_books_holds_and_joins_nothing(world: World, cast: Cast, blocks: str) -> None:
    client = world.client
    with world.engine.begin() as db:
        course = factories.make_course(db)
        factories.make_product(db, course)
        listings = [
            factories.make_listing(db, mentor, course_id=course.id, booking_mode="instant", duration_minutes=30)
            for mentor in (cast.mentor, factories.make_mentor(db))
        ]
        starts = [factories.next_slot().isoformat() for _ in range(6)]
    group, full = make_group(world, cast, days=400), make_group(world, cast, cast.stranger, capacity=1, days=401)
    post(world, full, "waitlist", cast.as_mentee)
    assert client.post(blocks, json={"userId": str(cast.mentee.id)}, headers=cast.as_mentor).status_code == 201
    own = str(cast.mentor.id)
    individual: dict[str, Any] = {"courseId": str(course.id), "durationMinutes": 30}
    asked = [
        ("/bookings", {"listingId": str(listings[0].id), "startTime": starts[0]}),
        ("/bookings", cast.body(startTime=starts[1])),
        ("/sessions/book", {"mentorProfileId": own, "durationMinutes": 30, "scheduledAt": starts[2], "title": "x"}),
        ("/bookings/individual", {**individual, "mentorProfileId": own, "startTime": starts[3]}),
        (f"/mentors/{own}/holds", {"durationMinutes": 30, "startTime": starts[4]}),
        (f"/group-sessions/{group.id}/join", {}),
    ]
    for path, body in asked:
        answer = client.post(path, json=body, headers=cast.as_mentee)
        assert refusal(answer) == (409, "not_bookable"), path
    acting = {**individual, "mentorProfileId": own, "startTime": starts[3], "studentId": str(cast.mentee.id)}
    answer = client.post("/bookings/individual", json=acting, headers=cast.as_operator)
    assert refusal(answer) == (409, "not_bookable")
    for step in ("join", "waitlist"):
        assert refusal(post(world, full, step, cast.as_mentee)) == (409, "not_bookable")
    # Without a named mentor, the other one is chosen.
    chosen = client.post("/bookings/individual", json={**individual, "startTime": starts[5]}, headers=cast.as_mentee)
    assert chosen.json["mentorProfileId"] == str(listings[1].mentor_profile_id)
    assert client.post("/bookings", json=asked[0][1], headers=cast.as_stranger).status_code == 202
    # The place in line stays, and no seat is offered.
    post(world, full, "leave", cast.as_stranger)
    with world.engine.begin() as db:
        CHORES["offer free seats"](db)
        assert db.scalars(select(waitlist_entries.c.offered_until)).all() == [None]
    assert client.delete(f"{blocks}/{cast.mentee.id}", headers=cast.as_mentor).status_code == 204
    again = {**asked[0][1], "startTime": starts[1]}
    assert client.post("/bookings", json=again, headers=cast.as_mentee).status_code == 202


def test_what_a_blocked_person_has_stays(client: ApiClient, cast: Cast, blocks: str) -> None:
    draft = client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json["id"]
    client.post(blocks, json={"userId": str(cast.mentee.id)}, headers=cast.as_mentor)
    assert client.patch(f"/bookings/{draft}/accept", headers=cast.as_mentor).status_code == 202
