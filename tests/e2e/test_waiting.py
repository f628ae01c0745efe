"""Waiting for a session: as long as the caller prefers, and what is said of one that is still to come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from cli.system import System
from tests.cast import Cast, register
from tests.eventually import eventually, stretched
from tests.speaking import Caller


@pytest.fixture
def cast(api: Caller) -> Cast:
    return register(api)


def test_who_prefers_to_wait_gets_booking_and_session(cast: Cast) -> None:
    answer = cast.mentor("PATCH", f"/bookings/{cast.request()}/accept", Prefer="wait=10")
    assert answer.status == 201
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.headers["Location"] == f"/sessions/{answer.body['session']['id']}"
    assert answer.body["booking"]["sessionId"] == answer.body["session"]["id"]
    assert answer.body["session"]["status"] == "scheduled"


def test_an_instant_listing_answers_with_the_session_as_well(api: Caller) -> None:
    cast = register(api, bookingMode="instant")
    body = {"listingId": cast.listing_id, "startTime": cast.slot()}
    answer = cast.mentee("POST", "/bookings", body, Prefer="wait=10")
    assert (answer.status, answer.body["booking"]["status"]) == (201, "accepted")


def test_a_pending_session_is_shown_to_its_parties_alone(system: System, cast: Cast, api: Caller) -> None:
    stranger = register(api)
    with _stopped(system, "worker-sessions"):
        answer = cast.mentor("PATCH", f"/bookings/{cast.request()}/accept", Prefer="wait=1")
        assert answer.status == 202
        assert answer.seconds >= 1
        assert "Preference-Applied" not in answer.headers
        path = f"/sessions/{answer.body['sessionId']}"
        for party in (cast.mentor, cast.mentee):
            pending = party("GET", path)
            assert (pending.status, pending.body["code"]) == (404, "session_pending")
            assert pending.headers["Retry-After"] == "1"
        assert stranger.mentee("GET", path).body["code"] == "not_found"
        assert cast.mentor("POST", f"{path}/start").body["code"] == "session_pending"
    eventually(lambda: cast.mentor("GET", path).status == 200, "the session", seconds=stretched(5))


@contextmanager
def _stopped(system: System, part: str) -> Iterator[None]:
    process = psutil.Process(next(entry["pid"] for entry in system.run["processes"] if entry["name"] == part))
    process.suspend()
    try:
        yield
    finally:
        process.resume()
