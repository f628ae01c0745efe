"""Rules of booking over HTTP: how far ahead, how many sessions a day and a week, how many open requests."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import Cast, version_of
from tests.api.test_hours import a_monday_in_summer
from tests.application import ApiClient, as_user

DEFAULTS = {
    "stepMinutes": 15,
    "horizonDays": None,
    "maxPerDay": None,
    "maxPerWeek": None,
    "maxPerMenteePerDay": None,
    "maxPerMenteePerWeek": None,
    "staleCalendars": "ignore",
}
# Ten in the morning in UTC; the next day begins at ten in the evening in Kiritimati's week.
MONDAY = a_monday_in_summer().replace(hour=10)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def path(cast: Cast) -> str:
    return f"/mentors/{cast.mentor.id}/booking-rules"


@pytest.fixture
def mentees(engine: Engine) -> Iterator[dict[str, str]]:
    """Headers of one mentee after the other, each a new person."""

    def more() -> Iterator[dict[str, str]]:
        while True:
            with engine.begin() as db:
                mentee = factories.make_user(db)
            yield as_user(mentee)

    return more()


def book(client: ApiClient, cast: Cast, start: Any, headers: dict[str, str]) -> Any:
    answer = client.post("/bookings", json=cast.body(startTime=start.isoformat()), headers=headers)
    return answer.json.get("code", answer.json.get("status"))


def instant(client: ApiClient, cast: Cast) -> None:
    client.patch(f"/listings/{cast.listing.id}", json={"bookingMode": "instant"}, headers=cast.as_mentor)


def test_rules_are_set_and_read(client: ApiClient, cast: Cast, path: str) -> None:
    mentor = {"mentorProfileId": str(cast.mentor.id)}
    before = client.get(path, headers=cast.as_mentee)
    assert (before.json, version_of(before)) == (mentor | DEFAULTS, 0)
    rules = {"stepMinutes": 30, "horizonDays": 60, "maxPerWeek": 5, "staleCalendars": "refuse"}
    said = client.put(path, json=rules, headers=cast.as_mentor)
    assert (said.status_code, said.json, version_of(said)) == (200, mentor | DEFAULTS | rules, 1)
    assert client.get(path, headers=cast.as_stranger).json == said.json
    assert version_of(client.put(path, json=rules, headers=cast.as_mentor)) == 1
    # A rule that is left out is as without rules.
    assert client.put(path, json={}, headers=cast.as_mentor).json == mentor | DEFAULTS
    stale = client.put(path, json=rules, headers=cast.as_mentor | {"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")


def test_only_the_mentor_sets_rules(client: ApiClient, cast: Cast, path: str) -> None:
    for headers in (cast.as_mentee, cast.as_other_mentor, cast.as_operator):
        assert client.put(path, json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stepMinutes", 4),
        ("stepMinutes", 1441),
        ("stepMinutes", None),
        ("horizonDays", 0),
        ("horizonDays", 1831),
        ("maxPerDay", 0),
        ("maxPerWeek", 1001),
        ("maxPerMenteePerDay", "1"),
        ("maxPerMenteePerWeek", 1.5),
        ("staleCalendars", "hope"),
        ("maxPerYear", 1),
    ],
)
def test_rules_that_make_no_sense_are_refused(client: ApiClient, cast: Cast, path: str, field: str, value: Any) -> None:
    refused = client.put(path, json={field: value}, headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert field in refused.json["details"]


def test_bookings_beyond_the_horizon_are_refused(client: ApiClient, cast: Cast, path: str) -> None:
    client.put(path, json={"horizonDays": 10}, headers=cast.as_mentor)
    start = factories.this_hour()
    assert book(client, cast, start + 10 * DAY, cast.as_mentee) == "draft"
    assert book(client, cast, start + 10 * DAY + HOUR, cast.as_mentee) == "beyond_horizon"


def test_without_rules_the_horizon_is_five_years(client: ApiClient, cast: Cast) -> None:
    start = factories.this_hour()
    assert book(client, cast, start + 1830 * DAY, cast.as_mentee) == "draft"
    assert book(client, cast, start + 1830 * DAY + HOUR, cast.as_mentee) == "beyond_horizon"


@pytest.mark.parametrize(("rule", "same_person"), [("maxPerDay", False), ("maxPerMenteePerDay", True)])
def test_sessions_of_a_day_are_limited(
    client: ApiClient, cast: Cast, path: str, rule: str, same_person: bool, mentees: Iterator[dict[str, str]]
) -> None:
    instant(client, cast)
    client.put(path, json={rule: 2}, headers=cast.as_mentor)
    midnight = MONDAY.replace(hour=0)
    others = iter(lambda: cast.as_mentee, None) if same_person else mentees
    # The last hour of Sunday and the first of Tuesday are other days.
    for start in (midnight - HOUR, midnight, midnight + 23 * HOUR, midnight + DAY):
        assert book(client, cast, start, next(others)) == "accepted"
    assert book(client, cast, midnight + 5 * HOUR, next(others)) == "booking_limit"
    assert book(client, cast, midnight + 26 * HOUR, next(others)) == "accepted"
    if same_person:
        assert book(client, cast, midnight + 5 * HOUR, next(mentees)) == "accepted"


@pytest.mark.parametrize("rule", ["maxPerWeek", "maxPerMenteePerWeek"])
def test_sessions_of_an_iso_week_are_limited(client: ApiClient, cast: Cast, path: str, rule: str) -> None:
    instant(client, cast)
    client.put(path, json={rule: 1}, headers=cast.as_mentor)
    assert book(client, cast, MONDAY + 6 * DAY, cast.as_mentee) == "accepted"
    assert book(client, cast, MONDAY, cast.as_mentee) == "booking_limit"
    assert book(client, cast, MONDAY - DAY, cast.as_mentee) == "accepted"
    assert book(client, cast, MONDAY + 7 * DAY, cast.as_mentee) == "accepted"


def test_days_are_those_of_the_mentors_zone(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db, factories.make_user(db, time_zone="Pacific/Kiritimati"))
        listing = factories.make_listing(db, mentor, booking_mode="instant")
        mentee = as_user(factories.make_user(db))
    cast = replace(cast, mentor=mentor, listing=listing)
    client.put(f"/mentors/{mentor.id}/booking-rules", json={"maxPerDay": 1}, headers=cast.as_mentor)
    # There, the day begins at 10:00 UTC.
    assert book(client, cast, MONDAY, mentee) == "accepted"
    assert book(client, cast, MONDAY + 23 * HOUR, mentee) == "booking_limit"
    assert book(client, cast, MONDAY - HOUR, mentee) == "accepted"


def test_another_zone_of_the_profile_counts_booked_sessions_by_its_days(
    client: ApiClient, cast: Cast, path: str, mentees: Iterator[dict[str, str]]
) -> None:
    instant(client, cast)
    client.put(path, json={"maxPerDay": 1}, headers=cast.as_mentor)
    # In UTC a Monday's last hour; in Kiritimati, 14 hours ahead, it is Tuesday.
    evening = MONDAY.replace(hour=23)
    assert book(client, cast, evening, next(mentees)) == "accepted"
    assert book(client, cast, evening - 13 * HOUR, next(mentees)) == "booking_limit"
    profile = f"/mentor-profiles/{cast.mentor.id}"
    moved = client.patch(profile, json={"timeZone": "Pacific/Kiritimati"}, headers=cast.as_mentor)
    assert moved.status_code == 200, moved.json
    # The session stays, and fills the day on which the mentor now has it, from Monday 10:00 UTC on.
    assert book(client, cast, evening - 13 * HOUR, next(mentees)) == "booking_limit"
    assert book(client, cast, evening - 14 * HOUR, next(mentees)) == "accepted"
    assert book(client, cast, evening + 10 * HOUR, next(mentees)) == "booking_limit"


def test_a_request_beyond_a_limit_is_refused_too(client: ApiClient, cast: Cast, path: str) -> None:
    instant(client, cast)
    client.put(path, json={"maxPerDay": 1}, headers=cast.as_mentor)
    assert book(client, cast, MONDAY, cast.as_mentee) == "accepted"
    client.patch(f"/listings/{cast.listing.id}", json={"bookingMode": "request"}, headers=cast.as_mentor)
    assert book(client, cast, MONDAY + 3 * HOUR, cast.as_stranger) == "booking_limit"


def test_a_cancelled_session_counts_no_more(client: ApiClient, cast: Cast, path: str, engine: Engine) -> None:
    with engine.begin() as db:
        session = factories.make_session(db, listing=cast.listing, mentee=cast.mentee)
    client.put(path, json={"maxPerWeek": 1}, headers=cast.as_mentor)
    assert book(client, cast, session.start_time, cast.as_stranger) == "booking_limit"
    client.patch(f"/sessions/{session.id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentee)
    assert book(client, cast, session.start_time, cast.as_stranger) == "draft"


def test_open_requests_of_a_mentee_are_limited(client: ApiClient, cast: Cast, engine: Engine) -> None:
    starts = [MONDAY + number * DAY for number in range(6)]
    answers = [book(client, cast, start, cast.as_mentee) for start in starts]
    assert answers == ["draft"] * 5 + ["booking_limit"]
    # Another person's, and another mentor's, are others.
    assert book(client, cast, MONDAY, cast.as_stranger) == "draft"
    with engine.begin() as db:
        listings = [factories.make_listing(db) for _ in range(4)]
    for number, listing in enumerate(listings):
        body = {"listingId": str(listing.id)}
        codes = [
            client.post("/bookings", json=body | {"startTime": start.isoformat()}, headers=cast.as_mentee).json
            for start in starts[:5]
        ]
        expected = [None] * 5 if number < 3 else ["booking_limit"] * 5
        assert [each.get("code") for each in codes] == expected


def test_a_request_is_made_once_until_it_is_decided(client: ApiClient, cast: Cast) -> None:
    body = cast.body(startTime=MONDAY.isoformat())
    first = client.post("/bookings", json=body, headers=cast.as_mentee)
    again = client.post("/bookings", json=body, headers=cast.as_mentee)
    assert (again.status_code, again.json["code"]) == (409, "booking_limit")
    client.patch(f"/bookings/{first.json['id']}/cancel", headers=cast.as_mentee)
    assert client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 201


def test_a_retry_of_a_request_is_replayed(client: ApiClient, cast: Cast) -> None:
    body, key = cast.body(startTime=MONDAY.isoformat()), {"Idempotency-Key": "once"}
    first = client.post("/bookings", json=body, headers=cast.as_mentee | key)
    again = client.post("/bookings", json=body, headers=cast.as_mentee | key)
    assert (again.status_code, again.json, again.headers["Idempotent-Replayed"]) == (201, first.json, "true")


def test_direct_bookings_count_as_requests(client: ApiClient, cast: Cast) -> None:
    body = {"coachId": str(cast.mentor.id), "durationMinutes": 60, "title": "Algebra"}
    weekly = {"recurrence": {"count": 3}}
    answers = [
        client.post(
            "/sessions/book",
            json=body | (weekly if number % 2 else {}) | {"scheduledAt": (MONDAY + number * DAY).isoformat()},
            headers=cast.as_mentee,
        )
        for number in range(6)
    ]
    assert [answer.json.get("code") for answer in answers] == [None] * 5 + ["booking_limit"]
    assert book(client, cast, MONDAY + 6 * DAY, cast.as_mentee) == "booking_limit"
