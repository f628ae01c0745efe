"""Booking a mentor directly, by duration and time."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from models.catalog import BookingMode
from tests import factories
from tests.api.conftest import Cast
from tests.api.test_waiting import Worker, prefer
from tests.application import ApiClient, World, as_user


def wanted(cast: Cast, **fields: Any) -> dict[str, Any]:
    """A body for POST /sessions/book."""
    body = {
        "mentorProfileId": str(cast.mentor.id),
        "scheduledAt": factories.next_slot().isoformat(),
        "durationMinutes": 60,
        "title": "Growing",
        **fields,
    }
    return {name: value for name, value in body.items() if value is not None}


def make_instant(engine: Engine, cast: Cast, **offer: Any) -> str:
    with engine.begin() as db:
        return str(factories.make_listing(db, cast.mentor, booking_mode=BookingMode.INSTANT, **offer).id)


def test_a_request_listing_makes_a_draft(client: ApiClient, cast: Cast) -> None:
    asked = wanted(cast, description="About me", metadata={"a": 1})
    answer = client.post("/sessions/book", json=asked, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["session"]) == (201, None)
    booking = answer.json["booking"]
    assert (booking["status"], booking["listingId"]) == ("draft", str(cast.listing.id))
    assert (booking["title"], booking["notes"], booking["metadata"]) == ("Growing", "About me", {"a": 1})
    assert datetime.fromisoformat(booking["startTime"]) == datetime.fromisoformat(asked["scheduledAt"])
    assert answer.headers["Location"] == f"/bookings/{booking['id']}"
    assert client.get(answer.headers["Location"], headers=cast.as_mentor).json == booking


def test_an_instant_listing_is_accepted_at_once(client: ApiClient, engine: Engine, cast: Cast) -> None:
    make_instant(engine, cast, duration_minutes=30)
    asked = wanted(cast, durationMinutes=30)
    answer = client.post("/sessions/book", json=asked, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["session"]) == (202, None)
    assert answer.json["booking"]["durationMinutes"] == 30
    assert answer.headers["Location"] == f"/sessions/{answer.json['booking']['sessionId']}"
    rival = client.post("/sessions/book", json=asked, headers=cast.as_stranger)
    assert (rival.status_code, rival.json["code"]) == (409, "slot_taken")


def test_a_direct_booking_can_be_waited_for(world: World, cast: Cast) -> None:
    make_instant(world.engine, cast, duration_minutes=30)
    asked = wanted(cast, durationMinutes=30)
    with Worker(world):
        answer = world.client.post("/sessions/book", json=asked, headers=cast.as_mentee | prefer("wait=5"))
    assert (answer.status_code, set(answer.json)) == (201, {"booking", "session"})
    assert answer.json["session"]["bookingId"] == answer.json["booking"]["id"]


def test_the_cheapest_listing_is_booked_then_the_smallest_id(client: ApiClient, engine: Engine, cast: Cast) -> None:
    ids = [make_instant(engine, cast, price_amount=amount) for amount in (5000, 3000, 3000)]
    answer = client.post("/sessions/book", json=wanted(cast), headers=cast.as_mentee)
    assert answer.json["booking"]["listingId"] == min(ids[1:])
    client.patch(f"/listings/{min(ids[1:])}", json={"active": False}, headers=cast.as_mentor)
    answer = client.post("/sessions/book", json=wanted(cast), headers=cast.as_mentee)
    assert answer.json["booking"]["listingId"] == max(ids[1:])


def test_the_mentor_has_two_names(client: ApiClient, cast: Cast) -> None:
    mentor, other = str(cast.mentor.id), str(cast.other_mentor.id)
    as_coach = wanted(cast, mentorProfileId=None, coachId=mentor)
    assert client.post("/sessions/book", json=as_coach, headers=cast.as_mentee).status_code == 201
    # As at /bookings/individual, null counts as left out.
    later = (factories.next_slot() + timedelta(days=1)).isoformat()
    for nothing, named in (("mentorProfileId", "coachId"), ("coachId", "mentorProfileId")):
        body = wanted(cast, mentorProfileId=None, scheduledAt=later) | {nothing: None, named: mentor}
        assert client.post("/sessions/book", json=body, headers=cast.as_mentee).status_code == 201
        later = (factories.next_slot() + timedelta(days=2)).isoformat()
    twice = wanted(cast, coachId=mentor)
    assert client.post("/sessions/book", json=twice, headers=cast.as_mentee).status_code == 201
    for body, field in (
        (wanted(cast, coachId=other), "coachId"),
        (wanted(cast, mentorProfileId=None), "mentorProfileId"),
    ):
        answer = client.post("/sessions/book", json=body, headers=cast.as_mentee)
        assert (answer.status_code, list(answer.json["details"])) == (400, [field])


def test_a_time_without_zone_is_read_in_a_time_zone(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        mentee = factories.make_user(db, time_zone="Asia/Kolkata")
    year = factories.next_slot().year + 1

    def start_of(**fields: Any) -> str:
        answer = client.post("/sessions/book", json=wanted(cast, **fields), headers=as_user(mentee))
        assert answer.status_code == 201, answer.json
        return str(answer.json["booking"]["startTime"])

    assert start_of(scheduledAt=f"{year}-07-01T09:30") == f"{year}-07-01T04:00:00Z"
    assert start_of(scheduledAt=f"{year}-07-02T09:30:00", timeZone="Europe/Berlin") == f"{year}-07-02T07:30:00Z"
    zoned = start_of(scheduledAt=f"{year}-07-03T09:30:00-04:00", timeZone="Europe/Berlin")
    assert zoned == f"{year}-07-03T13:30:00Z"


def test_a_time_that_exists_twice_is_its_first(client: ApiClient, cast: Cast) -> None:
    twice = wanted(cast, scheduledAt="2029-10-28T02:30:00", timeZone="Europe/Berlin")
    answer = client.post("/sessions/book", json=twice, headers=cast.as_mentee)
    assert answer.json["booking"]["startTime"] == "2029-10-28T00:30:00Z"


def test_a_time_that_the_clocks_skip_is_refused(client: ApiClient, cast: Cast) -> None:
    skipped = wanted(cast, scheduledAt="2029-03-25T02:30:00", timeZone="Europe/Berlin")
    answer = client.post("/sessions/book", json=skipped, headers=cast.as_mentee)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["scheduledAt"])


def test_a_time_in_the_past_names_its_field(client: ApiClient, cast: Cast) -> None:
    past = (factories.this_hour() - timedelta(hours=3)).isoformat()
    answer = client.post("/sessions/book", json=wanted(cast, scheduledAt=past), headers=cast.as_mentee)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["scheduledAt"])


@pytest.mark.parametrize("mentor", ["unknown", "inactive"])
def test_a_mentor_who_is_not_there_is_not_found(client: ApiClient, engine: Engine, cast: Cast, mentor: str) -> None:
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE mentor_profiles SET active = false WHERE id = %s", (cast.mentor.id,))
    named = cast.mentor.id if mentor == "inactive" else cast.mentee.id
    answer = client.post("/sessions/book", json=wanted(cast, mentorProfileId=str(named)), headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_without_a_listing_of_that_duration_nothing_is_booked(client: ApiClient, cast: Cast) -> None:
    answer = client.post("/sessions/book", json=wanted(cast, durationMinutes=45), headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (409, "no_listing")


def test_mentors_do_not_book_themselves(client: ApiClient, cast: Cast) -> None:
    answer = client.post("/sessions/book", json=wanted(cast), headers=cast.as_mentor)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["mentorProfileId"])
    assert client.post("/sessions/book", json=wanted(cast), headers=cast.as_operator).status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scheduledAt", "2030-05-04"),
        ("scheduledAt", "2030-02-30T09:00"),
        ("scheduledAt", 7),
        ("durationMinutes", 4),
        ("title", " "),
        ("timeZone", "Mars/Olympus"),
        ("endTime", "2030-05-04T09:00:00Z"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(client: ApiClient, cast: Cast, field: str, value: Any) -> None:
    answer = client.post("/sessions/book", json=wanted(cast, **{field: value}), headers=cast.as_mentee)
    assert (answer.status_code, list(answer.json["details"])) == (400, [field])


def test_a_repeated_key_books_once(client: ApiClient, engine: Engine, cast: Cast) -> None:
    make_instant(engine, cast, duration_minutes=30)
    asked, key = wanted(cast, durationMinutes=30), {"Idempotency-Key": "once"}
    first, second = (client.post("/sessions/book", json=asked, headers=cast.as_mentee | key) for _ in range(2))
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert second.headers["Idempotent-Replayed"] == "true"
