"""Weekly hours over HTTP: set by their mentor, read by all users, required of every booking."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, select

from models.availability import availability_rules, weekly_hours
from models.events import events
from tests import factories
from tests.api.conftest import Cast, version_of
from tests.application import ApiClient, World, as_mentor
from tests.queries import scalar
from tests.statements import statements_of
from workflows.bookings.records import Booking

MORNING = {"weekday": 0, "startTime": "09:00", "endTime": "12:30"}
EVENING = {"weekday": 3, "startTime": "18:00", "endTime": "24:00"}
WEEK = {"timeZone": "Europe/Berlin", "hours": [MORNING, EVENING]}


@pytest.fixture
def path(cast: Cast) -> str:
    return f"/mentors/{cast.mentor.id}/hours"


def a_monday_in_summer() -> datetime:
    noon = datetime(datetime.now(UTC).year + 1, 7, 1, 12, tzinfo=UTC)
    return noon - timedelta(days=noon.weekday())


def asked(cast: Cast, start: datetime) -> dict[str, Any]:
    return {"listingId": str(cast.listing.id), "startTime": start.isoformat()}


def test_a_mentor_sets_hours_that_all_users_read(client: ApiClient, cast: Cast, path: str) -> None:
    said = client.put(path, json={**WEEK, "hours": [EVENING, MORNING]}, headers=cast.as_mentor)
    assert (said.status_code, version_of(said)) == (200, 1)
    assert said.json == {"mentorProfileId": str(cast.mentor.id), **WEEK}
    for headers in (cast.as_mentee, cast.as_stranger, cast.as_mentor, cast.as_operator):
        read = client.get(path, headers=headers)
        assert (read.json, version_of(read)) == (said.json, 1)


def test_by_default_a_mentor_has_no_hours(client: ApiClient, cast: Cast, path: str) -> None:
    none = client.get(path, headers=cast.as_mentee)
    assert none.json == {"mentorProfileId": str(cast.mentor.id), "timeZone": "UTC", "hours": []}
    assert version_of(none) == 0


def test_hours_of_an_unknown_mentor_are_not_found(client: ApiClient, cast: Cast) -> None:
    for path in (f"/mentors/{uuid4()}/hours", "/mentors/grace/hours"):
        assert client.get(path, headers=cast.as_mentee).status_code == 404
        assert client.put(path, json=WEEK, headers=cast.as_mentor).status_code == 404


def test_only_the_mentor_sets_hours(client: ApiClient, cast: Cast, path: str) -> None:
    for headers in (cast.as_mentee, cast.as_other_mentor, cast.as_operator):
        refused = client.put(path, json=WEEK, headers=headers)
        assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert client.get(path, headers=cast.as_mentor).json["hours"] == []


def test_hours_without_a_zone_are_on_the_mentors_own_clocks(client: ApiClient, engine: Engine) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db, factories.make_user(db, time_zone="Asia/Kathmandu"))
    for zone in ({}, {"timeZone": None}):
        said = client.put(f"/mentors/{mentor.id}/hours", json={"hours": [MORNING], **zone}, headers=as_mentor(mentor))
        assert (said.status_code, said.json["timeZone"]) == (200, "Asia/Kathmandu")


def test_hours_replace_all_former_ones(client: ApiClient, cast: Cast, path: str) -> None:
    client.put(path, json=WEEK, headers=cast.as_mentor)
    second = client.put(path, json={"timeZone": "UTC", "hours": [MORNING]}, headers=cast.as_mentor)
    assert (second.json["timeZone"], second.json["hours"], version_of(second)) == ("UTC", [MORNING], 2)
    tuesday = a_monday_in_summer() + timedelta(days=1)
    assert client.post("/bookings", json=asked(cast, tuesday), headers=cast.as_mentee).status_code == 409
    assert client.put(path, json={"hours": []}, headers=cast.as_mentor).json["hours"] == []
    assert client.post("/bookings", json=asked(cast, tuesday), headers=cast.as_mentee).status_code == 201


def test_the_same_hours_once_more_are_no_change(world: World, cast: Cast, path: str) -> None:
    first = world.client.put(path, json=WEEK, headers=cast.as_mentor)
    again = world.client.put(path, json={**WEEK, "hours": [EVENING, MORNING]}, headers=cast.as_mentor)
    assert (again.json, version_of(again)) == (first.json, 1)
    with world.engine.begin() as db:
        told = db.execute(select(events).where(events.c.type == "availability.changed")).one()
        assert told.data == {"mentor_profile_id": str(cast.mentor.id), "changed": "hours", "version": 1}
        assert db.scalar(select(func.count()).select_from(weekly_hours)) == 1


def test_setting_no_hours_again_is_no_change(client: ApiClient, cast: Cast, path: str) -> None:
    def version_after(**body: object) -> int:
        return version_of(client.put(path, json={"hours": [], **body}, headers=cast.as_mentor))

    assert [version_after(), version_after()] == [0, 0]
    assert [version_after(**WEEK), version_after(), version_after()] == [1, 2, 2]


def test_a_zone_without_hours_is_kept(client: ApiClient, cast: Cast, path: str) -> None:
    zones = ("UTC", "UTC", "Asia/Tokyo", "Asia/Tokyo")
    said = [client.put(path, json={"hours": [], "timeZone": zone}, headers=cast.as_mentor) for zone in zones]
    assert [each.json["timeZone"] for each in said] == list(zones)
    # The first is the profile's zone, which may change.
    assert [version_of(each) for each in said] == [1, 1, 2, 2]
    assert client.get(path, headers=cast.as_mentee).json == said[-1].json


def test_hours_that_overlap_are_named(client: ApiClient, cast: Cast, path: str) -> None:
    twice = {**MORNING, "startTime": "12:00", "endTime": "13:00"}
    refused = client.put(path, json={"hours": [twice, MORNING, EVENING, EVENING]}, headers=cast.as_mentor)
    assert refused.json["details"] == {
        "hours": [
            "On Mondays, 09:00 to 12:30 and 12:00 to 13:00 overlap.",
            "On Thursdays, 18:00 to 24:00 and 18:00 to 24:00 overlap.",
        ]
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "hours"),
        ({"hours": None}, "hours"),
        ({"hours": {}}, "hours"),
        ({"hours": [None]}, "hours.0"),
        ({"hours": [MORNING] * 101}, "hours"),
        ({"hours": [MORNING, MORNING]}, "hours"),
        ({"hours": [{**MORNING, "endTime": "12:31"}, {**MORNING, "startTime": "12:30", "endTime": "13:00"}]}, "hours"),
        ({"hours": [{**MORNING, "weekday": 7}]}, "hours.0.weekday"),
        ({"hours": [{**MORNING, "weekday": -1}]}, "hours.0.weekday"),
        ({"hours": [{**MORNING, "weekday": "0"}]}, "hours.0.weekday"),
        ({"hours": [{**MORNING, "weekday": True}]}, "hours.0.weekday"),
        ({"hours": [{**MORNING, "startTime": "9:00"}]}, "hours.0.startTime"),
        ({"hours": [{**MORNING, "startTime": "24:00"}]}, "hours.0.startTime"),
        ({"hours": [{**MORNING, "startTime": "09:60"}]}, "hours.0.startTime"),
        ({"hours": [{**MORNING, "startTime": "09:00:00"}]}, "hours.0.startTime"),
        ({"hours": [{**MORNING, "startTime": "٠٩:٠٠"}]}, "hours.0.startTime"),
        ({"hours": [{**MORNING, "startTime": 540}]}, "hours.0.startTime"),
        ({"hours": [{**MORNING, "endTime": "24:01"}]}, "hours.0.endTime"),
        ({"hours": [{**MORNING, "endTime": None}]}, "hours.0.endTime"),
        ({"hours": [{**MORNING, "endTime": "09:00"}]}, "hours.0.endTime"),
        ({"hours": [{**MORNING, "startTime": "22:00", "endTime": "02:00"}]}, "hours.0.endTime"),
        ({"hours": [{"weekday": 0}]}, "hours.0.endTime"),
        ({"hours": [{**MORNING, "note": "x"}]}, "hours.0.note"),
        ({"hours": [], "timeZone": "Mars/Olympus"}, "timeZone"),
        ({"hours": [], "timeZone": 7}, "timeZone"),
        ({"hours": [], "from": "2026-01-01"}, "from"),
    ],
)
def test_hours_that_make_no_sense_are_refused(
    client: ApiClient, cast: Cast, path: str, body: dict[str, Any], field: str
) -> None:
    refused = client.put(path, json=body, headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert field in refused.json["details"], refused.json
    assert version_of(client.get(path, headers=cast.as_mentor)) == 0


# Mondays from nine to half past twelve in Berlin, which in summer is seven to half past ten in UTC.
@pytest.mark.parametrize(
    ("hour", "minute", "status"), [(7, 0, 201), (9, 30, 201), (6, 59, 409), (9, 31, 409), (12, 0, 409)]
)
def test_a_request_falls_into_the_hours_from_beginning_to_end(
    client: ApiClient, cast: Cast, path: str, hour: int, minute: int, status: int
) -> None:
    client.put(path, json=WEEK, headers=cast.as_mentor)
    start = a_monday_in_summer().replace(hour=hour, minute=minute)
    answer = client.post("/bookings", json=asked(cast, start), headers=cast.as_mentee)
    assert answer.status_code == status
    if status == 409:
        assert answer.json["code"] == "outside_hours"


def test_an_instant_booking_does_too(client: ApiClient, cast: Cast, path: str) -> None:
    client.put(path, json=WEEK, headers=cast.as_mentor)
    client.patch(f"/listings/{cast.listing.id}", json={"bookingMode": "instant"}, headers=cast.as_mentor)
    monday = a_monday_in_summer()
    outside = client.post("/bookings", json=asked(cast, monday), headers=cast.as_mentee)
    assert (outside.status_code, outside.json["code"]) == (409, "outside_hours")
    within = asked(cast, monday.replace(hour=8))
    assert client.post("/bookings", json=within, headers=cast.as_mentee).status_code == 202


def test_adjacent_hours_hold_a_session_over_midnight(client: ApiClient, cast: Cast, path: str) -> None:
    night = [EVENING, {"weekday": 4, "startTime": "00:00", "endTime": "00:30"}]
    client.put(path, json={"timeZone": "UTC", "hours": night}, headers=cast.as_mentor)
    thursday = a_monday_in_summer() + timedelta(days=3)
    late = asked(cast, thursday.replace(hour=23, minute=30))
    assert client.post("/bookings", json=late, headers=cast.as_mentee).status_code == 201
    too_late = asked(cast, thursday.replace(hour=23, minute=31))
    assert client.post("/bookings", json=too_late, headers=cast.as_mentee).status_code == 409


def test_what_was_asked_for_before_can_still_be_accepted(
    client: ApiClient, cast: Cast, path: str, draft: Booking
) -> None:
    client.put(path, json={"hours": [{**MORNING, "endTime": "09:01"}]}, headers=cast.as_mentor)
    assert client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor).status_code == 202


def test_hours_cost_a_request_no_statement(world: World, cast: Cast, path: str) -> None:
    monday = a_monday_in_summer().replace(hour=8)
    with statements_of(world.engine) as before:
        world.client.post("/bookings", json=asked(cast, monday), headers=cast.as_mentee)
    world.client.put(path, json=WEEK, headers=cast.as_mentor)
    with statements_of(world.engine) as after:
        world.client.post("/bookings", json=asked(cast, monday), headers=cast.as_stranger)
    assert after.statements == before.statements


def test_setting_hours_takes_nine_statements(world: World, cast: Cast, path: str) -> None:
    with statements_of(world.engine) as said:
        world.client.put(path, json=WEEK, headers=cast.as_mentor)
    # Who and whose; the lock; what is there; the hours with their spans; the calendar's version; the quota;
    # whether it is announced at once; the event with its deliveries.
    assert (len(said.statements), said.commits) == (9, 1)
    assert scalar(world.engine, select(func.count()).select_from(availability_rules)) == 2


def test_the_open_minutes_of_a_mentors_week_follow_the_hours(client: ApiClient, cast: Cast, path: str) -> None:
    client.put(path, json=WEEK, headers=cast.as_mentor)
    monday = a_monday_in_summer().date()
    asked_for = f"/analytics/availability?from={monday}&to={monday + timedelta(days=13)}&timeZone=Europe/Berlin"
    items = client.get(asked_for, headers=cast.as_mentor).json["items"]
    found = {(hour["weekday"], hour["hour"]): hour["openMinutes"] for hour in items if hour["openMinutes"]}
    evening = dict.fromkeys([(3, hour) for hour in range(18, 24)], 120)
    assert found == {(0, 9): 120, (0, 10): 120, (0, 11): 120, (0, 12): 60, **evening}
    table = client.get(asked_for, headers=cast.as_mentor | {"Accept": "text/csv"}).get_data(as_text=True)
    assert ",0,12,60,0\r\n" in table
    assert ",0,13,0,0\r\n" in table
