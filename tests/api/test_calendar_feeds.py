"""Outside calendars over HTTP: who adds them, what is shown of them, and what their times keep out of the books."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select, update

from models.availability import calendar_feeds, outside_busy
from models.calendar import person_busy
from models.events import deliveries
from tests import factories
from tests.api.conftest import Cast, Tuition, refusal
from tests.application import ApiClient, World
from tests.queries import execute
from workflows.availability.feeds import FEEDS_PER_DAY, CalendarFeed
from workflows.bookings.records import Booking

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
# Beyond every time that other tests of this process have taken.
START = factories.this_hour() + timedelta(days=300)
URL = "https://calendar.example/private-8f2c/basic.ics"


@pytest.fixture
def path(cast: Cast) -> str:
    return f"/mentors/{cast.mentor.id}/calendar-feeds"


@pytest.fixture
def feed(engine: Engine, cast: Cast) -> CalendarFeed:
    """An outside calendar in which the mentor is busy for an hour from START on."""
    with engine.begin() as db:
        return factories.make_calendar_feed(db, cast.mentor, [(START, START + HOUR)])


def book(client: ApiClient, cast: Cast, start: datetime = START, headers: dict[str, str] | None = None) -> Any:
    body = cast.body(startTime=start.isoformat())
    return client.post("/bookings", json=body, headers=headers or cast.as_mentee)


def make_stale(engine: Engine) -> None:
    execute(engine, update(calendar_feeds).values(stale_at=datetime.now(UTC) - HOUR))


def test_a_calendar_is_added_listed_and_removed(client: ApiClient, cast: Cast, path: str, engine: Engine) -> None:
    made = client.post(path, json={"url": URL, "name": "Private"}, headers=cast.as_mentor)
    assert made.status_code == 201
    shown = {name: made.json[name] for name in ("name", "url", "status", "lastFetchedAt", "lastError")}
    assert shown == {
        "name": "Private", "url": "https://calendar.example/…", "status": "pending",
        "lastFetchedAt": None, "lastError": None,
    }  # fmt: skip
    assert "private-8f2c" not in made.text
    for headers in (cast.as_mentor, cast.as_operator):
        assert client.get(path, headers=headers).json == {"items": [made.json], "nextCursor": None}
    with engine.connect() as db:
        (row,) = db.execute(select(calendar_feeds))
        assert URL not in str(row)
        assert db.scalars(select(deliveries.c.effect)).all() == ["calendars.start"]
    one = f"{path}/{made.json['id']}"
    assert client.delete(one, headers=cast.as_mentor).status_code == 204
    assert client.get(path, headers=cast.as_mentor).json["items"] == []
    assert client.delete(one, headers=cast.as_mentor).status_code == 404


def test_a_calendar_that_was_read_shows_when(client: ApiClient, cast: Cast, path: str, feed: CalendarFeed) -> None:
    (shown,) = client.get(path, headers=cast.as_mentor).json["items"]
    assert (shown["status"], shown["lastError"]) == ("fresh", None)
    assert shown["lastFetchedAt"] < shown["nextFetchAt"]
    assert feed.status == "fresh"


def test_only_the_mentor_changes_and_sees_calendars(client: ApiClient, cast: Cast, path: str) -> None:
    added = client.post(path, json={"url": URL}, headers=cast.as_mentor).json["id"]
    for headers in (cast.as_mentee, cast.as_other_mentor, cast.as_operator):
        assert client.post(path, json={"url": URL}, headers=headers).status_code == 403
        assert client.delete(f"{path}/{added}", headers=headers).status_code == 403
    for headers in (cast.as_mentee, cast.as_other_mentor):
        assert client.get(path, headers=headers).status_code == 403
    foreign = f"/mentors/{cast.other_mentor.id}/calendar-feeds/{added}"
    assert client.delete(foreign, headers=cast.as_other_mentor).status_code == 404
    for mentor in (uuid4(), "grace"):
        assert client.get(f"/mentors/{mentor}/calendar-feeds", headers=cast.as_mentor).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://calendar.example/x.ics", "ftp://calendar.example/x.ics", "file:///etc/passwd", "basic.ics", "",
        "https://user:word@calendar.example/x.ics", "https://10.0.0.1/x.ics", "https://[fe80::1]/x.ics",
        "https://calendar.example:22/x.ics", "https://intranet/x.ics" + "x" * 2048, "https://calendar.example/ x",
        "https://169.254.169.254/latest/meta-data", 7, None,
    ],
)  # fmt: skip
def test_addresses_that_no_calendar_is_read_from_are_refused(
    client: ApiClient, cast: Cast, path: str, url: Any
) -> None:
    answer = client.post(path, json={"url": url}, headers=cast.as_mentor)
    assert refusal(answer) == (400, "invalid_request")
    assert list(answer.json["details"]) == ["url"]


def test_a_webcal_address_is_read_by_https(client: ApiClient, cast: Cast, path: str) -> None:
    webcal = URL.replace("https", "webcal")
    added = client.post(path, json={"url": webcal}, headers=cast.as_mentor)
    assert added.json["url"] == "https://calendar.example/…"
    assert refusal(client.post(path, json={"url": URL}, headers=cast.as_mentor)) == (409, "calendar_feed_exists")
    other = f"/mentors/{cast.other_mentor.id}/calendar-feeds"
    assert client.post(other, json={"url": URL}, headers=cast.as_other_mentor).status_code == 201


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize(("offset", "free"), [(-60, True), (-59, False), (0, False), (59, False), (60, True)])
@pytest.mark.parametrize("mode", ["request", "instant"])
def test_nothing_is_booked_while_the_mentor_is_busy_elsewhere(
    client: ApiClient, cast: Cast, mode: str, offset: int, free: bool
) -> None:
    client.patch(f"/listings/{cast.listing.id}", json={"bookingMode": mode}, headers=cast.as_mentor)
    answer = book(client, cast, START + offset * MINUTE)
    assert answer.status_code == (409 if not free else 201 if mode == "request" else 202)
    if not free:
        assert (answer.json["code"], answer.json["message"]) == (
            "slot_taken",
            "The mentor is busy at this time; choose another time.",
        )


@pytest.mark.usefixtures("feed")
def test_buffers_do_not_reach_into_a_busy_time(client: ApiClient, cast: Cast) -> None:
    changes = {"bookingMode": "instant", "bufferBeforeMinutes": 10, "bufferMinutes": 20}
    client.patch(f"/listings/{cast.listing.id}", json=changes, headers=cast.as_mentor)
    for minutes, status in ((-79, 409), (-80, 202), (69, 409), (70, 202)):
        assert book(client, cast, START + minutes * MINUTE).status_code == status


@pytest.mark.usefixtures("feed")
def test_a_hold_is_refused_while_the_mentor_is_busy(client: ApiClient, cast: Cast) -> None:
    body = {"startTime": (START + 30 * MINUTE).isoformat(), "durationMinutes": 60}
    answer = client.post(f"/mentors/{cast.mentor.id}/holds", json=body, headers=cast.as_mentee)
    assert refusal(answer) == (409, "slot_taken")


def test_a_request_of_before_stays_and_is_not_accepted(client: ApiClient, cast: Cast, engine: Engine) -> None:
    draft = book(client, cast).json["id"]
    with engine.begin() as db:
        feed = factories.make_calendar_feed(db, cast.mentor, [(START, START + HOUR)])
    accept = f"/bookings/{draft}/accept"
    assert refusal(client.patch(accept, headers=cast.as_mentor)) == (409, "slot_taken")
    assert client.get(f"/bookings/{draft}", headers=cast.as_mentee).json["status"] == "draft"
    with engine.begin() as db:
        factories.read_calendar(db, feed, [])
    assert client.patch(accept, headers=cast.as_mentor).status_code == 202


def test_accepted_sessions_stay_when_their_mentor_is_busy(
    client: ApiClient, cast: Cast, engine: Engine, accepted: Booking
) -> None:
    with engine.begin() as db:
        factories.make_calendar_feed(db, cast.mentor, [(accepted.start_time, accepted.end_time)])
        # The mentor's, and the mentee's.
        assert db.scalars(select(person_busy.c.booking_id)).all() == [accepted.id] * 2
    assert client.get(f"/bookings/{accepted.id}", headers=cast.as_mentee).json["status"] == "accepted"


def test_removing_a_calendar_frees_its_times(client: ApiClient, cast: Cast, path: str, feed: CalendarFeed) -> None:
    assert book(client, cast).status_code == 409
    assert client.delete(f"{path}/{feed.id}", headers=cast.as_mentor).status_code == 204
    assert book(client, cast).status_code == 201


def test_another_mentor_of_a_course_takes_the_session(tuition: Tuition, engine: Engine) -> None:
    with engine.begin() as db:
        start = datetime.fromisoformat("2030-05-06T09:00:00+00:00")
        factories.make_calendar_feed(db, tuition.mentors[0], [(start, start + HOUR)])
    assert tuition.book().json["mentorProfileId"] == str(tuition.mentors[1].id)
    named = tuition.book(tuition.cast.as_stranger, mentorProfileId=str(tuition.mentors[0].id))
    assert refusal(named) == (409, "slot_taken")


@pytest.mark.usefixtures("feed")
def test_a_group_is_not_scheduled_into_a_busy_time(client: ApiClient, cast: Cast) -> None:
    day = f"{START:%Y-%m-%d}"
    weekly = {
        "title": "Algebra", "weekday": START.weekday(), "startTime": f"{START:%H:%M}", "timeZone": "UTC",
        "durationMinutes": 60, "capacity": 3, "price": {"amount": 1, "currency": "EUR"},
    }  # fmt: skip
    template = client.post("/group-session-templates", json=weekly, headers=cast.as_mentor).headers["Location"]
    scheduled = client.post(f"{template}/schedule", json={"from": day, "to": day}, headers=cast.as_mentor)
    assert scheduled.json["conflicts"] == [{"date": day, "code": "slot_taken", "with": None}]


def slots(client: ApiClient, cast: Cast, **query: Any) -> Any:
    """The mentor's slots of four hours around START, each half hour."""
    wanted = {
        "from": (START - 2 * HOUR).isoformat(), "to": (START + 2 * HOUR).isoformat(),
        "durationMinutes": 60, "stepMinutes": 30, **query,
    }  # fmt: skip
    return client.get(f"/mentors/{cast.mentor.id}/slots", query_string=wanted, headers=cast.as_mentee).json


@pytest.mark.usefixtures("feed")
def test_slots_offer_what_is_free_elsewhere_and_say_why_not(client: ApiClient, cast: Cast) -> None:
    found = slots(client, cast, explain="true")
    offered = [datetime.fromisoformat(each["startTime"]) - START for each in found["items"]]
    assert offered == [-2 * HOUR, -90 * MINUTE, -HOUR, HOUR, 90 * MINUTE]
    reasons = {datetime.fromisoformat(each["startTime"]) - START: each["reason"] for each in found["refused"]}
    assert reasons == dict.fromkeys((-30 * MINUTE, 0 * MINUTE, 30 * MINUTE), "busy")
    assert found["staleCalendars"] == []
    for each in found["items"]:
        assert book(client, cast, datetime.fromisoformat(each["startTime"])).status_code in (201, 409)


@pytest.mark.parametrize("rule", ["ignore", "refuse"])
def test_a_stale_calendar_counts_by_the_mentors_choice(
    client: ApiClient, cast: Cast, engine: Engine, feed: CalendarFeed, rule: str
) -> None:
    rules = f"/mentors/{cast.mentor.id}/booking-rules"
    assert client.put(rules, json={"staleCalendars": rule}, headers=cast.as_mentor).status_code == 200
    assert len(slots(client, cast)["items"]) == 5
    make_stale(engine)
    assert client.get(f"/mentors/{cast.mentor.id}/calendar-feeds", headers=cast.as_mentor).json["items"][0][
        "status"
    ] == ("stale")
    found, answer = slots(client, cast, explain="true"), book(client, cast, START + 5 * HOUR)
    # The last copy still counts.
    assert refusal(book(client, cast)) == (409, "slot_taken")
    if rule == "ignore":
        assert (len(found["items"]), found["staleCalendars"], answer.status_code) == (5, [], 201)
        return
    assert (found["items"], found["staleCalendars"]) == ([], [str(cast.mentor.id)])
    assert {each["reason"] for each in found["refused"]} == {"busy"}
    assert refusal(answer) == (409, "slot_taken")
    assert answer.json["details"] == {"calendars": ["cannot be read at present"]}
    with engine.begin() as db:
        factories.read_calendar(db, feed, [])
    assert book(client, cast).status_code == 201


def test_a_calendar_that_was_never_read_is_refused_as_stale(client: ApiClient, cast: Cast, path: str) -> None:
    rules = f"/mentors/{cast.mentor.id}/booking-rules"
    client.put(rules, json={"staleCalendars": "refuse"}, headers=cast.as_mentor)
    assert book(client, cast, START).status_code == 201
    added = client.post(path, json={"url": URL}, headers=cast.as_mentor).json["id"]
    assert book(client, cast, START + 5 * HOUR).json["details"] == {"calendars": ["cannot be read at present"]}
    client.delete(f"{path}/{added}", headers=cast.as_mentor)
    assert book(client, cast, START + 5 * HOUR).status_code == 201


def test_mentors_by_next_free_time_consider_other_calendars(client: ApiClient, cast: Cast, engine: Engine) -> None:
    now = datetime.now(UTC)
    with engine.begin() as db:
        factories.make_listing(db, cast.other_mentor)
        factories.make_calendar_feed(db, cast.mentor, [(now - HOUR, now + 5 * HOUR)])
    found = client.get("/mentors?sort=next", headers=cast.as_mentee).json["items"]
    assert [each["id"] for each in found] == [str(cast.other_mentor.id), str(cast.mentor.id)]
    with engine.begin() as db:
        db.execute(outside_busy.delete())
        factories.make_calendar_feed(db, cast.other_mentor, [(now - HOUR, now + 5 * HOUR)])
    found = client.get("/mentors?sort=next", headers=cast.as_mentee).json["items"]
    assert [each["id"] for each in found] == [str(cast.mentor.id), str(cast.other_mentor.id)]


def test_an_address_is_added_once_under_one_key(world: World, cast: Cast, path: str) -> None:
    headers = cast.as_mentor | {"Idempotency-Key": "one"}
    first, second = (world.client.post(path, json={"url": URL}, headers=headers) for _ in range(2))
    assert (first.status_code, second.json) == (201, first.json)
    assert len(world.client.get(path, headers=cast.as_mentor).json["items"]) == 1


def test_calendars_are_added_so_often_a_day(client: ApiClient, cast: Cast, path: str) -> None:
    body = {"url": "https://calendar.example/ada.ics"}
    for _ in range(FEEDS_PER_DAY):
        added = client.post(path, json=body, headers=cast.as_mentor)
        assert added.status_code == 201
        assert client.delete(f"{path}/{added.json['id']}", headers=cast.as_mentor).status_code == 204
    refused = client.post(path, json=body, headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400 / FEEDS_PER_DAY
