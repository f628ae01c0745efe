"""What staff find: everyone's bookings and sessions, by every filter."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiResponse, World
from tests.integration.harness import without_guards


@pytest.fixture(params=["bookings", "sessions"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def found(answer: ApiResponse) -> list[str]:
    assert answer.status_code == 200, answer.json
    return [item.get("bookingId", item["id"]) for item in answer.json["items"]]


def listed(world: World, cast: Cast, path: str, /, **query: Any) -> list[str]:
    return found(world.client.get(f"/{path}", query_string=query, headers=cast.as_operator))


def test_staff_find_everyones_by_every_filter(world: World, cast: Cast, kind: str) -> None:
    with world.engine.begin() as db:
        ada, lin = (factories.make_user(db, name=name) for name in ("Ada Zuse", "Lin Zuse"))
        mentor, other = factories.make_mentor(db), factories.make_mentor(db)
        course = factories.make_course(db)
        listings = [factories.make_listing(db, mentor, course_id=course.id), factories.make_listing(db, other)]
        first, second = (
            factories.make_session(db, listing=listing, mentee=mentee)
            for listing, mentee in zip(listings, (ada, lin), strict=True)
        )
        third = factories.make_group_session(db, [ada], listing=listings[1])
        with without_guards(db):
            db.execute(text("UPDATE bookings SET external_id = 'x-1' WHERE id = :id"), {"id": second.booking_id})
    one, two, group = (str(each.booking_id) for each in (first, second, third))
    everything = [str(each.booking_id) for each in sorted((first, second, third), key=lambda each: each.start_time)]
    assert listed(world, cast, kind, order="asc") == everything
    assert listed(world, cast, kind) == everything[::-1]
    only = {
        "mentorProfileId": (mentor.id, {one}),
        "menteeUserId": (ada.id, {one, group}),
        "listingId": (listings[0].id, {one}),
        "courseId": (course.id, {one}),
        "externalId": ("x-1", {two}),
        "kind": ("group", {group}),
        "from": (second.start_time.isoformat(), {each for each in everything[everything.index(two) :]}),
    }
    for name, (value, expected) in only.items():
        assert set(listed(world, cast, kind, **{name: str(value)})) == expected, name
    for q, expected in (("ADA", {one, group}), (lin.email[:8], {two}), ("Zuse", set()), ("100%", set())):
        assert set(listed(world, cast, kind, q=q)) == expected, q
    assert listed(world, cast, kind, q="ada z", menteeUserId=str(lin.id)) == []


def test_staff_name_several_statuses(world: World, cast: Cast, kind: str) -> None:
    with world.engine.begin() as db:
        draft = factories.make_booking(db)
        running, planned = factories.make_session(db), factories.make_session(db)
        factories.start_session(db, running)
    statuses = {"bookings": ("draft", "accepted", "declined"), "sessions": ("in_progress", "scheduled", "completed")}
    first = draft.id if kind == "bookings" else running.booking_id
    second = {running.booking_id, planned.booking_id} if kind == "bookings" else {planned.booking_id}
    one, other, neither = statuses[kind]
    assert set(listed(world, cast, kind, status=one)) == {str(first)}
    assert set(listed(world, cast, kind, status=f"{other},{one}")) == {str(first), *map(str, second)}
    assert listed(world, cast, kind, status=neither) == []
    for bad in ("", "nothing", f"{one},nothing"):
        answer = world.client.get(f"/{kind}", query_string={"status": bad}, headers=cast.as_operator)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_request"), bad


def test_what_has_changed_is_read_in_the_order_of_its_changes(world: World, cast: Cast, kind: str) -> None:
    with world.engine.begin() as db:
        made = [factories.make_session(db) for _ in range(5)]
        began = datetime.fromisoformat("2030-01-01T00:00:00+00:00")
        db.execute(text("SET LOCAL session_replication_role = replica"))
        for number, session in enumerate(made):
            change = (
                f"UPDATE {kind} SET updated_at = :at WHERE :id IN (id, {'id' if kind == 'bookings' else 'booking_id'})"
            )
            db.execute(text(change), {"at": began + timedelta(hours=number % 3), "id": session.booking_id})
    since, read, cursor = began + timedelta(hours=1), list[str](), None
    while cursor is not None or not read:
        query = {"updatedSince": since.isoformat(), "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = world.client.get(f"/{kind}", query_string=query, headers=cast.as_operator)
        read += found(page)
        cursor = page.json["nextCursor"]
    hours = [next(n % 3 for n, each in enumerate(made) if str(each.booking_id) == id) for id in read]
    assert hours == [1, 1, 2]


def test_others_list_their_own_alone(world: World, cast: Cast) -> None:
    client = world.client
    with world.engine.begin() as db:
        own = factories.make_booking(db, mentee=cast.mentee)
        factories.make_booking(db)
    assert found(client.get("/bookings?status=draft,accepted", headers=cast.as_mentee)) == [str(own.id)]
    for headers in (cast.as_mentee, cast.as_mentor):
        assert client.get("/sessions", headers=headers).status_code == 403
        for query in ("q=ada", f"mentorProfileId={cast.mentor.id}"):
            assert client.get(f"/bookings?{query}", headers=headers).status_code == 403
    assert client.get("/bookings?role=mentee", headers=cast.as_operator).status_code == 403
