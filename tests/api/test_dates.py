"""Hours of single dates over HTTP: they replace the weekly hours of that date."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api.conftest import Cast
from tests.api.test_hours import WEEK, a_monday_in_summer
from tests.application import ApiClient

NOON = a_monday_in_summer()
MONDAY = NOON.date()
MORNING = {"startTime": "09:00", "endTime": "12:00"}


@pytest.fixture
def path(cast: Cast) -> str:
    return f"/mentors/{cast.mentor.id}/dates"


def ask(client: ApiClient, cast: Cast, start: datetime) -> Any:
    answer = client.post("/bookings", json=cast.body(startTime=start.isoformat()), headers=cast.as_mentee)
    return answer.json.get("code", answer.json.get("status"))


def test_a_date_has_hours_of_its_own(client: ApiClient, cast: Cast, path: str) -> None:
    client.put(f"/mentors/{cast.mentor.id}/hours", json=WEEK, headers=cast.as_mentor)
    evening = {"startTime": "19:00", "endTime": "20:00"}
    said = client.put(f"{path}/{MONDAY}", json={"hours": [evening, MORNING]}, headers=cast.as_mentor)
    expected = {"mentorProfileId": str(cast.mentor.id), "date": str(MONDAY), "timeZone": "Europe/Berlin"}
    assert (said.status_code, said.json) == (200, {**expected, "hours": [MORNING, evening]})
    assert client.get(path, headers=cast.as_mentee).json == {"items": [said.json], "nextCursor": None}
    # 19:00 in Berlin is 17:00 in summer. The Monday after is as ever.
    assert ask(client, cast, NOON.replace(hour=17)) == "draft"
    assert ask(client, cast, NOON.replace(hour=9)) == "draft"
    assert ask(client, cast, NOON.replace(hour=9, minute=30)) == "outside_hours"
    assert ask(client, cast, NOON.replace(hour=9, minute=30) + timedelta(days=7)) == "draft"


def test_a_closed_date_is_closed_without_weekly_hours_too(client: ApiClient, cast: Cast, path: str) -> None:
    assert client.put(f"{path}/{MONDAY}", json={"hours": []}, headers=cast.as_mentor).json["hours"] == []
    assert ask(client, cast, NOON) == "outside_hours"
    midnight = NOON.replace(hour=0)
    assert ask(client, cast, midnight - timedelta(minutes=59)) == "outside_hours"
    assert ask(client, cast, midnight - timedelta(hours=1)) == "draft"
    assert ask(client, cast, midnight + timedelta(days=1)) == "draft"


@pytest.mark.parametrize("with_hours", [False, True])
def test_a_date_keeps_the_zone_in_which_it_was_entered(
    client: ApiClient, cast: Cast, path: str, with_hours: bool
) -> None:
    profile, hours = f"/mentor-profiles/{cast.mentor.id}", f"/mentors/{cast.mentor.id}/hours"
    everyday = {"hours": [{"weekday": day, "startTime": "00:00", "endTime": "24:00"} for day in range(7)]}
    if with_hours:
        client.put(hours, json={**everyday, "timeZone": "Asia/Tokyo"}, headers=cast.as_mentor)
    else:
        client.patch(profile, json={"timeZone": "Asia/Tokyo"}, headers=cast.as_mentor)
    said = client.put(f"{path}/{MONDAY}", json={"hours": [MORNING]}, headers=cast.as_mentor)
    assert said.json["timeZone"] == "Asia/Tokyo"
    if with_hours:
        client.put(hours, json={**everyday, "timeZone": "America/Denver"}, headers=cast.as_mentor)
    else:
        client.patch(profile, json={"timeZone": "America/Denver"}, headers=cast.as_mentor)
    assert client.get(path, headers=cast.as_mentee).json["items"] == [said.json]
    # Nine o'clock in Tokyo is midnight in UTC; the day there is from 15:00 to 15:00 in UTC.
    midnight = NOON.replace(hour=0)
    refused = client.post(
        "/bookings", json=cast.body(startTime=(midnight + timedelta(hours=9)).isoformat()), headers=cast.as_mentee
    )
    day = f"{MONDAY:%-d %B %Y}"
    assert refused.json["message"].endswith(f"within the mentor's hours: {day} from 09:00 to 12:00 (Asia/Tokyo).")
    assert [ask(client, cast, midnight + timedelta(hours=hours)) for hours in (-10, -9, -1, 0, 2, 3, 14, 15)] == [
        "draft", "outside_hours", "outside_hours", "draft", "draft", "outside_hours", "outside_hours", "draft",
    ]  # fmt: skip
    # Set again, it is a date of the present zone, which is a change.
    again = client.put(f"{path}/{MONDAY}", json={"hours": [MORNING]}, headers=cast.as_mentor)
    assert again.json["timeZone"] == "America/Denver"
    assert again.headers["ETag"] != said.headers["ETag"]


def test_without_its_hours_a_date_is_like_its_weekday(client: ApiClient, cast: Cast, path: str) -> None:
    client.put(f"{path}/{MONDAY}", json={"hours": []}, headers=cast.as_mentor)
    assert client.delete(f"{path}/{MONDAY}", headers=cast.as_mentor).status_code == 204
    assert client.delete(f"{path}/{MONDAY}", headers=cast.as_mentor).status_code == 404
    assert ask(client, cast, NOON) == "draft"


def test_dates_are_listed_by_pages_and_limits(client: ApiClient, cast: Cast, path: str) -> None:
    days = [MONDAY + timedelta(days=number) for number in range(4)]
    for day in reversed(days):
        client.put(f"{path}/{day}", json={"hours": [MORNING]}, headers=cast.as_mentor)
    first = client.get(f"{path}?limit=3", headers=cast.as_mentee).json
    second = client.get(f"{path}?limit=3&cursor={first['nextCursor']}", headers=cast.as_mentee).json
    assert [each["date"] for each in first["items"] + second["items"]] == list(map(str, days))
    some = client.get(f"{path}?from={days[1]}&to={days[2]}", headers=cast.as_mentee).json
    assert [each["date"] for each in some["items"]] == list(map(str, days[1:3]))


def test_only_the_mentor_changes_dates(client: ApiClient, cast: Cast, path: str) -> None:
    for headers in (cast.as_mentee, cast.as_other_mentor, cast.as_operator):
        assert client.put(f"{path}/{MONDAY}", json={"hours": []}, headers=headers).status_code == 403
        assert client.delete(f"{path}/{MONDAY}", headers=headers).status_code == 403
    for day in ("someday", "2030-02-30", "2030-5-4", "9999-01-01"):
        assert client.put(f"{path}/{day}", json={"hours": []}, headers=cast.as_mentor).status_code == 404


def test_an_older_calendar_is_stale(client: ApiClient, cast: Cast, path: str) -> None:
    one = client.put(f"{path}/{MONDAY}", json={"hours": []}, headers=cast.as_mentor).headers["ETag"]
    same = client.put(f"{path}/{MONDAY}", json={"hours": []}, headers=cast.as_mentor | {"If-Match": one})
    assert (same.status_code, same.headers["ETag"]) == (200, one)
    other = client.put(f"{path}/{MONDAY}", json={"hours": [MORNING]}, headers=cast.as_mentor | {"If-Match": one})
    assert other.headers["ETag"] != one
    assert client.delete(f"{path}/{MONDAY}", headers=cast.as_mentor | {"If-Match": one}).status_code == 412


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "hours"),
        ({"hours": [MORNING, {"startTime": "11:59", "endTime": "13:00"}]}, "hours"),
        ({"hours": [{"startTime": "12:00", "endTime": "12:00"}]}, "hours.0.endTime"),
        ({"hours": [{**MORNING, "weekday": 0}]}, "hours.0.weekday"),
        ({"hours": [MORNING] * 101}, "hours"),
        ({"hours": [], "timeZone": "UTC"}, "timeZone"),
    ],
)
def test_dates_that_make_no_sense_are_refused(
    client: ApiClient, cast: Cast, path: str, body: dict[str, Any], field: str
) -> None:
    refused = client.put(f"{path}/{MONDAY}", json=body, headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert field in refused.json["details"]
