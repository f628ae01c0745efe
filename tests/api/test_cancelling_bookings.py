"""Cancelling at the booking's own address: drafts, and accepted bookings that a product or a credit paid for."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import HOUR, MONDAY, Cast, Tuition, refusal, version_of
from tests.application import ApiResponse, World, as_mentor
from tests.queries import broken_invariants
from workflows.bookings.records import Booking
from workflows.sessions.records import Session, session_query


def cancel(
    tuition: Tuition, booking: dict[str, Any], headers: dict[str, str] | None = None, **body: Any
) -> ApiResponse:
    path = f"/bookings/{booking['id']}/cancel"
    return tuition.client.patch(path, json=body, headers=headers or tuition.cast.as_mentee)


@pytest.fixture
def booked(world: World, tuition: Tuition) -> dict[str, Any]:
    """A booking of an hour that a product paid for, with its session."""
    booking: dict[str, Any] = tuition.book().json
    world.run_session_effects()
    return booking


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_what_a_product_paid_for_is_cancelled_as_its_session(
    engine: Engine, tuition: Tuition, booked: dict[str, Any], method: str
) -> None:
    path, headers = f"/bookings/{booked['id']}/cancel", tuition.cast.as_mentee
    body = {"reason": "Ill", "type": "emergency", "refundRequested": True}
    answer = tuition.client.open(path, method=method, json=body, headers=headers)
    assert answer.status_code == 200
    cancellation = answer.json["cancellation"]
    session = {"id": booked["sessionId"], "status": "cancelled"}
    assert answer.json == booked | {"cancellation": cancellation, "session": session}
    assert (cancellation["cancelledBy"], cancellation["type"], cancellation["reason"]) == ("mentee", "emergency", "Ill")
    assert cancellation["refund"] == {"amount": 5000, "currency": "EUR"}
    session = tuition.client.get(f"/sessions/{booked['sessionId']}", headers=headers).json
    assert session is not None
    assert (session["status"], session["cancellation"]) == ("cancelled", cancellation)
    # Both may be booked again at that time.
    assert tuition.book(taId=booked["mentorProfileId"]).status_code == 202
    assert not broken_invariants(engine)


def test_a_reason_may_be_left_out(tuition: Tuition, booked: dict[str, Any]) -> None:
    answer = tuition.client.patch(f"/bookings/{booked['id']}/cancel", headers=tuition.cast.as_mentee)
    assert (answer.status_code, answer.json["cancellation"]["reason"]) == (200, None)
    # The refund needs no word either.
    assert (answer.json["cancellation"]["type"], answer.json["cancellation"]["refund"]["amount"]) == (
        "client_request",
        5000,
    )


def test_what_is_cancelled_already_is_refused(tuition: Tuition, booked: dict[str, Any]) -> None:
    assert cancel(tuition, booked).status_code == 200
    assert refusal(cancel(tuition, booked)) == (400, "invalid_transition")


def test_a_credit_comes_back_and_can_be_spent_again(engine: Engine, world: World, tuition: Tuition) -> None:
    with engine.begin() as db:
        bundle = factories.make_bundle(db, course=tuition.course, mentee=tuition.cast.mentee, session_count=1)
    pays = {"bundlePurchaseId": str(bundle.id)}
    booking = tuition.book(**pays).json
    assert (booking["price"], booking["productId"]) == ({"amount": 0, "currency": "USD"}, None)
    assert refusal(tuition.book(**pays, startTime=(MONDAY + 3 * HOUR).isoformat())) == (409, "bundle_unusable")
    world.run_session_effects()
    assert cancel(tuition, booking).json["cancellation"]["creditReturned"] is True
    assert tuition.book(**pays).status_code == 202
    assert not broken_invariants(engine)


def test_while_its_session_is_being_created_it_is_pending(tuition: Tuition) -> None:
    booking = tuition.book().json
    answer = cancel(tuition, booking)
    assert (refusal(answer), answer.headers["Retry-After"]) == ((404, "session_pending"), "1")


def test_any_other_accepted_booking_names_its_sessions_address(world: World, cast: Cast, accepted: Booking) -> None:
    for _ in range(2):
        answer = world.client.patch(f"/bookings/{accepted.id}/cancel", headers=cast.as_mentee)
        assert refusal(answer) == (400, "invalid_transition")
        assert answer.json is not None
        assert f"/sessions/{accepted.session_id}/cancel" in answer.json["message"]
        world.run_session_effects()


def test_a_policy_without_cancellation_is_respected(engine: Engine, world: World, tuition: Tuition) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        factories.make_product(db, course)
        factories.make_listing(db, tuition.mentors[0], course_id=course.id, cancellation_window_hours=None)
    booking = tuition.book(courseId=str(course.id)).json
    world.run_session_effects()
    assert refusal(cancel(tuition, booking)) == (409, "not_cancellable")


def test_a_session_in_progress_is_not_cancelled(engine: Engine, tuition: Tuition, booked: dict[str, Any]) -> None:
    with engine.begin() as db:
        session = Session.of(db.execute(session_query(UUID(booked["sessionId"]))).one())
        factories.start_session(db, session)
    assert refusal(cancel(tuition, booked)) == (400, "invalid_transition")


def test_it_is_the_mentees_address_alone(tuition: Tuition, booked: dict[str, Any]) -> None:
    mentor = next(each for each in tuition.mentors if str(each.id) == booked["mentorProfileId"])
    for headers in (as_mentor(mentor), tuition.cast.as_stranger, tuition.cast.as_operator):
        assert refusal(cancel(tuition, booked, headers)) == (403, "forbidden")


def test_a_key_and_a_version_are_respected(tuition: Tuition, booked: dict[str, Any]) -> None:
    headers = tuition.cast.as_mentee
    assert refusal(cancel(tuition, booked, headers | {"If-Match": '"7"'})) == (412, "stale")
    keyed = headers | {"Idempotency-Key": "one", "If-Match": '"1"'}
    first, again = cancel(tuition, booked, keyed), cancel(tuition, booked, keyed)
    assert (first.status_code, again.status_code, again.json) == (200, 200, first.json)


def test_a_draft_has_no_cancellation(world: World, cast: Cast, draft: Booking) -> None:
    answer = world.client.patch(f"/bookings/{draft.id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentee)
    assert answer.json is not None
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert "cancellation" not in answer.json


def group_of(engine: Engine, cast: Cast, *, days: float) -> Booking:
    """A group of two seats, both of which the mentee and a stranger have joined."""
    with engine.begin() as db:
        start = factories.this_hour() + timedelta(days=days)
        people = [cast.mentee, cast.stranger]
        return factories.make_group(db, people, listing=cast.listing, start_time=start, capacity=2)


@pytest.mark.parametrize(("days", "late", "fee"), [(3, False, 0), (0.5, True, 2000)])
def test_a_participant_leaves_a_group(
    engine: Engine, world: World, cast: Cast, days: float, late: bool, fee: int
) -> None:
    group = group_of(engine, cast, days=days)
    path = f"/bookings/{group.id}"
    answer = world.client.patch(f"{path}/cancel", json={"reason": "Ill"}, headers=cast.as_mentee)
    assert answer.json is not None
    assert (answer.status_code, answer.json["status"], answer.json["seatsTaken"]) == (200, "accepted", 1)
    assert answer.json["cancellation"] == {
        "late": late,
        "fee": {"amount": fee, "currency": "USD"},
        "refund": {"amount": 4000 - fee, "currency": "USD"},
        "creditReturned": None,
        "creditValidTo": None,
        "policy": {"windowHours": 24, "lateFeePercent": 50},
    }
    seen = world.client.get(path, headers=cast.as_stranger)
    assert version_of(seen) == version_of(answer)
    # People who have left no longer have to do with it.
    for again in (world.client.get(path, headers=cast.as_mentee), cancel_again(world, cast, path)):
        assert refusal(again) == (403, "forbidden")
    assert not broken_invariants(engine)


def cancel_again(world: World, cast: Cast, path: str) -> ApiResponse:
    return world.client.patch(f"{path}/cancel", headers=cast.as_mentee)


def test_a_groups_mentor_does_not_leave_it(engine: Engine, world: World, cast: Cast) -> None:
    path = f"/bookings/{group_of(engine, cast, days=3).id}/cancel"
    assert refusal(world.client.patch(path, headers=cast.as_mentor)) == (403, "forbidden")
