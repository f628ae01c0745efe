"""Tests of the slots of mentors and courses."""

import gzip
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from config.limits import RateLimit
from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiResponse, World
from tests.statements import statements_of
from workflows.availability.slots import EXPLAINED_TIMES, MAX_STARTS

DAY = timedelta(days=1)
# A Monday, well ahead.
MONDAY = (lambda today: today + (7 - today.weekday()) * DAY + 7 * DAY)(
    datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
)
MORNING = {"hours": [{"weekday": 0, "startTime": "09:00", "endTime": "12:00"}], "timeZone": "UTC"}


def at(hour: int, minute: int = 0) -> str:
    return f"{MONDAY + timedelta(hours=hour, minutes=minute):%Y-%m-%dT%H:%M:%SZ}"


def slots(world: World, cast: Cast, path: str, **query: Any) -> ApiResponse:
    wanted = {"from": at(0), "to": at(24), "durationMinutes": 60, **query}
    return world.client.get(path, query_string=wanted, headers=cast.as_mentee)


@pytest.fixture
def path(world: World, cast: Cast) -> str:
    """The slots of a mentor who works on Monday mornings."""
    assert world.client.put(f"/mentors/{cast.mentor.id}/hours", json=MORNING, headers=cast.as_mentor).status_code == 200
    return f"/mentors/{cast.mentor.id}/slots"


def starts(answer: ApiResponse) -> list[str]:
    assert answer.status_code == 200, answer.json
    return [each["startTime"] for each in answer.json["items"]]


def test_slots_lie_within_the_hours_by_the_mentors_steps(world: World, cast: Cast, path: str) -> None:
    answer = slots(world, cast, path)
    assert starts(answer) == [at(9 + number // 4, number % 4 * 15) for number in range(9)]
    first = answer.json["items"][0]
    assert (first["endTime"], first["mentorProfileIds"]) == (at(10), [str(cast.mentor.id)])
    assert starts(slots(world, cast, path, stepMinutes=60)) == [at(9), at(10), at(11)]
    assert "refused" not in answer.json


def test_what_is_booked_is_no_longer_offered(world: World, cast: Cast, path: str, engine: Engine) -> None:
    with engine.begin() as db:
        instant = factories.make_listing(db, mentor=cast.mentor, booking_mode="instant")
    body = {"listingId": str(instant.id), "startTime": at(10)}
    assert world.client.post("/bookings", json=body, headers=cast.as_stranger).status_code == 202
    found = slots(world, cast, path, explain="true", stepMinutes=30)
    assert starts(found) == [at(9), at(11)]
    refused = {each["startTime"]: each["reason"] for each in found.json["refused"]}
    assert (refused[at(9, 30)], refused[at(10, 30)], refused[at(8)]) == ("busy", "busy", "outside_hours")
    offered = {"listingId": str(instant.id), "startTime": at(11)}
    assert world.client.post("/bookings", json=offered, headers=cast.as_mentee).status_code == 202


def test_days_whose_limit_is_reached_are_not_offered(world: World, cast: Cast, path: str, engine: Engine) -> None:
    rules = f"/mentors/{cast.mentor.id}/booking-rules"
    assert world.client.put(rules, json={"maxPerDay": 1}, headers=cast.as_mentor).status_code == 200
    with engine.begin() as db:
        start = MONDAY + timedelta(hours=9)
        booking = factories.make_booking(db, listing=cast.listing, mentee=cast.stranger, start_time=start)
        factories.accept_booking(db, booking)
    found = slots(world, cast, path, explain="true", stepMinutes=60)
    assert starts(found) == []
    refused = {each["startTime"]: each["reason"] for each in found.json["refused"]}
    assert (refused[at(9)], refused[at(10)], refused[at(8)]) == ("busy", "limit", "outside_hours")
    next_week = {"from": f"{MONDAY + 7 * DAY:%Y-%m-%dT%H:%M:%SZ}", "to": f"{MONDAY + 8 * DAY:%Y-%m-%dT%H:%M:%SZ}"}
    assert len(starts(slots(world, cast, path, **next_week))) == 9


def test_times_that_have_passed_are_too_soon(world: World, cast: Cast) -> None:
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    times = [f"{begin + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in range(5)]
    asked = {"from": times[0], "to": times[4], "stepMinutes": 60, "timeZone": "UTC", "explain": "true"}
    found = slots(world, cast, f"/mentors/{cast.mentor.id}/slots", **asked)
    refused = [(each["startTime"], each["reason"]) for each in found.json["refused"]]
    assert refused[:2] == [(time, "too_soon") for time in times[:2]]
    assert times[0] not in starts(found)


def test_slots_are_confirmed_while_they_are_the_same(world: World, cast: Cast, path: str, engine: Engine) -> None:
    held = slots(world, cast, path).headers["ETag"]
    wanted = {"from": at(0), "to": at(24), "durationMinutes": 60}

    def again() -> ApiResponse:
        return world.client.get(path, query_string=wanted, headers=cast.as_mentee | {"If-None-Match": held})

    assert (again().status_code, again().headers["Cache-Control"]) == (304, "private, no-cache")
    with engine.begin() as db:
        start = MONDAY + timedelta(hours=9)
        factories.accept_booking(db, factories.make_booking(db, listing=cast.listing, start_time=start))
    assert (again().status_code, len(starts(again()))) == (200, 5)


def test_slots_are_compressed_where_that_is_taken(world: World, cast: Cast) -> None:
    month = {"from": at(0), "to": f"{MONDAY + 30 * DAY:%Y-%m-%dT%H:%M:%SZ}", "durationMinutes": 60}
    path = f"/mentors/{cast.mentor.id}/slots"

    def answer(**headers: str) -> ApiResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return world.client.get(path, query_string=month, headers=cast.as_mentee | named)

    plain, packed = answer(), answer(Accept_Encoding="br, gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 10
    assert all("Accept-Encoding" in each.headers["Vary"] for each in (plain, packed))
    # Each has a tag of its own.
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = answer(Accept_Encoding="br, gzip", If_None_Match=packed.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    for refused in ("identity", "gzip;q=0", "br"):
        assert "Content-Encoding" not in answer(Accept_Encoding=refused).headers
    # A short answer is not compressed.
    assert "Content-Encoding" not in slots(world, cast, path, to=at(1)).headers


def test_the_callers_own_time_is_left_out(world: World, cast: Cast, path: str, engine: Engine) -> None:
    with engine.begin() as db:
        start = MONDAY + timedelta(hours=9)
        factories.accept_booking(db, factories.make_booking(db, mentee=cast.mentee, start_time=start))
    assert starts(slots(world, cast, path, stepMinutes=60)) == [at(10), at(11)]


def test_a_course_offers_the_slots_of_all_its_mentors(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        for mentor in (cast.mentor, cast.other_mentor):
            factories.make_listing(db, mentor=mentor, course_id=course.id)
    world.client.put(f"/mentors/{cast.mentor.id}/hours", json=MORNING, headers=cast.as_mentor)
    late = {"hours": [{"weekday": 0, "startTime": "11:00", "endTime": "13:00"}], "timeZone": "UTC"}
    world.client.put(f"/mentors/{cast.other_mentor.id}/hours", json=late, headers=cast.as_other_mentor)
    answer = slots(world, cast, f"/courses/{course.id}/slots", stepMinutes=60)
    free = {each["startTime"]: set(each["mentorProfileIds"]) for each in answer.json["items"]}
    own, others = str(cast.mentor.id), str(cast.other_mentor.id)
    assert free == {at(9): {own}, at(10): {own}, at(11): {own, others}, at(12): {others}}


def test_a_course_offers_teachers_no_times_of_their_own(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        own = factories.make_listing(db, mentor=cast.mentor, course_id=course.id, duration_minutes=30)
    assert world.client.put(f"/mentors/{cast.mentor.id}/hours", json=MORNING, headers=cast.as_mentor).status_code == 200
    query = {"from": at(0), "to": at(24), "explain": "true"}

    def offered(**further: Any) -> tuple[int, set[str], list[Any], list[Any]]:
        answer = world.client.get(
            f"/courses/{course.id}/slots", query_string={**query, **further}, headers=cast.as_mentor
        )
        assert answer.status_code == 200, answer.json
        items = answer.json["items"]
        mentors = {mentor for each in items for mentor in each["mentorProfileIds"]}
        return answer.json["durationMinutes"], mentors, items, answer.json["refused"]

    # The only teacher.
    assert offered() == offered(listingId=str(own.id)) == (30, set(), [], [])
    with engine.begin() as db:
        factories.make_listing(db, mentor=cast.other_mentor, course_id=course.id, duration_minutes=60)
    # The shortest duration is the shortest that the caller can book.
    assert offered()[:2] == (60, {str(cast.other_mentor.id)})
    assert offered(durationMinutes=30)[:3] == (30, set(), [])
    assert offered(durationMinutes=60)[:2] == (60, {str(cast.other_mentor.id)})
    # On the mentor's own page, the times are there to be looked at.
    preview = world.client.get(f"/mentors/{cast.mentor.id}/slots", query_string=query, headers=cast.as_mentor)
    assert preview.json["items"]


def test_without_a_duration_it_is_that_on_offer(world: World, cast: Cast, path: str, engine: Engine) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        offers = [(cast.mentor, 90, 0), (cast.mentor, 45, 0), (cast.other_mentor, 45, 0), (cast.mentor, 30, 30_000)]
        long, *_others, short = [
            factories.make_listing(
                db, mentor=mentor, course_id=course.id, duration_minutes=minutes, min_notice_minutes=notice
            )
            for mentor, minutes, notice in offers
        ]
    unnamed = {"durationMinutes": None, "stepMinutes": 60}
    named = slots(world, cast, path, **unnamed, listingId=str(long.id))
    assert (named.json["durationMinutes"], starts(named)) == (90, [at(9), at(10)])
    # Of all, the shortest, whose own notice is too long here.
    found = slots(world, cast, path, **unnamed)
    assert (found.json["durationMinutes"], starts(found)) == (30, [])
    closed = world.client.patch(f"/listings/{short.id}", json={"active": False}, headers=cast.as_mentor)
    assert closed.status_code == 200
    of_course = slots(world, cast, f"/courses/{course.id}/slots", **unnamed).json
    both = {str(cast.mentor.id), str(cast.other_mentor.id)}
    free = {each["startTime"]: set(each["mentorProfileIds"]) for each in of_course["items"]}
    assert (of_course["durationMinutes"], free[at(9)]) == (45, both)


def test_a_mentor_without_listings_has_no_slots(world: World, cast: Cast) -> None:
    answer = slots(world, cast, f"/mentors/{cast.other_mentor.id}/slots", durationMinutes=None)
    assert (answer.status_code, answer.json["code"]) == (409, "no_listing")


@pytest.mark.parametrize("mentors", [1, 4])
def test_slots_take_the_same_statements_for_any_number_of_mentors(
    world: World, cast: Cast, engine: Engine, mentors: int
) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        for _ in range(mentors):
            factories.make_listing(db, course_id=course.id)
    with statements_of(engine) as made:
        assert starts(slots(world, cast, f"/courses/{course.id}/slots"))
    assert len(made.statements) == STATEMENTS


# The caller, the course, the caller's time zone, listings, calendars, blocks, and the caller's own time.
STATEMENTS = 7


MANY = 40
SPAN_DAYS, EVERY_MINUTES = 10, 5
MAX_ANSWER_BYTES = 3_000_000


@pytest.fixture
def large(engine: Engine, cast: Cast) -> str:
    """The slots of a course with many mentors, who are free at all times."""
    assert cast
    with engine.begin() as db:
        course = factories.make_course(db)
        for _ in range(MANY):
            factories.make_listing(db, course_id=course.id)
    return f"/courses/{course.id}/slots"


def pages(world: World, cast: Cast, path: str, **query: Any) -> list[ApiResponse]:
    """The answers to a search that goes on where each of them ends."""
    answers = [slots(world, cast, path, **query)]
    while following := answers[-1].json.get("nextFrom"):
        answers.append(slots(world, cast, path, **{**query, "from": following}))
    return answers


def test_slots_of_many_mentors_are_answered_in_pages(world: World, cast: Cast, large: str, engine: Engine) -> None:
    until = f"{MONDAY + SPAN_DAYS * DAY:%Y-%m-%dT%H:%M:%SZ}"
    with statements_of(engine) as made:
        answers = pages(world, cast, large, to=until, stepMinutes=EVERY_MINUTES)
    assert len(answers) > 1
    assert len(made.statements) == STATEMENTS * len(answers)
    for answer in answers:
        assert len(answer.data) < MAX_ANSWER_BYTES
        assert sum(len(each["mentorProfileIds"]) for each in answer.json["items"]) <= MAX_STARTS
    times = range(0, SPAN_DAYS * 24 * 60, EVERY_MINUTES)
    assert [start for answer in answers for start in starts(answer)] == [at(0, minute) for minute in times]
    assert {len(each["mentorProfileIds"]) for answer in answers for each in answer.json["items"]} == {MANY}


def test_refused_times_are_answered_in_pages(world: World, cast: Cast, large: str) -> None:
    past = {"from": f"{MONDAY - 30 * DAY:%Y-%m-%dT%H:%M:%SZ}", "to": f"{MONDAY - 29 * DAY:%Y-%m-%dT%H:%M:%SZ}"}
    answers = pages(world, cast, large, explain="true", stepMinutes=EVERY_MINUTES, **past)
    assert len(answers) > 1
    refused = [each for answer in answers for each in answer.json["refused"]]
    assert max(len(answer.json["refused"]) for answer in answers) <= MAX_STARTS // EXPLAINED_TIMES
    assert len(refused) == len({(each["startTime"], each["mentorProfileId"]) for each in refused})
    assert len(refused) == MANY * 24 * 60 // EVERY_MINUTES


def test_a_mentors_quarter_of_a_year_is_one_answer(world: World, cast: Cast) -> None:
    path = f"/mentors/{cast.mentor.id}/slots"
    answer = slots(world, cast, path, to=f"{MONDAY + 92 * DAY:%Y-%m-%dT%H:%M:%SZ}", stepMinutes=EVERY_MINUTES)
    assert len(starts(answer)) == 92 * 24 * 60 // EVERY_MINUTES
    assert "nextFrom" not in answer.json


def test_a_large_search_counts_as_many_requests(engine: Engine, cast: Cast, large: str) -> None:
    world = World.on(engine, redis_url="", rate_limit_caller=RateLimit(30, 60))
    until = f"{MONDAY + SPAN_DAYS * DAY:%Y-%m-%dT%H:%M:%SZ}"
    left = []
    for query in ({}, {"to": until}, {"to": until}, {"to": until}):
        answer = slots(world, cast, large, stepMinutes=EVERY_MINUTES, **query)
        (shown,) = re.findall(r'"caller";r=(\d+)', answer.headers["RateLimit"])
        left.append((answer.status_code, int(shown)))
    # A day of them is 11,520 starts, a page nearly 50,000: one more request for 5,000 of them.
    assert left == [(200, 27), (200, 17), (200, 7), (200, 0)]
    assert slots(world, cast, large).status_code == 429


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"to": at(0)}, (400, "invalid_request")),
        ({"to": f"{MONDAY + 93 * DAY:%Y-%m-%dT%H:%M:%SZ}"}, (400, "invalid_request")),
        ({"to": f"{MONDAY + 8 * DAY:%Y-%m-%dT%H:%M:%SZ}", "explain": "true"}, (400, "invalid_request")),
        ({"from": "yesterday"}, (400, "invalid_request")),
        ({"stepMinutes": 0}, (400, "invalid_request")),
        ({"timeZone": "Mars/Olympus"}, (400, "invalid_request")),
        ({"durationMinutes": 45}, (409, "no_listing")),
        ({"listingId": str(uuid4())}, (409, "no_listing")),
    ],
    ids=["empty", "too long", "too long to explain", "no time", "no step", "no zone", "no listing", "another listing"],
)
def test_what_cannot_be_searched_is_refused(
    world: World, cast: Cast, path: str, query: dict[str, Any], refusal: tuple[int, str]
) -> None:
    answer = slots(world, cast, path, **query)
    assert (answer.status_code, answer.json["code"]) == refusal
