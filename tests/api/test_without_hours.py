"""A mentor without hours can be booked at every time, or at none where the operator wants that."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import Cast, Tuition, refusal
from tests.application import World
from workflows.accounts.records import Mentor

ALL_WEEK = {
    "timeZone": "UTC",
    "hours": [{"weekday": day, "startTime": "00:00", "endTime": "24:00"} for day in range(7)],
}


@pytest.fixture
def world(engine: Engine) -> World:
    return World.on(engine, without_hours="closed")


def slots(world: World, mentor: Mentor, cast: Cast) -> list[Any]:
    start = factories.this_hour() + timedelta(days=1)
    query = {"from": start.isoformat(), "to": (start + timedelta(days=3)).isoformat(), "durationMinutes": "60"}
    found: list[Any] = world.client.get(f"/mentors/{mentor.id}/slots", query_string=query, headers=cast.as_mentee).json[
        "items"
    ]
    return found


def test_no_time_is_open_until_hours_are_set(world: World, tuition: Tuition, cast: Cast) -> None:
    mentor, client = tuition.mentors[0], world.client
    start = factories.next_slot().isoformat()
    assert slots(world, cast.mentor, cast) == []
    course = {"courseId": str(tuition.course.id), "durationMinutes": 60, "startTime": start}
    ways: list[tuple[str, dict[str, Any], str]] = [
        ("/bookings", cast.body(startTime=start), "outside_hours"),
        (
            "/sessions/book",
            {"mentorProfileId": str(cast.mentor.id), "durationMinutes": 60, "scheduledAt": start, "title": "Now"},
            "outside_hours",
        ),
        ("/bookings/individual", {**course, "mentorProfileId": str(mentor.id)}, "outside_hours"),
        ("/bookings/individual", course, "no_mentor_free"),
        (f"/mentors/{cast.mentor.id}/holds", {"startTime": start, "durationMinutes": 60}, "outside_hours"),
    ]
    for path, body, code in ways:
        assert refusal(client.post(path, headers=cast.as_mentee, json=body)) == (409, code), path
    assert client.put(f"/mentors/{cast.mentor.id}/hours", headers=cast.as_mentor, json=ALL_WEEK).status_code == 200
    assert slots(world, cast.mentor, cast)
    assert client.post("/bookings", headers=cast.as_mentee, json=cast.body(startTime=start)).status_code == 201


def test_no_session_moves_to_a_time_without_hours(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        session = factories.make_session(db, listing=cast.listing, mentee=cast.mentee)
    to = {"startTime": factories.next_slot().isoformat()}
    for headers in (cast.as_operator, cast.as_mentor):
        moved = world.client.post(f"/sessions/{session.id}/reschedule", json=to, headers=headers)
        assert refusal(moved) == (409, "outside_hours")
    world.client.put(f"/mentors/{cast.mentor.id}/hours", headers=cast.as_mentor, json=ALL_WEEK)
    moved = world.client.post(f"/sessions/{session.id}/reschedule", json=to, headers=cast.as_operator)
    assert moved.status_code == 200


def test_hours_of_a_date_open_that_date_alone(world: World, cast: Cast) -> None:
    start = (factories.this_hour() + timedelta(days=2)).replace(hour=9)
    path = f"/mentors/{cast.mentor.id}/dates/{start.date()}"
    day = {"hours": [{"startTime": "09:00", "endTime": "12:00"}]}
    assert world.client.put(path, headers=cast.as_mentor, json=day).status_code == 200
    found = [each["startTime"][:10] for each in slots(world, cast.mentor, cast)]
    assert set(found) == {str(start.date())}
    for begins, status in ((start, 201), (start + timedelta(days=1), 409)):
        body = cast.body(startTime=begins.isoformat())
        assert world.client.post("/bookings", headers=cast.as_mentee, json=body).status_code == status


def test_a_mentor_sees_that_hours_are_missing(world: World, cast: Cast) -> None:
    def has_hours(headers: dict[str, str]) -> object:
        return world.client.get("/me", headers=headers).json["hasHours"]

    assert (has_hours(cast.as_mentee), has_hours(cast.as_mentor)) == (None, False)
    path = f"/mentors/{cast.mentor.id}/hours"
    for hours, known in ((ALL_WEEK, True), ({"hours": []}, False)):
        assert world.client.put(path, headers=cast.as_mentor, json=hours).status_code == 200
        assert has_hours(cast.as_mentor) is known


def test_every_time_is_open_by_default(engine: Engine, cast: Cast) -> None:
    assert slots(World.on(engine), cast.mentor, cast)
