"""Templates of group sessions over HTTP: who keeps them, what they need, and the groups that they are scheduled for."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, func, insert, select, update

from models.availability import time_off
from models.bookings import bookings
from models.catalog import listings
from models.events import events
from models.groups import group_sessions
from tests import factories
from tests.api.conftest import Cast, Headers, version_of
from tests.application import ApiResponse, World
from tests.queries import execute
from workflows.catalog.courses import Course

MONDAY = 0


def body_of(**fields: Any) -> dict[str, Any]:
    """A weekly group on Mondays at nine in Berlin."""
    body = {
        "title": "Exercises",
        "weekday": MONDAY,
        "startTime": "09:00",
        "timeZone": "Europe/Berlin",
        "durationMinutes": 90,
        "capacity": 3,
        "price": {"amount": 1500, "currency": "EUR"},
        **fields,
    }
    return {name: value for name, value in body.items() if value is not ...}


def create(world: World, headers: Headers, **fields: Any) -> ApiResponse:
    return world.client.post("/group-session-templates", json=body_of(**fields), headers=headers)


def make(world: World, cast: Cast, **fields: Any) -> str:
    answer = create(world, cast.as_mentor, **fields)
    assert answer.status_code == 201, answer.json
    return str(answer.headers["Location"])


def schedule(world: World, cast: Cast, path: str, first: date, last: date) -> ApiResponse:
    period = {"from": first.isoformat(), "to": last.isoformat()}
    return world.client.post(f"{path}/schedule", json=period, headers=cast.as_mentor)


def next_monday() -> date:
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    return today + timedelta(days=7 - today.weekday())


def put_on_sale(world: World, cast: Cast, course: Course, **product: Any) -> str:
    body = {"kind": "group_seat", "title": "A seat", "price": {"amount": 900, "currency": "EUR"}, **product}
    answer = world.client.post(f"/courses/{course.id}/products", json=body, headers=cast.as_operator)
    assert answer.status_code == 201, answer.json
    return str(answer.json["id"])


def teach(engine: Engine, cast: Cast, course: Course) -> None:
    with engine.begin() as db:
        factories.make_listing(db, cast.mentor, course_id=course.id)


def test_a_mentor_makes_a_template_with_usual_terms(world: World, cast: Cast) -> None:
    answer = create(world, cast.as_mentor)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/group-session-templates/{answer.json['id']}"
    shown = {name: answer.json[name] for name in body_of()}
    assert shown == body_of()
    assert answer.json["mentorProfileId"] == str(cast.mentor.id)
    assert (answer.json["earlyStartMinutes"], answer.json["bufferMinutes"]) == (15, 0)
    assert answer.json["cancellation"] == {"windowHours": 24, "lateFeePercent": 50}
    assert (answer.json["courseId"], answer.json["productId"], answer.json["location"]) == (None, None, None)
    read = world.client.get(answer.headers["Location"], headers=cast.as_mentor)
    assert (read.json, version_of(read)) == (answer.json, 1)


def test_an_operator_names_the_mentor_of_a_template(world: World, cast: Cast) -> None:
    unnamed = create(world, cast.as_operator)
    assert (unnamed.status_code, [*unnamed.json["details"]]) == (400, ["mentorProfileId"])
    named = create(world, cast.as_operator, mentorProfileId=str(cast.mentor.id))
    assert (named.status_code, named.json["mentorProfileId"]) == (201, str(cast.mentor.id))
    unknown = create(world, cast.as_operator, mentorProfileId=str(uuid4()))
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")


def test_templates_belong_to_their_mentor_and_operators(world: World, cast: Cast) -> None:
    path = make(world, cast)
    assert create(world, cast.as_mentee).status_code == 403
    assert create(world, cast.as_other_mentor, mentorProfileId=str(cast.mentor.id)).status_code == 403
    for headers in (cast.as_mentee, cast.as_other_mentor):
        assert world.client.get(path, headers=headers).status_code == 403
        assert world.client.patch(path, json={"capacity": 9}, headers=headers).status_code == 403
        assert world.client.delete(path, headers=headers).status_code == 403
        assert world.client.post(f"{path}/schedule", json={}, headers=headers).status_code == 403
    assert world.client.get(path, headers=cast.as_operator).status_code == 200


def test_templates_are_listed_to_mentors_and_operators(world: World, cast: Cast) -> None:
    ours, paused = make(world, cast), make(world, cast)
    theirs = create(world, cast.as_other_mentor).headers["Location"]
    assert world.client.delete(paused, headers=cast.as_mentor).status_code == 204

    def listed(headers: Headers, query: str = "") -> list[str]:
        page = world.client.get(f"/group-session-templates{query}", headers=headers).json
        return [f"/group-session-templates/{item['id']}" for item in page["items"]]

    assert listed(cast.as_mentor) == [paused, ours]
    assert listed(cast.as_mentor, "?active=true") == [ours]
    assert listed(cast.as_operator) == [theirs, paused, ours]
    assert listed(cast.as_operator, f"?mentorProfileId={cast.mentor.id}&active=false") == [paused]
    others = f"/group-session-templates?mentorProfileId={cast.other_mentor.id}"
    assert world.client.get(others, headers=cast.as_mentor).status_code == 403
    assert world.client.get("/group-session-templates", headers=cast.as_mentee).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"weekday": 7},
        {"weekday": -1},
        {"startTime": "24:00"},
        {"startTime": "9:00"},
        {"timeZone": "Mars/Olympus"},
        {"durationMinutes": 0},
        {"capacity": 0},
        {"capacity": 1001},
        {"title": ""},
        {"title": ...},
        {"price": {"amount": -1, "currency": "EUR"}},
        {"bufferMinutes": -1},
        {"location": {"kind": "moon"}},
        {"seats": 3},
        {"active": False},
    ],
)
def test_a_template_that_does_not_fit_is_refused(world: World, cast: Cast, fields: dict[str, Any]) -> None:
    refused = create(world, cast.as_mentor, **fields)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert next(iter(fields)) in str(refused.json["details"])


def test_a_course_must_be_taught_by_the_mentor(world: World, cast: Cast, course: Course) -> None:
    for headers, named in ((cast.as_mentor, {}), (cast.as_operator, {"mentorProfileId": str(cast.mentor.id)})):
        refused = create(world, headers, courseId=str(course.id), **named)
        assert (refused.status_code, refused.json["code"]) == (400, "mentor_does_not_teach")
    teach(world.engine, cast, course)
    assert create(world, cast.as_mentor, courseId=str(course.id)).status_code == 201
    unknown = create(world, cast.as_mentor, courseId=str(uuid4()))
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")
    world.client.patch(f"/courses/{course.id}", json={"active": False}, headers=cast.as_operator)
    assert create(world, cast.as_mentor, courseId=str(course.id)).status_code == 404


def test_the_price_is_that_of_the_only_product(world: World, cast: Cast, course: Course) -> None:
    teach(world.engine, cast, course)
    fields = {"courseId": str(course.id), "price": ...}
    refused = create(world, cast.as_mentor, **fields)
    assert (refused.status_code, [*refused.json["details"]]) == (400, ["price"])
    put_on_sale(world, cast, course, kind="single")
    put_on_sale(world, cast, course, durationMinutes=30)
    seat = put_on_sale(world, cast, course)
    taken = create(world, cast.as_mentor, **fields)
    assert taken.json["price"] == {"amount": 900, "currency": "EUR"}
    assert taken.json["productId"] == seat
    put_on_sale(world, cast, course)
    assert create(world, cast.as_mentor, **fields).status_code == 400
    assert create(world, cast.as_mentor, price=...).status_code == 400


def test_a_changed_template_takes_its_price_again(world: World, cast: Cast, course: Course) -> None:
    teach(world.engine, cast, course)
    seat = put_on_sale(world, cast, course, durationMinutes=90)
    other = put_on_sale(world, cast, course, durationMinutes=60, price={"amount": 700, "currency": "EUR"})
    path = make(world, cast, courseId=str(course.id), price=None)

    def change(**fields: Any) -> ApiResponse:
        return world.client.patch(path, json=fields, headers=cast.as_mentor)

    assert change(capacity=5).json["productId"] == seat
    moved = change(durationMinutes=60).json
    assert (moved["productId"], moved["price"]["amount"]) == (other, 700)
    own = change(price={"amount": 1, "currency": "USD"}).json
    assert (own["productId"], own["price"]) == (None, {"amount": 1, "currency": "USD"})
    assert change(durationMinutes=45).json["price"] == {"amount": 1, "currency": "USD"}
    assert change(price=None).status_code == 400
    assert change(courseId=None, price=None).status_code == 400


def test_a_stale_change_of_a_template_is_refused(world: World, cast: Cast) -> None:
    path = make(world, cast)
    assert (
        world.client.patch(path, json={"capacity": 4}, headers=cast.as_mentor | {"If-Match": '"1"'}).status_code == 200
    )
    stale = world.client.patch(path, json={"capacity": 5}, headers=cast.as_mentor | {"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")


def test_a_deleted_template_stays_but_schedules_nothing(world: World, cast: Cast) -> None:
    path = make(world, cast)
    for _ in range(2):
        assert world.client.delete(path, headers=cast.as_mentor).status_code == 204
    assert world.client.get(path, headers=cast.as_mentor).json["active"] is False
    refused = schedule(world, cast, path, next_monday(), next_monday())
    assert (refused.status_code, refused.json["code"]) == (409, "template_inactive")
    world.client.patch(path, json={"active": True}, headers=cast.as_mentor)
    assert schedule(world, cast, path, next_monday(), next_monday()).status_code == 201


def test_a_schedule_makes_accepted_groups_with_sessions(world: World, cast: Cast, course: Course) -> None:
    teach(world.engine, cast, course)
    path = make(world, cast, courseId=str(course.id), bufferMinutes=30)
    first = next_monday()
    answer = schedule(world, cast, path, first, first + timedelta(days=14))
    assert answer.status_code == 201
    assert [made["date"] for made in answer.json["made"]] == [str(first + timedelta(days=7 * n)) for n in range(3)]
    assert (answer.json["conflicts"], answer.json["skipped"]) == ([], [])
    booking_id = answer.json["made"][0]["bookingId"]
    world.run_session_effects()
    group = world.client.get(f"/group-sessions/{booking_id}", headers=cast.as_mentee).json
    assert (group["kind"], group["status"], group["title"]) == ("group", "accepted", "Exercises")
    assert (group["capacity"], group["seatsTaken"], group["date"]) == (3, 0, str(first))
    assert group["price"] == {"amount": 1500, "currency": "EUR"}
    assert (group["courseId"], group["durationMinutes"]) == (str(course.id), 90)
    start = datetime.combine(first, datetime.min.time(), ZoneInfo("Europe/Berlin")) + timedelta(hours=9)
    assert datetime.fromisoformat(group["startTime"]) == start.astimezone(UTC)
    session = world.client.get(f"/sessions/{group['sessionId']}", headers=cast.as_mentor).json
    assert (session["status"], session["menteeUserId"], session["title"]) == ("scheduled", None, "Exercises")


def test_a_schedule_reports_what_is_in_the_way(world: World, cast: Cast) -> None:
    path = make(world, cast)
    first = next_monday()
    start = datetime.combine(first, datetime.min.time(), ZoneInfo("Europe/Berlin")) + timedelta(hours=10)
    with world.engine.begin() as db:
        draft = factories.make_booking(db, listing=cast.listing, start_time=start.astimezone(UTC))
        factories.accept_booking(db, draft)
    answer = schedule(world, cast, path, first, first + timedelta(days=7))
    assert answer.status_code == 201
    assert [made["date"] for made in answer.json["made"]] == [str(first + timedelta(days=7))]
    assert answer.json["conflicts"] == [{"date": str(first), "code": "slot_taken", "with": str(draft.id)}]
    with world.engine.connect() as db:
        # The refused changes have left nothing behind.
        assert db.scalar(select(func.count()).select_from(group_sessions)) == 1
        groups = select(func.count()).select_from(bookings).where(bookings.c.kind == "group")
        assert db.scalar(groups) == 1
        recorded = select(func.count()).select_from(events).where(events.c.data["kind"].astext == "group")
        assert db.scalar(recorded) == 1


def test_a_date_is_scheduled_once_and_again_after_its_cancellation(world: World, cast: Cast) -> None:
    path = make(world, cast)
    first = next_monday()
    made = schedule(world, cast, path, first, first).json["made"]
    again = schedule(world, cast, path, first, first)
    assert again.status_code == 200
    assert again.json == {"made": [], "conflicts": [], "skipped": [{"date": str(first), "code": "exists"}]}
    world.run_session_effects()
    session_id = world.client.get(f"/group-sessions/{made[0]['bookingId']}", headers=cast.as_mentor).json["sessionId"]
    cancelled = world.client.patch(f"/sessions/{session_id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentor)
    assert cancelled.status_code == 200
    assert schedule(world, cast, path, first, first).status_code == 201


def test_past_dates_are_skipped(world: World, cast: Cast) -> None:
    path = make(world, cast)
    last = next_monday() - timedelta(days=7)
    answer = schedule(world, cast, path, last - timedelta(days=7), last - timedelta(days=7))
    assert answer.json["skipped"] == [{"date": str(last - timedelta(days=7)), "code": "past"}]


def test_a_period_is_of_a_year_at_most_and_not_backwards(world: World, cast: Cast) -> None:
    path, first = make(world, cast), next_monday()
    for last in (first - timedelta(days=1), first + timedelta(days=366)):
        assert schedule(world, cast, path, first, last).status_code == 400
    far = first + timedelta(days=6 * 366)
    assert schedule(world, cast, path, far, far).status_code == 400
    assert schedule(world, cast, path, first, first + timedelta(days=365)).status_code == 201
    for body in ({}, {"from": "2030-02-30", "to": "2030-03-01"}, {"from": "20300101", "to": "2030-03-01"}):
        assert world.client.post(f"{path}/schedule", json=body, headers=cast.as_mentor).status_code == 400


def test_a_period_without_the_weekday_makes_nothing(world: World, cast: Cast) -> None:
    tuesday = next_monday() + timedelta(days=1)
    answer = schedule(world, cast, make(world, cast), tuesday, tuesday + timedelta(days=5))
    assert (answer.status_code, answer.json) == (200, {"made": [], "conflicts": [], "skipped": []})


def test_a_course_no_longer_taught_is_not_scheduled(world: World, cast: Cast, course: Course) -> None:
    teach(world.engine, cast, course)
    path = make(world, cast, courseId=str(course.id))
    execute(world.engine, update(listings).where(listings.c.course_id == course.id).values(active=False))
    refused = schedule(world, cast, path, next_monday(), next_monday())
    assert (refused.status_code, refused.json["code"]) == (400, "mentor_does_not_teach")


def test_a_group_keeps_its_templates_terms_as_they_were(world: World, cast: Cast) -> None:
    path, first = make(world, cast), next_monday()
    made = schedule(world, cast, path, first, first).json["made"][0]
    world.client.patch(path, json={"price": {"amount": 1, "currency": "EUR"}, "title": "Other"}, headers=cast.as_mentor)
    group = world.client.get(f"/group-sessions/{made['bookingId']}", headers=cast.as_mentee).json
    assert (group["price"]["amount"], group["title"], group["capacity"]) == (1500, "Exercises", 3)


def test_capacity_is_raised_and_lowered_to_what_is_taken(world: World, cast: Cast) -> None:
    path, first = make(world, cast), next_monday()
    made = schedule(world, cast, path, first, first).json["made"][0]["bookingId"]
    execute(world.engine, update(group_sessions).values(seats_taken=1, seats_offered=1))

    def change(capacity: Any, headers: Headers = cast.as_mentor) -> ApiResponse:
        return world.client.patch(f"/group-sessions/{made}", json={"capacity": capacity}, headers=headers)

    assert change(9).json["capacity"] == 9
    assert (change(2).json["capacity"], change(2).json["full"]) == (2, True)
    refused = change(1)
    assert (refused.status_code, refused.json["code"]) == (409, "group_full")
    assert change(3, cast.as_operator).status_code == 200
    assert change(3, cast.as_mentee).status_code == change(3, cast.as_other_mentor).status_code == 403
    assert change(0).status_code == change(None).status_code == change(1001).status_code == 400
    assert change(4, cast.as_mentor | {"If-Match": '"1"'}).status_code == 412


def test_the_capacity_of_a_cancelled_group_stays(world: World, cast: Cast) -> None:
    path, first = make(world, cast), next_monday()
    made = schedule(world, cast, path, first, first).json["made"][0]["bookingId"]
    execute(world.engine, update(group_sessions).values(cancelled_at=func.now()))
    refused = world.client.patch(f"/group-sessions/{made}", json={"capacity": 9}, headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_transition")


def test_a_schedule_reports_time_off(world: World, cast: Cast) -> None:
    path, first = make(world, cast), next_monday()
    begin = datetime.combine(first, datetime.min.time(), UTC)
    with world.engine.begin() as db:
        off = {"id": uuid4(), "mentor_profile_id": cast.mentor.id}
        db.execute(insert(time_off).values(**off, start_time=begin, end_time=begin + timedelta(days=1)))
    answer = schedule(world, cast, path, first, first + timedelta(days=7))
    assert answer.json["conflicts"] == [{"date": str(first), "code": "outside_hours", "with": str(off["id"])}]
    assert len(answer.json["made"]) == 1
