"""New mentor profiles wait for staff where the operator wants that, and staff reject and pause profiles."""

from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.events import events
from tests import factories
from tests.api.conftest import Cast, Headers, refusal
from tests.application import ApiResponse, World, as_mentor, bearer
from tests.queries import execute
from workflows.catalog.courses import Course

OFFER = {"title": "An hour", "durationMinutes": 60, "price": {"amount": 4000, "currency": "USD"}}


@pytest.fixture
def world(engine: Engine) -> World:
    return World.on(engine, mentor_approval="true")


def decide(world: World, mentor_id: str, headers: Headers, **changes: Any) -> ApiResponse:
    return world.client.patch(f"/mentor-profiles/{mentor_id}", headers=headers, json=changes)


def told(engine: Engine) -> list[tuple[str, str]]:
    wanted = select(events.c.type, events.c.data).where(events.c.type.like("mentor.%")).order_by(events.c.sequence)
    return [(row.type, row.data["state"]) for row in execute(engine, wanted)]


@pytest.fixture
def pending(world: World, cast: Cast) -> dict[str, Any]:
    """The profile of a newcomer, with a listing."""
    profile = world.client.post("/mentor-profiles", headers=cast.as_stranger, json={"headline": "New"}).json
    headers = bearer({"sub": str(cast.stranger.id), "mentor_profile_id": profile["id"]})
    listing = world.client.post("/listings", headers=headers, json=OFFER)
    assert listing.status_code == 201
    return {**profile, "listingId": listing.json["id"], "headers": headers}


def test_a_new_profile_is_neither_listed_nor_booked(
    world: World, cast: Cast, course: Course, pending: dict[str, Any]
) -> None:
    assert (pending["state"], pending["active"]) == ("pending", False)
    listed = world.client.get("/mentors", headers=cast.as_mentee).json["items"]
    assert pending["id"] not in [each["id"] for each in listed]
    start, client = factories.next_slot().isoformat(), world.client
    wanted = {"courseId": str(course.id), "startTime": start, "durationMinutes": 60, "mentorProfileId": pending["id"]}
    directly = {"mentorProfileId": pending["id"], "durationMinutes": 60, "scheduledAt": start, "title": "Now"}
    refused = [
        client.post("/bookings", headers=cast.as_mentee, json={"listingId": pending["listingId"], "startTime": start}),
        client.post("/sessions/book", headers=cast.as_mentee, json=directly),
        client.post("/bookings/individual", headers=cast.as_mentee, json=wanted),
        client.post(
            f"/mentors/{pending['id']}/holds", headers=cast.as_mentee, json={"startTime": start, "durationMinutes": 60}
        ),
    ]
    assert [refusal(answer) for answer in refused] == [(409, "not_bookable")] * 4


def test_staff_alone_approve(world: World, cast: Cast, pending: dict[str, Any]) -> None:
    for changes in ({"state": "active"}, {"active": True}):
        assert decide(world, pending["id"], pending["headers"], **changes).status_code == 403
    assert decide(world, pending["id"], cast.as_operator, state="pending").status_code == 400
    assert decide(world, pending["id"], cast.as_operator, active=True).status_code == 403
    approved = decide(world, pending["id"], cast.as_operator, state="active").json
    assert (approved["state"], approved["active"]) == ("active", True)
    again = decide(world, pending["id"], cast.as_operator, state="active")
    assert (again.status_code, told(world.engine)) == (200, [("mentor.approved", "active")])
    start = factories.next_slot().isoformat()
    body = {"listingId": pending["listingId"], "startTime": start}
    assert world.client.post("/bookings", headers=cast.as_mentee, json=body).status_code == 201


def test_a_rejected_or_paused_mentor_is_not_booked(world: World, cast: Cast) -> None:
    mentor, as_owner = str(cast.mentor.id), as_mentor(cast.mentor)
    for state in ("paused", "active", "rejected"):
        changed = decide(world, mentor, cast.as_operator, state=state).json
        assert (changed["state"], changed["active"]) == (state, state == "active")
        answer = world.client.post("/bookings", headers=cast.as_mentee, json=cast.body())
        assert answer.status_code == (201 if state == "active" else 409)
        assert decide(world, mentor, as_owner, active=True).status_code == (200 if state == "active" else 403)
    assert told(world.engine) == [("mentor.approved", "active"), ("mentor.rejected", "rejected")]


def test_a_mentor_who_left_is_not_brought_back_by_the_same_state(world: World, cast: Cast) -> None:
    assert decide(world, str(cast.mentor.id), cast.as_mentor, active=False).status_code == 200
    same = decide(world, str(cast.mentor.id), cast.as_operator, state="active").json
    assert (same["state"], same["active"]) == ("active", False)
    answer = world.client.post("/bookings", headers=cast.as_mentee, json=cast.body())
    assert refusal(answer) == (404, "not_found")


def test_without_approval_a_profile_is_active_at_once(engine: Engine, cast: Cast) -> None:
    world = World.on(engine)
    profile = world.client.post("/mentor-profiles", headers=cast.as_stranger, json={"headline": "New"}).json
    assert (profile["state"], profile["active"]) == ("active", True)
