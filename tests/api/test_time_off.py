"""Time off over HTTP: what it keeps out of the books, what is in its way, and who sees why."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select

from models.bookings import bookings
from models.calendar import person_busy
from models.events import events
from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiClient, World
from tests.queries import execute
from workflows.bookings.records import Booking
from workflows.sessions.records import Session

HOUR = timedelta(hours=1)
START = factories.this_hour() + timedelta(days=1)
# Beyond every time that other tests of this process have taken.
END = START + timedelta(days=1000)


@pytest.fixture
def path(cast: Cast) -> str:
    return f"/mentors/{cast.mentor.id}/time-off"


def period(start: datetime = START, end: datetime = END, **fields: Any) -> dict[str, Any]:
    return {"startTime": start.isoformat(), "endTime": end.isoformat(), **fields}


def z(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_time_off_is_taken_listed_and_given_up(client: ApiClient, cast: Cast, path: str) -> None:
    taken = client.post(path, json=period(reason="Holidays"), headers=cast.as_mentor)
    assert taken.status_code == 201
    assert taken.json == {
        "id": taken.json["id"], "startTime": z(START), "endTime": z(END), "reason": "Holidays",
    }  # fmt: skip
    for headers in (cast.as_mentor, cast.as_operator):
        assert client.get(path, headers=headers).json == {"items": [taken.json], "nextCursor": None}
    for headers in (cast.as_mentee, cast.as_other_mentor):
        assert client.get(path, headers=headers).json["items"] == [{**taken.json, "reason": None}]
    one = f"{path}/{taken.json['id']}"
    assert client.delete(one, headers=cast.as_mentor).status_code == 204
    assert client.get(path, headers=cast.as_mentor).json["items"] == []
    assert client.delete(one, headers=cast.as_mentor).status_code == 404


def test_time_off_is_listed_by_pages_and_times(client: ApiClient, cast: Cast, path: str) -> None:
    starts = [START + timedelta(days=10 * number) for number in range(3)]
    for start in starts:
        client.post(path, json=period(start, start + HOUR), headers=cast.as_mentor)
    first = client.get(f"{path}?limit=2", headers=cast.as_mentee).json
    second = client.get(f"{path}?limit=2&cursor={first['nextCursor']}", headers=cast.as_mentee).json
    assert [each["startTime"] for each in first["items"] + second["items"]] == [z(each) for each in starts[::-1]]
    assert second["nextCursor"] is None
    between = client.get(f"{path}?from={z(starts[0] + HOUR)}&to={z(starts[2])}", headers=cast.as_mentee).json
    assert [each["startTime"] for each in between["items"]] == [z(starts[1])]


def test_only_the_mentor_takes_and_gives_up_time_off(client: ApiClient, cast: Cast, path: str) -> None:
    taken = client.post(path, json=period(), headers=cast.as_mentor).json["id"]
    for headers in (cast.as_mentee, cast.as_other_mentor, cast.as_operator):
        assert client.post(path, json=period(), headers=headers).status_code == 403
        assert client.delete(f"{path}/{taken}", headers=headers).status_code == 403
    foreign = f"/mentors/{cast.other_mentor.id}/time-off/{taken}"
    assert client.delete(foreign, headers=cast.as_other_mentor).status_code == 404
    for mentor in (uuid4(), "grace"):
        assert client.get(f"/mentors/{mentor}/time-off", headers=cast.as_mentee).status_code == 404
    assert client.delete(f"{path}/me", headers=cast.as_mentor).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "startTime"),
        (period(START, START), "endTime"),
        (period(START, START - HOUR), "endTime"),
        (period(START - timedelta(days=9), START - timedelta(days=8)), "endTime"),
        (period(START, START + timedelta(days=1831)), "endTime"),
        (period(reason=7), "reason"),
        (period(reason="x" * 1001), "reason"),
        (period(cancelSessions="yes"), "cancelSessions"),
        (period(until="then"), "until"),
    ],
)
def test_time_off_that_makes_no_sense_is_refused(
    client: ApiClient, cast: Cast, path: str, body: dict[str, Any], field: str
) -> None:
    refused = client.post(path, json=body, headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert field in refused.json["details"]


@pytest.mark.parametrize(("offset", "free"), [(-60, True), (-59, False), (0, False), (59, False), (60, True)])
@pytest.mark.parametrize("mode", ["request", "instant"])
def test_nothing_is_booked_in_time_off(
    client: ApiClient, cast: Cast, path: str, mode: str, offset: int, free: bool
) -> None:
    client.patch(f"/listings/{cast.listing.id}", json={"bookingMode": mode}, headers=cast.as_mentor)
    client.post(path, json=period(START, START + HOUR), headers=cast.as_mentor)
    start = (START + timedelta(minutes=offset)).isoformat()
    answer = client.post("/bookings", json=cast.body(startTime=start), headers=cast.as_mentee)
    assert answer.status_code == (409 if not free else 201 if mode == "request" else 202)
    if not free:
        assert answer.json["code"] == "outside_hours"


def test_buffers_reach_into_time_off(client: ApiClient, cast: Cast, path: str) -> None:
    changes = {"bookingMode": "instant", "bufferBeforeMinutes": 30, "bufferMinutes": 30}
    client.patch(f"/listings/{cast.listing.id}", json=changes, headers=cast.as_mentor)
    client.post(path, json=period(START, START + HOUR), headers=cast.as_mentor)
    for start, headers in ((START - HOUR, cast.as_mentee), (START + HOUR, cast.as_stranger)):
        body = cast.body(startTime=start.isoformat())
        assert client.post("/bookings", json=body, headers=headers).status_code == 202


def test_a_draft_in_time_off_stays_and_is_not_accepted(
    client: ApiClient, cast: Cast, path: str, draft: Booking
) -> None:
    taken = client.post(path, json=period(), headers=cast.as_mentor)
    assert taken.status_code == 201
    refused = client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (409, "outside_hours")
    assert client.get(f"/bookings/{draft.id}", headers=cast.as_mentee).json["status"] == "draft"
    client.delete(f"{path}/{taken.json['id']}", headers=cast.as_mentor)
    assert client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor).status_code == 202


def test_sessions_in_the_way_are_named(client: ApiClient, cast: Cast, path: str, scheduled: Session) -> None:
    refused = client.post(path, json=period(), headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (409, "sessions_in_the_way")
    assert refused.json["details"] == {"sessions": [str(scheduled.id)]}
    assert client.get(path, headers=cast.as_mentor).json["items"] == []
    before = period(START, scheduled.start_time)
    assert client.post(path, json=before, headers=cast.as_mentor).status_code == 201


def test_a_session_not_created_yet_is_in_the_way(client: ApiClient, cast: Cast, path: str, accepted: Booking) -> None:
    for body in (period(), period(cancelSessions=True)):
        refused = client.post(path, json=body, headers=cast.as_mentor)
        assert (refused.status_code, refused.json["code"]) == (409, "sessions_in_the_way")
        assert refused.json["details"] == {"sessions": [str(accepted.session_id)]}
    assert refused.headers["Retry-After"] == "1"


def test_sessions_in_the_way_are_cancelled_on_demand(world: World, cast: Cast, path: str, scheduled: Session) -> None:
    body = period(reason="Ill", cancelSessions=True)
    assert world.client.post(path, json=body, headers=cast.as_mentor).status_code == 201
    session = world.client.get(f"/sessions/{scheduled.id}", headers=cast.as_mentee).json
    cancellation = session["cancellation"]
    assert (session["status"], cancellation["cancelledBy"], cancellation["reason"]) == ("cancelled", "mentor", "Ill")
    # By default, as whenever the mentor cancels.
    assert (cancellation["refund"]["amount"], cancellation["refundRequested"]) == (4000, True)
    assert execute(world.engine, select(person_busy)).all() == []


def test_sessions_over_or_in_progress_are_not_in_the_way(
    client: ApiClient, cast: Cast, path: str, in_progress: Session
) -> None:
    assert client.post(path, json=period(), headers=cast.as_mentor).status_code == 201
    assert client.get(f"/sessions/{in_progress.id}", headers=cast.as_mentee).json["status"] == "in_progress"


def test_holds_in_time_off_end(client: ApiClient, cast: Cast, path: str, engine: Engine) -> None:
    body = {"startTime": (START + HOUR).isoformat(), "durationMinutes": 60}
    held = client.post(f"/mentors/{cast.mentor.id}/holds", json=body, headers=cast.as_mentee)
    assert held.status_code == 201
    client.post(path, json=period(), headers=cast.as_mentor)
    assert execute(engine, select(person_busy)).all() == []
    again = client.post(f"/mentors/{cast.mentor.id}/holds", json=body, headers=cast.as_mentee)
    assert (again.status_code, again.json["code"]) == (409, "outside_hours")


def test_changes_of_time_off_are_announced(world: World, cast: Cast, path: str) -> None:
    taken = world.client.post(path, json=period(reason="Secret"), headers=cast.as_mentor).json
    world.client.delete(f"{path}/{taken['id']}", headers=cast.as_mentor)
    with world.engine.begin() as db:
        told = db.scalars(select(events.c.data).where(events.c.type == "availability.changed").order_by("id")).all()
        mentor = str(cast.mentor.id)
        assert told == [{"mentor_profile_id": mentor, "changed": "time_off", "version": version} for version in (1, 2)]
        assert db.execute(select(bookings)).all() == []
