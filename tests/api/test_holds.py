"""Holds over HTTP: who gets a time, for how long, and what ends it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select, text, update

from models.calendar import person_busy
from models.catalog import ProductKind
from models.payments import PaymentMode
from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiClient, World
from tests.queries import execute
from workflows.bookings.holds import delete_expired_holds

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
START = factories.this_hour() + timedelta(days=3)
NOON = START.replace(hour=12)


@pytest.fixture
def path(cast: Cast) -> str:
    return f"/mentors/{cast.mentor.id}/holds"


def wanted(start: datetime = START, minutes: int = 60, **fields: Any) -> dict[str, Any]:
    return {"startTime": start.isoformat(), "durationMinutes": minutes, **fields}


def instant(client: ApiClient, cast: Cast, **changes: Any) -> None:
    changes["bookingMode"] = "instant"
    client.patch(f"/listings/{cast.listing.id}", json=changes, headers=cast.as_mentor)


def test_a_hold_keeps_the_time_for_five_minutes(client: ApiClient, cast: Cast, path: str) -> None:
    instant(client, cast)
    said = client.post(path, json=wanted(), headers=cast.as_mentee)
    assert said.status_code == 201
    held = dict(said.json)
    expires, created = (datetime.fromisoformat(held.pop(name)) for name in ("expiresAt", "createdAt"))
    assert held == {
        "id": held["id"],
        "mentorProfileId": str(cast.mentor.id),
        "startTime": START.isoformat().replace("+00:00", "Z"),
        "endTime": (START + HOUR).isoformat().replace("+00:00", "Z"),
    }
    assert timedelta(minutes=4) < expires - datetime.now(UTC) <= timedelta(minutes=5)
    assert expires - created == timedelta(minutes=5)
    overlapping = cast.body(startTime=(START + 59 * MINUTE).isoformat())
    refused = client.post("/bookings", json=overlapping, headers=cast.as_stranger)
    assert (refused.status_code, refused.json["code"]) == (409, "slot_taken")
    other = client.post(path, json=wanted(START - 59 * MINUTE), headers=cast.as_stranger)
    assert (other.status_code, other.json["code"]) == (409, "slot_taken")
    assert client.post(path, json=wanted(START + HOUR), headers=cast.as_stranger).status_code == 201


def test_the_holders_booking_consumes_the_hold(client: ApiClient, cast: Cast, path: str, engine: Engine) -> None:
    instant(client, cast)
    held = client.post(path, json=wanted(), headers=cast.as_mentee).json["id"]
    body = cast.body(startTime=(START + 30 * MINUTE).isoformat())
    assert client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 202
    assert [row.hold_id for row in execute(engine, select(person_busy))] == [None, None]
    assert client.delete(f"/holds/{held}", headers=cast.as_mentee).status_code == 404


def test_an_accepted_request_of_the_holder_consumes_it(client: ApiClient, cast: Cast, path: str) -> None:
    client.post(path, json=wanted(), headers=cast.as_mentee)
    body = cast.body(startTime=START.isoformat())
    people = (cast.as_stranger, cast.as_mentee)
    drafts = [client.post("/bookings", json=body, headers=headers).json["id"] for headers in people]
    rival, own = (client.patch(f"/bookings/{draft}/accept", headers=cast.as_mentor) for draft in drafts)
    assert (rival.status_code, rival.json["code"], own.status_code) == (409, "slot_taken", 202)


def test_a_hold_blocks_the_buffers_of_the_listing(client: ApiClient, cast: Cast, path: str) -> None:
    instant(client, cast, bufferBeforeMinutes=15, bufferMinutes=30)
    client.post(path, json=wanted(), headers=cast.as_mentee)
    codes = {
        offset: client.post(path, json=wanted(START + offset * MINUTE), headers=cast.as_stranger).status_code
        for offset in (-104, -105, 104, 105)
    }
    assert codes == {-104: 409, -105: 201, 104: 409, 105: 201}


def test_an_expired_hold_gives_way(client: ApiClient, cast: Cast, path: str, engine: Engine) -> None:
    held = client.post(path, json=wanted(), headers=cast.as_mentee).json["id"]
    execute(engine, update(person_busy).values(expires_at=text("now()")))
    assert client.delete(f"/holds/{held}", headers=cast.as_mentee).status_code == 404
    assert client.post(path, json=wanted(), headers=cast.as_stranger).status_code == 201


def test_expired_holds_are_deleted_in_time(client: ApiClient, cast: Cast, path: str, engine: Engine) -> None:
    for number in range(2):
        client.post(path, json=wanted(START + number * HOUR), headers=cast.as_mentee)
    with engine.begin() as db:
        first = select(person_busy.c.id).order_by(person_busy.c.id).limit(1).scalar_subquery()
        db.execute(update(person_busy).where(person_busy.c.id == first).values(expires_at=text("now()")))
        assert delete_expired_holds(db) is False
        assert len(db.execute(select(person_busy)).all()) == 1


def test_the_fourth_hold_of_a_mentee_is_refused(client: ApiClient, cast: Cast, path: str, engine: Engine) -> None:
    times = [START + number * HOUR for number in range(4)]
    answers = [client.post(path, json=wanted(start), headers=cast.as_mentee) for start in times]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409]
    assert answers[3].json["code"] == "booking_limit"
    # An own hold that overlaps is replaced, and released ones count no more.
    assert client.post(path, json=wanted(START + 30 * MINUTE), headers=cast.as_mentee).status_code == 201
    assert len(execute(engine, select(person_busy)).all()) == 2
    assert client.post(path, json=wanted(times[3]), headers=cast.as_mentee).status_code == 201


def test_only_its_holder_releases_a_hold(client: ApiClient, cast: Cast, path: str) -> None:
    held = client.post(path, json=wanted(), headers=cast.as_mentee).json["id"]
    for headers in (cast.as_stranger, cast.as_mentor, cast.as_operator):
        assert client.delete(f"/holds/{held}", headers=headers).status_code == 403
    assert client.delete(f"/holds/{held}", headers=cast.as_mentee).status_code == 204
    assert client.delete(f"/holds/{held}", headers=cast.as_mentee).status_code == 404
    assert client.post(path, json=wanted(), headers=cast.as_stranger).status_code == 201


def test_the_rules_of_a_booking_apply(client: ApiClient, cast: Cast, path: str) -> None:
    def code(start: datetime = START, minutes: int = 60) -> str:
        return str(client.post(path, json=wanted(start, minutes), headers=cast.as_mentee).json["code"])

    assert code(minutes=45) == "no_listing"
    assert code(START - timedelta(days=9)) == "invalid_request"
    client.put(f"/mentors/{cast.mentor.id}/booking-rules", json={"horizonDays": 1}, headers=cast.as_mentor)
    assert code() == "beyond_horizon"
    client.put(f"/mentors/{cast.mentor.id}/booking-rules", json={}, headers=cast.as_mentor)
    instant(client, cast, minNoticeMinutes=7 * 1440)
    assert code() == "too_soon"
    instant(client, cast, minNoticeMinutes=0)
    for day in (START - timedelta(days=1), START, START + timedelta(days=1)):
        client.put(f"/mentors/{cast.mentor.id}/dates/{day.date()}", json={"hours": []}, headers=cast.as_mentor)
    assert code() == "outside_hours"


def test_a_hold_is_refused_while_the_mentee_is_busy_elsewhere(
    world: World, cast: Cast, path: str, engine: Engine
) -> None:
    with engine.begin() as db:
        elsewhere = factories.make_booking(db, mentee=cast.mentee, start_time=START)
        factories.accept_booking(db, elsewhere)
    refused = world.client.post(path, json=wanted(START + 59 * MINUTE), headers=cast.as_mentee)
    assert (refused.status_code, refused.json["code"]) == (409, "slot_taken")
    assert "mentee" in refused.json["details"]
    assert world.client.post(path, json=wanted(START + HOUR), headers=cast.as_mentee).status_code == 201
    allowing = World.on(engine, mentee_overlap=True)
    assert allowing.client.post(path, json=wanted(), headers=cast.as_mentee).status_code == 201


@pytest.mark.parametrize("rule", ["maxPerDay", "maxPerWeek", "maxPerMenteePerDay", "maxPerMenteePerWeek"])
def test_a_hold_is_refused_beyond_the_mentors_limits(client: ApiClient, cast: Cast, path: str, rule: str) -> None:
    instant(client, cast)
    rules = f"/mentors/{cast.mentor.id}/booking-rules"
    assert client.put(rules, json={rule: 1}, headers=cast.as_mentor).status_code == 200
    body = cast.body(startTime=NOON.isoformat())
    assert client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 202
    refused = client.post(path, json=wanted(NOON + 2 * HOUR), headers=cast.as_mentee)
    assert (refused.status_code, refused.json["code"]) == (409, "booking_limit")
    assert client.post(path, json=wanted(NOON + timedelta(days=7)), headers=cast.as_mentee).status_code == 201


def test_times_that_others_hold_count_towards_the_limits(client: ApiClient, cast: Cast, path: str) -> None:
    instant(client, cast)
    rules = f"/mentors/{cast.mentor.id}/booking-rules"
    assert client.put(rules, json={"maxPerDay": 1}, headers=cast.as_mentor).status_code == 200
    held = client.post(path, json=wanted(NOON), headers=cast.as_mentee)
    # Else the holder's booking could be refused, for one that came between.
    later = wanted(NOON + 2 * HOUR)
    booking = cast.body(startTime=later["startTime"])
    for route, body in ((path, later), ("/bookings", booking)):
        refused = client.post(route, json=body, headers=cast.as_stranger)
        assert (refused.status_code, refused.json["code"]) == (409, "booking_limit")
    day = {"from": NOON.isoformat(), "to": (NOON + 4 * HOUR).isoformat()}
    slots = f"/mentors/{cast.mentor.id}/slots"
    assert client.get(slots, query_string=day, headers=cast.as_stranger).json["items"] == []
    assert client.get(slots, query_string=day, headers=cast.as_mentee).json["items"]
    # The holder may hold or book another time of that day.
    assert client.post(path, json=later, headers=cast.as_mentee).status_code == 201
    assert client.delete(f"/holds/{held.json['id']}", headers=cast.as_mentee).status_code == 204
    assert client.post("/bookings", json=booking, headers=cast.as_mentee).status_code == 202


def test_a_request_waits_for_the_mentor_whatever_others_hold(client: ApiClient, cast: Cast, path: str) -> None:
    rules = f"/mentors/{cast.mentor.id}/booking-rules"
    assert client.put(rules, json={"maxPerDay": 1}, headers=cast.as_mentor).status_code == 200
    assert client.post(path, json=wanted(NOON), headers=cast.as_stranger).status_code == 201
    body = cast.body(startTime=(NOON + 2 * HOUR).isoformat())
    assert client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 201


def test_a_hold_is_refused_where_no_further_request_may_be_made(engine: Engine, cast: Cast, path: str) -> None:
    client = World.on(engine, max_open_drafts_per_mentor=1).client
    body = cast.body(startTime=START.isoformat())
    assert client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 201
    refused = client.post(path, json=wanted(START + 2 * HOUR), headers=cast.as_mentee)
    assert (refused.status_code, refused.json["code"]) == (409, "booking_limit")
    # An instant booking is no request.
    instant(client, cast)
    assert client.post(path, json=wanted(START + 2 * HOUR), headers=cast.as_mentee).status_code == 201


def test_own_and_unknown_mentors_times_cannot_be_held(client: ApiClient, cast: Cast, path: str) -> None:
    own = client.post(path, json=wanted(), headers=cast.as_mentor)
    assert (own.status_code, own.json["code"]) == (400, "invalid_request")
    assert client.post(path, json=wanted(), headers=cast.as_operator).status_code == 403
    for mentor in (uuid4(), "grace"):
        assert client.post(f"/mentors/{mentor}/holds", json=wanted(), headers=cast.as_mentee).status_code == 404


def test_a_hold_is_taken_once_per_key(world: World, cast: Cast, path: str) -> None:
    headers = cast.as_mentee | {"Idempotency-Key": "once"}
    first, again = (world.client.post(path, json=wanted(), headers=headers) for _ in range(2))
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")


def test_a_bundle_that_awaits_its_payment_books_nothing_at_once(engine: Engine, cast: Cast, path: str) -> None:
    client = World.on(engine, max_open_drafts_per_mentor=1).client
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_listing(db, cast.mentor, course_id=course.id, duration_minutes=45)
        factories.make_bundle(db, course=course, mentee=cast.mentee, payment_mode=PaymentMode.BEFORE)
    body = cast.body(startTime=START.isoformat())
    assert client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 201
    refused = client.post(path, json=wanted(START + 2 * HOUR, 45), headers=cast.as_mentee)
    assert (refused.status_code, refused.json["code"]) == (409, "booking_limit")


@pytest.mark.parametrize("kind", [None, *ProductKind])
def test_a_time_that_can_be_booked_at_once_is_held_whatever_is_requested(
    engine: Engine, cast: Cast, path: str, kind: ProductKind | None
) -> None:
    client = World.on(engine, max_open_drafts_per_mentor=1).client
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_listing(db, cast.mentor, course_id=course.id, duration_minutes=45)
        if kind is ProductKind.BUNDLE:
            factories.make_bundle(db, course=course, mentee=cast.mentee)
        elif kind is not None:
            factories.make_product(db, course, kind)
    body = cast.body(startTime=START.isoformat())
    assert client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 201
    later = START + 2 * HOUR
    answer = client.post(path, json=wanted(later, 45), headers=cast.as_mentee)
    individual = {"courseId": str(course.id), "mentorProfileId": str(cast.mentor.id), "durationMinutes": 45}
    individual |= {"startTime": later.isoformat()}
    if kind is ProductKind.BUNDLE:
        (bundle,) = client.get("/bundles", headers=cast.as_mentee).json["items"]
        individual |= {"bundlePurchaseId": bundle["id"]}
    booked = client.post("/bookings/individual", json=individual, headers=cast.as_mentee)
    at_once = kind in (ProductKind.BUNDLE, ProductKind.SINGLE)
    assert (answer.status_code, booked.status_code) == ((201, 202) if at_once else (409, 400))


def test_a_hold_fixes_the_price_and_the_terms_of_its_listing(client: ApiClient, cast: Cast, path: str) -> None:
    instant(client, cast, price={"amount": 4000, "currency": "USD"})
    held = client.post(path, json=wanted(listingId=str(cast.listing.id)), headers=cast.as_mentee)
    assert held.status_code == 201
    changes = {"price": {"amount": 9000, "currency": "USD"}, "cancellation": None, "minNoticeMinutes": 30 * 1440}
    instant(client, cast, **changes, payment="before")
    body = cast.body(startTime=START.isoformat())
    stranger = client.post("/bookings", json=body, headers=cast.as_stranger)
    assert (stranger.status_code, stranger.json["code"]) == (409, "too_soon")
    other = client.post("/bookings", json=body, headers=cast.as_mentee | {"Idempotency-Key": "a"})
    assert (other.status_code, other.json["status"]) == (202, "accepted"), other.json
    assert other.json["price"] == {"amount": 4000, "currency": "USD"}
    assert other.json["payment"] is None


@pytest.mark.parametrize("end", ["released", "expired", "another listing"])
def test_after_a_hold_the_present_terms_hold(
    client: ApiClient, cast: Cast, path: str, engine: Engine, end: str
) -> None:
    instant(client, cast, price={"amount": 4000, "currency": "USD"})
    with engine.begin() as db:
        other = factories.make_listing(db, cast.mentor, duration_minutes=60, price_amount=5000)
    listing = other.id if end == "another listing" else cast.listing.id
    held = client.post(path, json=wanted(listingId=str(listing)), headers=cast.as_mentee).json["id"]
    if end == "released":
        assert client.delete(f"/holds/{held}", headers=cast.as_mentee).status_code == 204
    if end == "expired":
        execute(engine, update(person_busy).values(expires_at=text("now()")))
    instant(client, cast, price={"amount": 9000, "currency": "USD"})
    booked = client.post("/bookings", json=cast.body(startTime=START.isoformat()), headers=cast.as_mentee)
    assert (booked.status_code, booked.json["price"]["amount"]) == (202, 9000), booked.json


def test_a_held_time_is_not_too_soon_for_a_course_either(
    client: ApiClient, cast: Cast, path: str, engine: Engine
) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        listing = factories.make_listing(db, cast.mentor, course_id=course.id, duration_minutes=60)
        factories.make_product(db, course, ProductKind.SINGLE)
    held = client.post(path, json=wanted(listingId=str(listing.id)), headers=cast.as_mentee)
    assert held.status_code == 201, held.json
    changed = client.patch(f"/listings/{listing.id}", json={"minNoticeMinutes": 30 * 1440}, headers=cast.as_mentor)
    assert changed.status_code == 200
    asked = {"courseId": str(course.id), "taId": str(cast.mentor.id), "startTime": START.isoformat()}
    refused, booked = (
        client.post("/bookings/individual", json={**asked, "durationMinutes": 60}, headers=headers)
        for headers in (cast.as_stranger, cast.as_mentee)
    )
    assert (refused.status_code, refused.json["code"]) == (409, "too_soon")
    assert booked.status_code == 202, booked.json
