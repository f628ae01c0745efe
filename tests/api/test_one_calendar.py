"""Tests of a mentor's own bookings as a mentee: they take the mentor's time, and tell no more than that it is taken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from models.catalog import BookingMode
from tests import factories
from tests.api.conftest import Cast, refusal
from tests.api.test_slots import MONDAY, MORNING, at, slots, starts
from tests.application import World, as_user
from workflows.accounts.records import User
from workflows.catalog.courses import Course

HOUR = timedelta(hours=1)


@pytest.fixture
def path(world: World, cast: Cast) -> str:
    """The slots of a mentor who works on Monday mornings and attends another mentor's session from ten to eleven."""
    assert world.client.put(f"/mentors/{cast.mentor.id}/hours", json=MORNING, headers=cast.as_mentor).status_code == 200
    attend(world, cast, MONDAY + 10 * HOUR)
    return f"/mentors/{cast.mentor.id}/slots"


def attend(world: World, cast: Cast, start: datetime) -> str:
    """The id of the session that the mentor attends as a mentee."""
    with world.engine.begin() as db:
        listing = factories.make_listing(
            db, cast.other_mentor, booking_mode=BookingMode.INSTANT, buffer_minutes=15, duration_minutes=60
        )
    body = {"listingId": str(listing.id), "startTime": start.isoformat()}
    answer = world.client.post("/bookings", json=body, headers=cast.as_mentor)
    assert answer.status_code == 202, answer.json
    return str(answer.json["sessionId"])


def test_slots_leave_it_out_and_explain_it_as_busy(world: World, cast: Cast, path: str) -> None:
    assert starts(slots(world, cast, path, stepMinutes=60)) == [at(9), at(11)]
    refused = slots(world, cast, path, stepMinutes=60, explain="true").json["refused"]
    at_ten = [each for each in refused if each["startTime"] == at(10)]
    assert [set(each) for each in at_ten] == [{"startTime", "endTime", "mentorProfileId", "reason"}]
    assert at_ten[0]["reason"] == "busy"


def test_what_the_mentor_attends_counts_for_no_limit_of_theirs(world: World, cast: Cast, path: str) -> None:
    rules = f"/mentors/{cast.mentor.id}/booking-rules"
    assert world.client.put(rules, json={"maxPerDay": 1}, headers=cast.as_mentor).status_code == 200
    assert starts(slots(world, cast, path, stepMinutes=60)) == [at(9), at(11)]


@pytest.mark.usefixtures("path")
def test_a_courses_slots_and_choice_leave_it_out(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_product(db, course)
        factories.make_listing(db, cast.mentor, course_id=course.id)
    found = slots(world, cast, f"/courses/{course.id}/slots", stepMinutes=60)
    assert starts(found) == [at(9), at(11)]
    body = {"courseId": str(course.id), "durationMinutes": 60, "startTime": at(10)}
    none_free = world.client.post("/bookings/individual", json=body, headers=cast.as_mentee)
    assert refusal(none_free) == (409, "no_mentor_free")
    named = {**body, "mentorProfileId": str(cast.mentor.id)}
    taken = world.client.post("/bookings/individual", json=named, headers=cast.as_mentee)
    assert refusal(taken) == (409, "slot_taken")
    assert "details" not in taken.json or "mentee" not in (taken.json["details"] or {})


@pytest.mark.usefixtures("path")
def test_holds_series_and_groups_do_not_get_the_time(world: World, cast: Cast, engine: Engine) -> None:
    post = world.client.post
    held = {"startTime": at(10), "durationMinutes": 60}
    answer = post(f"/mentors/{cast.mentor.id}/holds", json=held, headers=cast.as_mentee)
    assert refusal(answer) == (409, "slot_taken")
    course = course_of(engine, cast)
    recurrence = {"count": 2, "onConflict": "skip"}
    body = {"courseId": str(course.id), "durationMinutes": 60, "startTime": at(10), "recurrence": recurrence}
    series = post("/bookings/individual", json=body, headers=cast.as_mentee)
    assert series.status_code == 202, series.json
    assert [each["code"] for each in series.json["series"]["skipped"]] == ["slot_taken"]
    group = {"courseId": str(course.id), "title": "Exercises", "weekday": 0, "startTime": "10:30", "timeZone": "UTC"}
    group |= {"durationMinutes": 30, "capacity": 3, "price": {"amount": 0, "currency": "EUR"}}
    template = post("/group-session-templates", json=group, headers=cast.as_mentor).json["id"]
    period = {"from": f"{MONDAY:%Y-%m-%d}", "to": f"{MONDAY:%Y-%m-%d}"}
    scheduled = post(f"/group-session-templates/{template}/schedule", json=period, headers=cast.as_mentor).json
    assert [each["code"] for each in scheduled["conflicts"]] == ["slot_taken"]


def course_of(engine: Engine, cast: Cast) -> Course:
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_product(db, course)
        factories.make_listing(db, cast.mentor, course_id=course.id)
    return course


def test_the_next_free_time_comes_after_it(world: World, cast: Cast, engine: Engine) -> None:
    """Sorted by their next time, a mentor who attends a session for all of the next days comes last."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with engine.begin() as db:
        free = factories.make_mentor(db)
        factories.make_listing(db, free)
        listing = factories.make_listing(db, cast.other_mentor, booking_mode=BookingMode.INSTANT, duration_minutes=480)
        attending = factories.make_listing(db, cast.mentor)
        for number in range(3):
            mentee = User.of(db.execute(User.query().where(User.table.c.id == cast.mentor.user_id)).one())
            start = now + HOUR + timedelta(hours=8 * number)
            factories.make_booking(db, listing=listing, mentee=mentee, start_time=start)
    assert attending.id
    shown = world.client.get("/mentors?sort=next", headers=cast.as_mentee).json["items"]
    order = [each["id"] for each in shown if each["id"] in (str(free.id), str(cast.mentor.id))]
    assert order == [str(free.id), str(cast.mentor.id)]


def test_the_mentor_is_refused_as_the_mentee(world: World, cast: Cast, engine: Engine) -> None:
    start = MONDAY + 10 * HOUR
    with engine.begin() as db:
        factories.accept_booking(db, factories.make_booking(db, listing=cast.listing, start_time=start))
        other = factories.make_listing(db, cast.other_mentor, booking_mode=BookingMode.INSTANT)
    body = {"listingId": str(other.id), "startTime": start.isoformat()}
    answer = world.client.post("/bookings", json=body, headers=cast.as_mentor)
    assert refusal(answer) == (409, "slot_taken")
    assert list(answer.json["details"]) == ["mentee"]
    # The other mentor's slots do not offer the time to who teaches then.
    found = world.client.get(
        f"/mentors/{cast.other_mentor.id}/slots",
        query_string={"from": at(9), "to": at(12), "durationMinutes": 60, "stepMinutes": 60},
        headers=cast.as_mentor,
    )
    assert at(10) not in starts(found)


def test_time_off_leaves_what_the_mentor_attends(world: World, cast: Cast, path: str) -> None:
    away = {"startTime": at(9), "endTime": at(12)}
    answer = world.client.post(f"/mentors/{cast.mentor.id}/time-off", json=away, headers=cast.as_mentor)
    assert answer.status_code == 201, answer.json
    assert slots(world, cast, path).json["items"] == []


def test_a_mentor_on_time_off_books_others(world: World, cast: Cast) -> None:
    away = {"startTime": at(9), "endTime": at(12)}
    world.client.post(f"/mentors/{cast.mentor.id}/time-off", json=away, headers=cast.as_mentor)
    assert attend(world, cast, MONDAY + 10 * HOUR)


def test_a_cancelled_session_frees_the_mentors_time(world: World, cast: Cast, path: str) -> None:
    assert starts(slots(world, cast, path, stepMinutes=60)) == [at(9), at(11)]
    session_id = world.client.get("/bookings?role=mentee", headers=cast.as_mentor).json["items"][0]["sessionId"]
    world.run_session_effects()
    cancelled = world.client.patch(f"/sessions/{session_id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentor)
    assert cancelled.status_code == 200, cancelled.json
    assert starts(slots(world, cast, path, stepMinutes=60)) == [at(9), at(10), at(11)]


@pytest.mark.parametrize("role", ["mentee", "mentor"])
def test_with_overlap_sessions_as_a_mentee_may_overlap_and_teaching_may_not(
    engine: Engine, cast: Cast, role: str
) -> None:
    allowing = World.on(engine, mentee_overlap=True)
    with engine.begin() as db:
        listings = [factories.make_listing(db, booking_mode=BookingMode.INSTANT) for _ in range(2)]
        if role == "mentor":
            listings[0] = factories.make_listing(db, cast.mentor, booking_mode=BookingMode.INSTANT)
        first_mentee = factories.make_user(db)
    start = (MONDAY + 10 * HOUR).isoformat()
    headers = [as_user(first_mentee) if role == "mentor" else cast.as_mentor, cast.as_mentor]
    answers: list[Any] = [
        allowing.client.post("/bookings", json={"listingId": str(each.id), "startTime": start}, headers=who)
        for each, who in zip(listings, headers, strict=True)
    ]
    assert answers[0].status_code == 202
    if role == "mentee":
        assert answers[1].status_code == 202
    else:
        assert refusal(answers[1]) == (409, "slot_taken")
        assert list(answers[1].json["details"]) == ["mentee"]
