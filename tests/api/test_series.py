"""Recurring sessions over HTTP: all or nothing or what can be booked, and the end of a series."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, select

from models.bundles import bundle_entries
from models.catalog import BookingMode
from models.events import events
from models.people import users
from tests import factories
from tests.api.conftest import MONDAY, Cast, Tuition, nothing_written, refusal
from tests.api.test_waiting import Worker
from tests.application import ApiClient, ApiResponse, World, as_mentor
from tests.queries import broken_invariants, execute, scalar
from workflows.invariants import check_all
from workflows.sessions.records import Session, session_query

WEEK = timedelta(weeks=1)


def shown(week: int) -> str:
    return (MONDAY + week * WEEK).isoformat().replace("+00:00", "Z")


def weekly(tuition: Tuition, count: int = 4, **fields: Any) -> Any:
    recurrence = {"count": count, **fields.pop("recurrence", {})}
    return tuition.book(**{"timeZone": "UTC", "recurrence": recurrence, **fields})


def take(tuition: Tuition, mentor: int, *weeks: int) -> None:
    """Let another mentee book these weeks' times."""
    for week in weeks:
        answer = tuition.book(
            tuition.cast.as_stranger, taId=str(tuition.mentors[mentor].id), startTime=shown(week), recurrence=None
        )
        assert answer.status_code == 202


def be_away(tuition: Tuition, *weeks_of_mentors: Sequence[int]) -> None:
    """Let each of the mentors take these weeks' times off."""
    for mentor, weeks in zip(tuition.mentors, weeks_of_mentors, strict=True):
        for week in weeks:
            off = {"startTime": shown(week), "endTime": shown(week).replace("09:00", "10:00")}
            taken = tuition.client.post(f"/mentors/{mentor.id}/time-off", json=off, headers=as_mentor(mentor))
            assert taken.status_code == 201


@pytest.mark.parametrize(("limited", "made"), [(1, 4), (3, 3)])
def test_limits_count_in_the_choice_of_a_mentor(tuition: Tuition, limited: int, made: int) -> None:
    others = sorted(tuition.mentors, key=lambda mentor: mentor.id)
    for place, mentor in enumerate(others[:limited]):
        rules, own = f"/mentors/{mentor.id}/booking-rules", as_mentor(mentor)
        assert tuition.client.put(rules, json={"maxPerWeek": 1}, headers=own).status_code == 200
        # Another hour of those weeks: free at the time of the series, and at the limit. The third only in one week.
        for week in range(1, 4 if place < 2 else 2):
            start = (MONDAY + week * WEEK + timedelta(hours=3 + place)).isoformat()
            taken = tuition.book(tuition.cast.as_stranger, taId=str(mentor.id), startTime=start, recurrence=None)
            assert taken.status_code == 202
    answer = weekly(tuition, recurrence={"onConflict": "skip"})
    assert len(answer.json["series"]["made"]) == made
    assert [each["code"] for each in answer.json["series"]["skipped"]] == ["booking_limit"] * (4 - made)


def test_a_series_is_booked_every_week(engine: Engine, tuition: Tuition) -> None:
    answer = weekly(tuition, taId=str(tuition.mentors[0].id))
    first, series = answer.json, answer.json["series"]
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/sessions/{first['sessionId']}")
    assert [each["startTime"] for each in series["made"]] == [shown(week) for week in range(4)]
    assert series["skipped"] == []
    assert series["made"][0] == {
        "startTime": first["startTime"],
        "bookingId": first["id"],
        "sessionId": first["sessionId"],
    }
    assert first["seriesId"] == series["id"]
    for made in series["made"]:
        booking = tuition.client.get(f"/bookings/{made['bookingId']}", headers=tuition.cast.as_mentee).json
        assert booking is not None
        assert (booking["seriesId"], booking["price"]) == (series["id"], {"amount": 5000, "currency": "EUR"})
        assert "series" not in booking
    assert scalar(engine, select(func.count()).where(events.c.type == "booking.accepted")) == 4


def test_the_wall_clock_time_is_that_of_the_zone(tuition: Tuition) -> None:
    asked: dict[str, object] = {"startTime": "2030-10-21T15:00:00Z", "recurrence": {"count": 2}}
    starts: dict[str, list[str]] = {}
    for zone in ("Europe/Berlin", "UTC"):
        answer = tuition.book(**asked, timeZone=zone, taId=str(tuition.mentors[len(starts)].id))
        starts[zone] = [made["startTime"] for made in answer.json["series"]["made"]]
        tuition.client.post(f"/series/{answer.json['seriesId']}/cancel", json={"reason": "x"})
        asked["startTime"] = "2030-10-21T18:00:00Z"
    # The clocks of Berlin are put back on 27 October 2030.
    assert starts["Europe/Berlin"] == ["2030-10-21T15:00:00Z", "2030-10-28T16:00:00Z"]
    assert starts["UTC"] == ["2030-10-21T18:00:00Z", "2030-10-28T18:00:00Z"]


def test_the_zone_is_else_the_mentees_own(engine: Engine, tuition: Tuition) -> None:
    tuition.client.patch("/me", json={"timeZone": "Europe/Berlin"}, headers=tuition.cast.as_mentee)
    execute(engine, users.update().where(users.c.id == tuition.cast.mentee.id).values(time_zone="Europe/Berlin"))
    answer = weekly(tuition, 2, startTime="2030-10-21T15:00:00Z", timeZone=None)
    assert [made["startTime"] for made in answer.json["series"]["made"]][1] == "2030-10-28T16:00:00Z"


def test_until_a_date(tuition: Tuition) -> None:
    answer = tuition.book(timeZone="UTC", recurrence={"until": "2030-05-27", "everyWeeks": 2})
    assert [made["startTime"] for made in answer.json["series"]["made"]] == [shown(0), shown(2)]


def test_one_conflict_fails_the_whole_series(engine: Engine, tuition: Tuition) -> None:
    take(tuition, 0, 1, 3)
    with nothing_written(engine):
        answer = weekly(tuition, taId=str(tuition.mentors[0].id))
        assert refusal(answer) == (409, "slot_taken")
        assert answer.json["details"] == {"occurrences": [shown(1), shown(3)]}


def test_conflicts_are_skipped_and_reported(tuition: Tuition) -> None:
    take(tuition, 0, 0, 2)
    answer = weekly(tuition, taId=str(tuition.mentors[0].id), recurrence={"onConflict": "skip"})
    series = answer.json["series"]
    assert (answer.status_code, answer.json["startTime"]) == (202, shown(1))
    assert [made["startTime"] for made in series["made"]] == [shown(1), shown(3)]
    assert [(each["startTime"], each["code"]) for each in series["skipped"]] == [
        (shown(0), "slot_taken"),
        (shown(2), "slot_taken"),
    ]
    assert all(each["message"].startswith("The mentor is already booked") for each in series["skipped"])


def test_where_all_is_skipped_nothing_is_made(engine: Engine, tuition: Tuition) -> None:
    take(tuition, 0, 0, 1)
    with nothing_written(engine):
        answer = weekly(tuition, 2, taId=str(tuition.mentors[0].id), recurrence={"onConflict": "skip"})
        assert (refusal(answer), answer.json["details"]) == ((409, "slot_taken"), {"occurrences": [shown(0), shown(1)]})


@pytest.mark.parametrize("on_conflict", ["fail", "skip"])
def test_a_time_that_the_clocks_skip(tuition: Tuition, on_conflict: str) -> None:
    answer = tuition.book(
        startTime="2030-03-24T01:30:00Z",
        timeZone="Europe/Berlin",
        recurrence={"count": 3, "onConflict": on_conflict},
    )
    if on_conflict == "fail":
        assert refusal(answer) == (409, "no_such_time")
        assert answer.json["details"] == {"occurrences": ["2030-03-31T01:30:00Z"]}
    else:
        (skipped,) = answer.json["series"]["skipped"]
        assert (skipped["startTime"], skipped["code"]) == ("2030-03-31T01:30:00Z", "no_such_time")
        assert len(answer.json["series"]["made"]) == 2


def test_one_mentor_is_chosen_for_the_whole_series(tuition: Tuition) -> None:
    take(tuition, 0, 3)
    answer = weekly(tuition)
    # The first is taken in the last week; of the others, the smaller id.
    assert answer.json["mentorProfileId"] == str(tuition.mentors[1].id)
    for made in answer.json["series"]["made"]:
        booking = tuition.client.get(f"/bookings/{made['bookingId']}", headers=tuition.cast.as_mentee).json
        assert booking is not None
        assert booking["mentorProfileId"] == str(tuition.mentors[1].id)


def test_no_mentor_is_free_at_all_times(engine: Engine, tuition: Tuition) -> None:
    take(tuition, 0, 0, 1)
    take(tuition, 1, 2)
    take(tuition, 2, 3)
    with nothing_written(engine):
        answer = weekly(tuition)
        assert refusal(answer) == (409, "no_mentor_free")
        # Those of the mentor who could take the most.
        assert len(answer.json["details"]["occurrences"]) == 1
    skipping = weekly(tuition, recurrence={"onConflict": "skip"})
    assert skipping.json["mentorProfileId"] in {str(mentor.id) for mentor in tuition.mentors[1:]}
    assert len(skipping.json["series"]["made"]) == 3


def test_a_refusal_names_the_times_of_the_mentor_who_has_most(tuition: Tuition) -> None:
    be_away(tuition, (0, 1), (2,), (1, 3))
    answer = weekly(tuition)
    assert refusal(answer) == (409, "no_mentor_free")
    assert answer.json["details"]["occurrences"] == [shown(2)]


def test_the_mentees_own_conflict_ends_the_choice(tuition: Tuition) -> None:
    assert tuition.book(taId=str(tuition.mentors[2].id), startTime=shown(1)).status_code == 202
    answer = weekly(tuition)
    assert refusal(answer) == (409, "slot_taken")
    assert set(answer.json["details"]) == {"mentee", "occurrences"}
    assert answer.json["details"]["occurrences"] == [shown(1)]
    skipping = weekly(tuition, recurrence={"onConflict": "skip"})
    assert [each["code"] for each in skipping.json["series"]["skipped"]] == ["slot_taken"]


def test_another_mentor_is_tried_where_the_mentee_is_busy(tuition: Tuition) -> None:
    _first, second, third = tuition.mentors
    # The first is free in the last two weeks, in which the mentee is not; the second in the first week alone.
    for week in (2, 3):
        assert tuition.book(taId=str(third.id), startTime=shown(week)).status_code == 202
    be_away(tuition, (0, 1), (1, 2, 3), (0, 1))
    answer = weekly(tuition, recurrence={"onConflict": "skip"})
    assert [made["startTime"] for made in answer.json["series"]["made"]] == [shown(0)]
    assert answer.json["mentorProfileId"] == str(second.id)


def test_a_series_that_ends_too_far_ahead_is_refused(engine: Engine, tuition: Tuition) -> None:
    with nothing_written(engine):
        answer = weekly(tuition, 52, recurrence={"everyWeeks": 52, "onConflict": "skip"})
        assert refusal(answer) == (409, "beyond_horizon")


def test_each_occurrence_spends_a_credit(engine: Engine, tuition: Tuition) -> None:
    with engine.begin() as db:
        bundle = factories.make_bundle(db, course=tuition.course, mentee=tuition.cast.mentee, session_count=3)
    pays = {"bundlePurchaseId": str(bundle.id)}
    with nothing_written(engine):
        too_many = weekly(tuition, 5, **pays)
        assert refusal(too_many) == (409, "bundle_unusable")
        assert too_many.json["details"] == {"bundlePurchaseId": ["empty"], "occurrences": [shown(3), shown(4)]}
    answer = weekly(tuition, 5, **pays, recurrence={"onConflict": "skip"})
    assert [each["code"] for each in answer.json["series"]["skipped"]] == ["bundle_unusable"] * 2
    assert (answer.json["price"]["amount"], answer.json["bundlePurchaseId"]) == (0, str(bundle.id))
    with engine.connect() as db:
        spent = select(func.count()).where(bundle_entries.c.kind == "spend")
        assert db.scalar(spent) == 3
        assert db.scalar(select(func.count()).where(events.c.type == "bundle.exhausted")) == 1


def test_who_waits_gets_the_first_session_and_the_series(world: World, tuition: Tuition) -> None:
    waiting = tuition.cast.as_mentee | {"Prefer": "wait=5", "Idempotency-Key": "one"}
    with Worker(world):
        answer, replayed = (tuition.book(waiting, recurrence={"count": 3}) for _ in range(2))
    assert (answer.status_code, set(answer.json)) == (201, {"booking", "session", "series"})
    assert "series" not in answer.json["booking"]
    assert answer.json["session"]["id"] == answer.json["series"]["made"][0]["sessionId"]
    assert replayed.json["series"] == answer.json["series"]


@pytest.fixture
def series(world: World, tuition: Tuition) -> dict[str, Any]:
    """A series of four with the first mentor, whose sessions are scheduled."""
    booked: dict[str, Any] = weekly(tuition, taId=str(tuition.mentors[0].id)).json["series"]
    world.run_session_effects()
    return booked


def end(tuition: Tuition, series: dict[str, Any], headers: dict[str, str] | None = None, /, **body: Any) -> ApiResponse:
    body = {"reason": "I have moved.", **body}
    return tuition.client.post(f"/series/{series['id']}/cancel", json=body, headers=headers or tuition.cast.as_mentee)


def ids(series: dict[str, Any]) -> list[str]:
    return [made["bookingId"] for made in series["made"]]


def test_this_and_following_are_cancelled(engine: Engine, tuition: Tuition, series: dict[str, Any]) -> None:
    answer = end(tuition, series, **{"from": shown(2)}, refundRequested=True, type="emergency")
    assert (answer.status_code, answer.json) == (200, {"cancelled": ids(series)[2:], "kept": []})
    path = f"/sessions/{series['made'][3]['sessionId']}"
    session = tuition.client.get(path, headers=tuition.cast.as_mentee).json
    assert session is not None
    cancellation = session["cancellation"]
    assert (session["status"], cancellation["cancelledBy"], cancellation["type"]) == (
        "cancelled",
        "mentee",
        "emergency",
    )
    assert (cancellation["reason"], cancellation["refund"]) == ("I have moved.", {"amount": 5000, "currency": "EUR"})
    # Free times can be booked again; the second time, only the rest is left to cancel.
    take(tuition, 0, 2)
    assert end(tuition, series).json == {"cancelled": ids(series)[:2], "kept": []}
    assert end(tuition, series).json == {"cancelled": [], "kept": []}
    assert not broken_invariants(engine)


@pytest.mark.parametrize("who", ["mentor", "operator"])
def test_mentor_and_operator_cancel_a_series_too(tuition: Tuition, series: dict[str, Any], who: str) -> None:
    headers = {"mentor": as_mentor(tuition.mentors[0]), "operator": tuition.cast.as_operator}[who]
    assert end(tuition, series, headers).json == {"cancelled": ids(series), "kept": []}


def test_what_cannot_be_cancelled_is_kept_with_its_code(
    engine: Engine, tuition: Tuition, series: dict[str, Any]
) -> None:
    started, done = (series["made"][number]["sessionId"] for number in (0, 1))
    with engine.begin() as db:
        for session_id in (started, done):
            session = Session.of(db.execute(session_query(UUID(session_id))).one())
            factories.start_session(db, session)
        factories.complete_session(db, Session.of(db.execute(session_query(UUID(done))).one()))
    answer = end(tuition, series)
    assert answer.json == {
        "cancelled": ids(series)[2:],
        "kept": [{"bookingId": booking, "code": "invalid_transition"} for booking in ids(series)[:2]],
    }


def test_sessions_that_are_still_being_created_are_kept(tuition: Tuition) -> None:
    booked = weekly(tuition, 2).json["series"]
    answer = end(tuition, booked)
    assert answer.json["kept"] == [{"bookingId": booking, "code": "session_pending"} for booking in ids(booked)]


def test_a_policy_without_cancellation_keeps_all(engine: Engine, world: World, tuition: Tuition) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_product(db, course)
        factories.make_listing(db, tuition.mentors[0], course_id=course.id, cancellation_window_hours=None)
    booked = weekly(tuition, 2, courseId=str(course.id)).json["series"]
    world.run_session_effects()
    assert {kept["code"] for kept in end(tuition, booked).json["kept"]} == {"not_cancellable"}
    assert end(tuition, booked, as_mentor(tuition.mentors[0])).json["cancelled"] == ids(booked)


def test_a_credit_of_each_cancelled_session_comes_back(engine: Engine, world: World, tuition: Tuition) -> None:
    with engine.begin() as db:
        bundle = factories.make_bundle(db, course=tuition.course, mentee=tuition.cast.mentee, session_count=3)
    booked = weekly(tuition, 3, bundlePurchaseId=str(bundle.id)).json["series"]
    world.run_session_effects()
    assert end(tuition, booked, **{"from": shown(1)}).json["cancelled"] == ids(booked)[1:]
    with engine.connect() as db:
        returned = select(func.count()).where(bundle_entries.c.kind == "give_back")
        assert db.scalar(returned) == 2
        assert not [found for found in check_all(db) if found.violations]


def test_a_series_is_its_parties_own(tuition: Tuition, series: dict[str, Any]) -> None:
    for headers in (tuition.cast.as_stranger, as_mentor(tuition.mentors[1])):
        assert refusal(end(tuition, series, headers)) == (403, "forbidden")
    assert refusal(end(tuition, {"id": uuid4()})) == (404, "not_found")
    assert refusal(end(tuition, {"id": "no-id"})) == (404, "not_found")
    assert refusal(end(tuition, series, reason=None)) == (400, "invalid_request")
    assert refusal(end(tuition, series, reason=" ")) == (400, "invalid_request")


def directly(client: ApiClient, cast: Cast, **fields: Any) -> ApiResponse:
    """A request for three weekly sessions with the cast's mentor."""
    body = {"mentorProfileId": str(cast.mentor.id), "scheduledAt": shown(0), "durationMinutes": 60, "title": "Growing"}
    body |= {"recurrence": {"count": 3}, "timeZone": "UTC", **fields}
    return client.post("/sessions/book", json=body, headers=cast.as_mentee)


def test_a_direct_booking_of_an_instant_listing_recurs(engine: Engine, world: World, cast: Cast) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, booking_mode=BookingMode.INSTANT, price_amount=1)
        factories.make_booking(db, listing=listing, start_time=MONDAY + WEEK)
    refused = directly(world.client, cast)
    assert (refusal(refused), refused.json["details"]) == ((409, "slot_taken"), {"occurrences": [shown(1)]})
    answer = directly(world.client, cast, recurrence={"count": 3, "onConflict": "skip"})
    assert (answer.status_code, set(answer.json)) == (202, {"booking", "session", "series"})
    assert answer.headers["Location"] == f"/sessions/{answer.json['series']['made'][0]['sessionId']}"
    assert [made["startTime"] for made in answer.json["series"]["made"]] == [shown(0), shown(2)]
    assert [each["code"] for each in answer.json["series"]["skipped"]] == ["slot_taken"]
    assert scalar(engine, select(func.count()).where(events.c.type == "booking.accepted")) == 1 + 2


def test_a_series_of_requests_is_decided_and_withdrawn_one_by_one(world: World, cast: Cast) -> None:
    client = world.client
    answer = directly(client, cast, scheduledAt="2030-05-06T09:00")
    assert (answer.status_code, answer.json["session"], answer.json["booking"]["status"]) == (201, None, "draft")
    series = answer.json["series"]
    assert [made["sessionId"] for made in series["made"]] == [None] * 3
    first, *others = ids(series)
    assert client.post(f"/bookings/{first}/accept", headers=cast.as_mentor).status_code == 202
    world.run_session_effects()
    path, body = f"/series/{series['id']}/cancel", {"reason": "Moved"}
    by_operator = client.post(path, json=body | {"from": shown(1)}, headers=cast.as_operator)
    assert by_operator.json == {
        "cancelled": [],
        "kept": [{"bookingId": booking, "code": "forbidden"} for booking in others],
    }
    assert client.post(path, json=body, headers=cast.as_mentee).json == {"cancelled": [first, *others], "kept": []}
    statuses = [client.get(f"/bookings/{booking}", headers=cast.as_mentee).json["status"] for booking in others]
    assert statuses == ["cancelled"] * 2


def test_a_mentor_declines_the_drafts_of_a_series(client: ApiClient, cast: Cast) -> None:
    series = directly(client, cast).json["series"]
    answer = client.post(f"/series/{series['id']}/cancel", json={"reason": "Away"}, headers=cast.as_mentor)
    assert answer.json == {"cancelled": ids(series), "kept": []}
    booking = client.get(f"/bookings/{ids(series)[0]}", headers=cast.as_mentee).json
    assert booking is not None
    assert (booking["status"], booking["declineReason"]) == ("declined", "Away")
