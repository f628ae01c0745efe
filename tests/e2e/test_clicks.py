"""Impatient people: the same button five times at once, over HTTP."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.eventually import eventually
from tests.participants import Participants, register
from tests.speaking import Answer, Caller

CLICKS = 5
FOLLOWING = ("session.reminder_set", "review.unlocked")


@pytest.fixture
def cast(api: Caller) -> Participants:
    return register(api)


def test_five_accepts_at_once_are_one_acceptance_and_four_refusals(cast: Participants) -> None:
    booking = cast.request()
    answers = _at_once(cast.mentor, f"/bookings/{booking}/accept")
    assert Counter(answer.status for answer in answers) == {202: 1, 400: CLICKS - 1}
    assert {answer.body["code"] for answer in answers if answer.status == 400} == {"invalid_transition"}
    _assert_one_session(cast, booking)


def test_five_accepts_under_one_key_are_one_answer(cast: Participants) -> None:
    booking, key = cast.request(), uuid4().hex
    answers = _at_once(cast.mentor, f"/bookings/{booking}/accept", Idempotency_Key=key)
    assert {answer.status for answer in answers} <= {202, 409}
    assert {answer.body["code"] for answer in answers if answer.status == 409} <= {"key_in_use"}
    good = [answer for answer in answers if answer.status == 202]
    again = cast.mentor("PATCH", f"/bookings/{booking}/accept", Idempotency_Key=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert all(answer.body == again.body for answer in good)
    _assert_one_session(cast, booking)


def test_five_starts_and_five_completions_at_once_happen_once(cast: Participants) -> None:
    booking = cast.request()
    session = cast.mentor.patch(f"/bookings/{booking}/accept", Prefer="wait=10")["session"]["id"]
    for step in ("start", "complete"):
        answers = _at_once(cast.mentor, f"/sessions/{session}/{step}")
        assert Counter(answer.status for answer in answers) == {200: 1, 400: CLICKS - 1}
    effects = eventually(
        lambda: cast.mentor.get(f"/sessions/{session}/effects")["items"], "the effects of the completion"
    )
    counted = Counter(effect["event"] for effect in effects if effect["effect"].startswith("notifications."))
    # The effects of these may have run by now, or not.
    assert {event: times for event, times in counted.items() if event not in FOLLOWING} == {
        "booking.requested": 1,
        "booking.accepted": 1,
        "session.created": 1,
        "session.started": 1,
        "session.completed": 1,
    }


def test_ten_mentees_who_want_one_slot_of_an_instant_listing(api: Caller) -> None:
    cast = register(api, bookingMode="instant")
    body = {"listingId": cast.listing_id, "startTime": cast.slot()}
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: cast.mentee("POST", "/bookings", body), range(10)))
    assert Counter(answer.status for answer in answers) == {202: 1, 409: 9}
    assert {answer.body["code"] for answer in answers if answer.status == 409} == {"slot_taken"}


def _at_once(caller: Caller, path: str, **headers: str) -> list[Answer]:
    with ThreadPoolExecutor(CLICKS) as threads:
        return list(threads.map(lambda _: caller("PATCH", path, **headers), range(CLICKS)))


def _assert_one_session(cast: Participants, booking: str) -> None:
    session_id = cast.mentor.get(f"/bookings/{booking}")["sessionId"]
    eventually(lambda: cast.mentor("GET", f"/sessions/{session_id}").status == 200, "the session")
    listed = cast.mentor.get("/sessions/mentor/my-sessions")["items"]
    assert [session["id"] for session in listed if session["bookingId"] == booking] == [session_id]
