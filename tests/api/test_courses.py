"""Courses over HTTP: kept by operators, read by all users, taught by mentors with a listing of one."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import Cast, version_of
from tests.application import ApiResponse, World
from tests.statements import statements_of
from workflows.catalog.courses import Course

ALGEBRA = {"title": "Linear algebra I", "description": "Vectors, matrices, and what they are for."}
OFFER = {"title": "Algebra, an hour", "durationMinutes": 60, "price": {"amount": 4000, "currency": "USD"}}


def offer_of(course: Course, **changes: Any) -> dict[str, Any]:
    return {**OFFER, "courseId": str(course.id), **changes}


def test_an_operator_adds_a_course_that_all_users_read(world: World, cast: Cast) -> None:
    added = world.client.post("/courses", json=ALGEBRA, headers=cast.as_operator)
    assert (added.status_code, version_of(added)) == (201, 1)
    assert added.json == {
        "id": added.json["id"],
        **ALGEBRA,
        "active": True,
        "externalId": None,
        "metadata": None,
        "createdAt": added.json["createdAt"],
    }
    for headers in (cast.as_mentee, cast.as_mentor, cast.as_operator):
        read = world.client.get(added.headers["Location"], headers=headers)
        assert (read.json, version_of(read)) == (added.json, 1)
        assert world.client.get("/courses", headers=headers).json == {"items": [added.json], "nextCursor": None}


@pytest.mark.parametrize("who", ["mentee", "mentor"])
def test_only_operators_keep_the_catalogue(world: World, cast: Cast, course: Course, who: str) -> None:
    headers = getattr(cast, f"as_{who}")
    assert world.client.post("/courses", json=ALGEBRA, headers=headers).status_code == 403
    assert world.client.patch(f"/courses/{course.id}", json={"title": "Mine"}, headers=headers).status_code == 403


def test_an_inactive_course_is_readable_but_not_listed(world: World, cast: Cast, course: Course) -> None:
    path = f"/courses/{course.id}"
    changed = world.client.patch(path, json={"active": False, "description": None}, headers=cast.as_operator)
    assert (changed.status_code, changed.json["active"], version_of(changed)) == (200, False, 2)
    assert world.client.get("/courses", headers=cast.as_mentee).json["items"] == []
    assert world.client.get(path, headers=cast.as_mentee).json == changed.json
    assert world.client.patch(path, json={}, headers=cast.as_operator).json == changed.json
    world.client.patch(path, json={"active": True}, headers=cast.as_operator)
    assert len(world.client.get("/courses", headers=cast.as_mentee).json["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"title": ""},
        {"title": " "},
        {"title": "Two\nlines"},
        {"title": "x" * 201},
        {"title": 7},
        {"title": None},
        {"title": "Fine", "description": "x" * 5001},
        {"title": "Fine", "active": "no"},
        {"title": "Fine", "id": str(uuid4())},
    ],
)
def test_a_course_that_does_not_fit_is_refused(world: World, cast: Cast, course: Course, body: dict[str, Any]) -> None:
    for answer in (
        world.client.post("/courses", json=body, headers=cast.as_operator),
        world.client.patch(f"/courses/{course.id}", json=body, headers=cast.as_operator),
    ):
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_courses_come_in_pages_the_newest_first_by_one_statement_each(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        made = [factories.make_course(db, title=f"Course {number}") for number in range(3)]
    with statements_of(engine) as statements:
        first = world.client.get("/courses?limit=2", headers=cast.as_mentee).json
    assert len(statements.statements) == 2
    rest = world.client.get(f"/courses?limit=2&cursor={first['nextCursor']}", headers=cast.as_mentee).json
    found = [item["id"] for item in first["items"] + rest["items"]]
    assert (found, rest["nextCursor"]) == ([str(course.id) for course in reversed(made)], None)


def test_what_is_not_in_the_catalogue_is_not_found(world: World, cast: Cast) -> None:
    for course_id in (uuid4(), "no-id"):
        for method in ("GET", "PATCH"):
            answer = world.client.open(f"/courses/{course_id}", method=method, json={}, headers=cast.as_operator)
            assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_mentor_teaches_a_course_by_one_listing_of_it(world: World, cast: Cast, course: Course) -> None:
    first = world.client.post("/listings", json=offer_of(course), headers=cast.as_mentor)
    assert (first.status_code, first.json["courseId"]) == (201, str(course.id))
    again = world.client.post("/listings", json=offer_of(course, title="Once more"), headers=cast.as_mentor)
    assert (again.status_code, again.json["code"]) == (409, "listing_exists")
    # Another listing of the same mentor does not become one of the course either; another mentor's does.
    path = f"/listings/{cast.listing.id}"
    moved = world.client.patch(path, json={"courseId": str(course.id)}, headers=cast.as_mentor)
    assert (moved.status_code, moved.json["code"]) == (409, "listing_exists")
    other = world.client.post("/listings", json=offer_of(course), headers=cast.as_other_mentor)
    assert other.status_code == 201
    of_course = world.client.get(f"/listings?courseId={course.id}", headers=cast.as_mentee).json["items"]
    assert [item["id"] for item in of_course] == [other.json["id"], first.json["id"]]
    own = f"/listings?courseId={course.id}&mentorProfileId={cast.mentor.id}"
    assert [item["id"] for item in world.client.get(own, headers=cast.as_mentee).json["items"]] == [first.json["id"]]


def test_a_mentor_offers_a_course_once_for_each_duration(world: World, cast: Cast, course: Course) -> None:
    made = [
        world.client.post("/listings", json=offer_of(course, durationMinutes=minutes), headers=cast.as_mentor)
        for minutes in (30, 60, 90)
    ]
    assert [answer.status_code for answer in made] == [201, 201, 201]
    half_hour, hour = (f"/listings/{answer.json['id']}" for answer in made[:2])
    shorter = world.client.patch(hour, json={"durationMinutes": 30}, headers=cast.as_mentor)
    assert (shorter.status_code, shorter.json["code"]) == (409, "listing_exists")
    # An inactive listing makes room, until it is active again.
    assert world.client.patch(half_hour, json={"active": False}, headers=cast.as_mentor).status_code == 200
    assert world.client.patch(hour, json={"durationMinutes": 30}, headers=cast.as_mentor).status_code == 200
    again = world.client.patch(half_hour, json={"active": True}, headers=cast.as_mentor)
    assert (again.status_code, again.json["code"]) == (409, "listing_exists")


def test_a_mentors_listings_of_a_duration_have_one_currency(world: World, cast: Cast, course: Course) -> None:
    # The cast's own listing is an hour for dollars.
    euros = {"price": {"amount": 1, "currency": "EUR"}, "courseId": str(course.id)}

    def published(minutes: int, **changed: Any) -> ApiResponse:
        offer = offer_of(course, durationMinutes=minutes, **{**euros, **changed})
        return world.client.post("/listings", json=offer, headers=cast.as_mentor)

    assert (published(60).status_code, published(60).json["code"]) == (409, "currency_differs")
    half = published(30)
    assert half.status_code == 201
    longer = world.client.patch(f"/listings/{half.json['id']}", json={"durationMinutes": 60}, headers=cast.as_mentor)
    assert (longer.status_code, longer.json["code"]) == (409, "currency_differs")
    own = f"/listings/{cast.listing.id}"
    # The only one of its duration changes its currency, and an inactive one has any.
    assert world.client.patch(own, json={"price": euros["price"]}, headers=cast.as_mentor).status_code == 200
    dollars = {"price": {"amount": 1, "currency": "USD"}}
    changed = {"durationMinutes": 30, **dollars}
    assert world.client.patch(own, json=changed, headers=cast.as_mentor).json["code"] == "currency_differs"
    assert world.client.patch(own, json={"active": False, **changed}, headers=cast.as_mentor).status_code == 200
    assert world.client.patch(own, json={"active": True}, headers=cast.as_mentor).json["code"] == "currency_differs"


def test_a_booking_and_its_session_belong_to_the_listings_course(world: World, cast: Cast, course: Course) -> None:
    listing = world.client.post("/listings", json=offer_of(course), headers=cast.as_mentor).json["id"]
    booking = world.client.post("/bookings", json=cast.body(listingId=listing), headers=cast.as_mentee).json
    assert booking["courseId"] == str(course.id)
    # A booking keeps its course, whatever becomes of the listing.
    world.client.patch(f"/listings/{listing}", json={"courseId": None}, headers=cast.as_mentor)
    accepted = world.client.patch(f"/bookings/{booking['id']}/accept", headers=cast.as_mentor).json
    assert accepted["courseId"] == str(course.id)
    world.run_session_effects()
    with world.engine.connect() as db:
        held = db.exec_driver_sql("SELECT id, course_id FROM sessions").one()
    assert (str(held.id), held.course_id) == (accepted["sessionId"], course.id)
