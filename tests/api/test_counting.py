"""What a request adds to the figures: a route's rule, a status, a code, a step; and nothing that grows with callers."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import g
from sqlalchemy.exc import OperationalError

from api import database as api_database
from tests.api.conftest import Cast
from tests.application import World
from tests.scraping import Figures
from workflows.bookings.records import Booking
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.sessions.records import Session

REQUESTS, TIMES = "tutelage_http_requests_total", "tutelage_http_request_duration_seconds_count"


def test_a_request_is_counted_by_its_rule_whatever_its_path(world: World, cast: Cast, draft: Booking) -> None:
    before = Figures.here()
    for path in (f"/bookings/{draft.id}", f"/api/bookings/{draft.id}", f"/bookings/{uuid4()}", "/bookings/no-id"):
        world.client.get(path, headers=cast.as_mentee)
    grown = Figures.here().since(before)
    of_route = {"method": "GET", "route": "/bookings/<id:booking_id>"}
    assert grown.total(REQUESTS, **of_route, status="200") == 2
    assert grown.total(REQUESTS, **of_route, status="404") == 2
    assert grown.total(TIMES, **of_route) == 4
    assert grown.total("tutelage_refusals_total", code="not_found") == 2


def test_addresses_and_methods_that_callers_make_up_are_counted_together(world: World) -> None:
    before = Figures.here()
    for number in range(5):
        world.client.get(f"/nowhere/{number}")
        world.client.open("/bookings", method=f"BREW{number}")
    after = Figures.here()
    grown = after.since(before)
    assert grown.total(REQUESTS, method="GET", route="none", status="404") == 5
    assert grown.total(REQUESTS, method="other", status="405") == 5
    assert not any("BREW" in value or "nowhere" in value for value in after.values("method") | after.values("route"))


def test_refused_accesses_are_counted_by_their_code(world: World, cast: Cast, draft: Booking) -> None:
    before = Figures.here()
    world.client.get("/me")
    world.client.get(f"/bookings/{draft.id}", headers=cast.as_stranger)
    world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentee)
    grown = Figures.here().since(before)
    assert grown.total("tutelage_refusals_total", code="unauthenticated") == 1
    assert grown.total("tutelage_refusals_total", code="forbidden") == 2


def test_steps_are_counted_when_they_are_made_and_when_they_are_refused(
    world: World, cast: Cast, draft: Booking, scheduled: Session
) -> None:
    before = Figures.here()
    for _ in range(3):
        world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor)
    world.client.patch(f"/bookings/{draft.id}/decline", headers=cast.as_mentor)
    world.client.patch(f"/sessions/{scheduled.id}/complete", headers=cast.as_mentor)
    world.client.patch(f"/sessions/{scheduled.id}/start", headers=cast.as_mentor)
    grown = Figures.here().since(before)
    made, refused = "tutelage_transitions_total", "tutelage_refused_transitions_total"
    assert grown.total(made) == 2
    assert grown.total(made, machine="booking", **{"from": "draft"}, to="accepted") == 1
    assert grown.total(made, machine="session", **{"from": "scheduled"}, to="in_progress") == 1
    assert grown.total(refused) == 4
    assert grown.total(refused, machine="booking", **{"from": "accepted"}, to="accepted") == 2
    assert grown.total(refused, machine="booking", **{"from": "accepted"}, to="declined") == 1
    assert grown.total(refused, machine="session", **{"from": "scheduled"}, to="completed") == 1


def test_what_was_rolled_back_has_not_happened(world: World, cast: Cast, draft: Booking) -> None:
    before = Figures.here()
    world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor | {"If-Match": '"7"'})
    assert Figures.here().since(before).total("tutelage_events_total") == 0


def test_an_instant_listing_s_booking_begins_as_accepted(world: World, cast: Cast) -> None:
    world.client.patch(f"/listings/{cast.listing.id}", json={"bookingMode": "instant"}, headers=cast.as_mentor)
    before = Figures.here()
    assert world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee).status_code == 202
    world.run_session_effects()
    grown = Figures.here().since(before)
    assert grown.total("tutelage_transitions_total", **{"from": "none"}, to="accepted") == 1
    assert grown.total("tutelage_transitions_total", **{"from": "none"}, to="scheduled") == 1
    assert grown.total("tutelage_sessions_created_total") == 1
    recorded = {
        "booking.accepted": 1,
        "session.created": 1,
        "session.reminder_set": len(DEFAULT_POLICY.reminder_minutes),
    }
    assert {type: grown.total("tutelage_events_total", type=type) for type in recorded} == recorded
    assert grown.total("tutelage_events_total") == sum(recorded.values())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.errors.DeadlockDetected("deadlock"), "lost_race"),
        (psycopg.errors.SerializationFailure("serialisation"), "lost_race"),
        (psycopg.OperationalError("server closed the connection"), "lost_connection"),
    ],
)
def test_a_transaction_that_is_run_once_more_is_counted(
    world: World, cast: Cast, draft: Booking, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    real, failures = api_database._attempt, [OperationalError("", {}, error)]

    def attempt(view: Any) -> Any:
        if failures:
            g.committing = False
            raise failures.pop()
        return real(view)

    monkeypatch.setattr(api_database, "_attempt", attempt)
    before = Figures.here()
    assert world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor).status_code == 202
    retries = Figures.here().since(before)
    assert retries.total("tutelage_transaction_retries_total") == 1
    assert retries.total("tutelage_transaction_retries_total", work="request", reason=reason) == 1
