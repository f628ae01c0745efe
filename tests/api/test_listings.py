"""Listings: published, changed and listed."""

from uuid import uuid4

import pytest
from sqlalchemy import Engine, update

from models.people import mentor_profiles
from tests.api.conftest import Cast
from tests.application import ApiClient
from tests.queries import execute

OFFER = {"title": "Career advice", "durationMinutes": 45, "price": {"amount": 4000, "currency": "USD"}}


def test_a_mentor_publishes_a_listing_with_its_defaults(client: ApiClient, cast: Cast) -> None:
    answer = client.post("/listings", json={**OFFER, "courseId": None}, headers=cast.as_mentor)
    assert answer.status_code == 201
    assert answer.json == {
        **OFFER,
        "id": answer.json["id"],
        "externalId": None,
        "metadata": None,
        "mentorProfileId": str(cast.mentor.id),
        "description": None,
        "courseId": None,
        "payment": "none",
        "bookingMode": "request",
        "earlyStartMinutes": 15,
        "minNoticeMinutes": 0,
        "bufferBeforeMinutes": 0,
        "bufferMinutes": 0,
        "cancellation": {"windowHours": 24, "lateFeePercent": 50},
        "noShowFeePercent": 100,
        "reschedule": {"mode": "by_agreement", "windowHours": 24, "maxTimes": 2},
        "reminderMinutes": None,
        "location": None,
        "questions": [],
        "active": True,
    }
    assert client.get(answer.headers["Location"], headers=cast.as_stranger).json == answer.json


def test_policies_can_be_chosen_and_taken_away(client: ApiClient, cast: Cast) -> None:
    chosen = {"bookingMode": "instant", "earlyStartMinutes": None, "cancellation": {"windowHours": 48}}
    answer = client.post("/listings", json={**OFFER, **chosen}, headers=cast.as_mentor)
    assert answer.json["cancellation"] == {"windowHours": 48, "lateFeePercent": 50}
    assert (answer.json["bookingMode"], answer.json["earlyStartMinutes"]) == ("instant", None)
    path = f"/listings/{answer.json['id']}"
    changed = client.patch(path, json={"cancellation": None, "active": False}, headers=cast.as_mentor)
    assert (changed.json["cancellation"], changed.json["active"]) == (None, False)
    assert client.patch(path, json={}, headers=cast.as_mentor).json == changed.json


def test_only_its_mentor_changes_a_listing(client: ApiClient, cast: Cast) -> None:
    path = f"/listings/{cast.listing.id}"
    for headers in (cast.as_mentee, cast.as_other_mentor, cast.as_operator):
        assert client.patch(path, json={"title": "Mine"}, headers=headers).status_code == 403
    assert client.post("/listings", json=OFFER, headers=cast.as_mentee).status_code == 403
    assert client.patch(path, json={"title": "Better"}, headers=cast.as_mentor).json["title"] == "Better"


def test_a_course_that_is_not_there_is_not_found(client: ApiClient, cast: Cast) -> None:
    course = {"courseId": str(uuid4())}
    assert client.post("/listings", json=OFFER | course, headers=cast.as_mentor).status_code == 404
    assert client.patch(f"/listings/{cast.listing.id}", json=course, headers=cast.as_mentor).status_code == 404
    assert client.get(f"/listings?courseId={uuid4()}", headers=cast.as_mentee).json["items"] == []


def test_lists_hold_what_can_be_booked_by_mentor(client: ApiClient, cast: Cast) -> None:
    client.post("/listings", json=OFFER, headers=cast.as_other_mentor)
    assert len(client.get("/listings", headers=cast.as_mentee).json["items"]) == 2
    own = client.get(f"/listings?mentorProfileId={cast.mentor.id}", headers=cast.as_mentee).json["items"]
    assert [listing["id"] for listing in own] == [str(cast.listing.id)]
    client.patch(f"/listings/{cast.listing.id}", json={"active": False}, headers=cast.as_mentor)
    assert client.get(f"/listings?mentorProfileId={cast.mentor.id}", headers=cast.as_mentee).json["items"] == []


def test_lists_leave_out_mentors_who_cannot_be_booked(client: ApiClient, cast: Cast, engine: Engine) -> None:
    execute(engine, update(mentor_profiles).where(mentor_profiles.c.id == cast.mentor.id).values(active=False))
    for path in ("/listings", f"/listings?mentorProfileId={cast.mentor.id}"):
        assert client.get(path, headers=cast.as_mentee).json["items"] == []


def test_a_listing_says_when_both_sides_are_reminded(client: ApiClient, cast: Cast) -> None:
    made = client.post("/listings", json={**OFFER, "reminderMinutes": [30, 2880]}, headers=cast.as_mentor)
    assert (made.status_code, made.json["reminderMinutes"]) == (201, [30, 2880])
    path = f"/listings/{made.json['id']}"
    for chosen in ([], None, [43_200], [1, 2, 3, 4, 5]):
        changed = client.patch(path, json={"reminderMinutes": chosen}, headers=cast.as_mentor)
        assert (changed.status_code, changed.json["reminderMinutes"]) == (200, chosen)
        assert client.get(path, headers=cast.as_mentee).json["reminderMinutes"] == chosen


@pytest.mark.parametrize(
    "nonsense", [[0], [-60], [43_201], [60, 60], [1, 2, 3, 4, 5, 6], [None], ["60"], [1.5], [True], 60, "60"]
)
def test_reminders_that_make_no_sense_are_refused(client: ApiClient, cast: Cast, nonsense: object) -> None:
    for answer in (
        client.post("/listings", json={**OFFER, "reminderMinutes": nonsense}, headers=cast.as_mentor),
        client.patch(f"/listings/{cast.listing.id}", json={"reminderMinutes": nonsense}, headers=cast.as_mentor),
    ):
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
        assert any(field.startswith("reminderMinutes") for field in answer.json["details"])


@pytest.mark.parametrize(
    "location",
    [{"kind": "online", "value": "https://meet.example/ada"}, {"kind": "address", "value": "12 Market St"}, None],
)
def test_a_listing_says_where_its_sessions_take_place(client: ApiClient, cast: Cast, location: object) -> None:
    made = client.post("/listings", json={**OFFER, "location": location}, headers=cast.as_mentor)
    assert (made.status_code, made.json["location"]) == (201, location)
    path = f"/listings/{made.json['id']}"
    changed = client.patch(path, json={"location": {"kind": "phone"}}, headers=cast.as_mentor)
    assert changed.json["location"] == {"kind": "phone", "value": None}
    assert client.get(path, headers=cast.as_mentee).json == changed.json
    assert client.patch(path, json={"location": None}, headers=cast.as_mentor).json["location"] is None


@pytest.mark.parametrize(
    "nonsense", [{}, {"kind": "moon"}, {"kind": "phone", "value": ""}, {"kind": "online", "x": 1}, "online", []]
)
def test_a_location_that_makes_no_sense_is_refused(client: ApiClient, cast: Cast, nonsense: object) -> None:
    answer = client.post("/listings", json={**OFFER, "location": nonsense}, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert any(field.startswith("location") for field in answer.json["details"])
