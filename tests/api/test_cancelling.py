"""Cancelling sessions over HTTP: who may, what it costs, and what is free again afterwards."""

import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.events import events
from tests import factories
from tests.api.conftest import Cast, headers_of, version_of
from tests.api.links import signed
from tests.application import World
from tests.queries import execute
from tests.statements import statements_of
from workflows.action_links.link import Action
from workflows.bookings.records import Booking
from workflows.events.event_types import event_types
from workflows.kernel.clock import rfc3339
from workflows.kernel.language import language_of
from workflows.sessions.records import Session
from workflows.webhooks.messages import body_of

ILL: dict[str, Any] = {"reason": "I have fallen ill.", "refundRequested": True}
WHO = {"mentee": 200, "mentor": 200, "operator": 200, "stranger": 403, "other_mentor": 403}


@pytest.mark.parametrize(("who", "status"), WHO.items())
@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_the_parties_and_operators_cancel(
    world: World, cast: Cast, scheduled: Session, method: str, who: str, status: int
) -> None:
    path = f"/sessions/{scheduled.id}"
    quote = world.client.get(f"{path}/cancellation-quote", headers=headers_of(cast, who))
    answer = world.client.open(f"{path}/cancel", method=method, json=ILL, headers=headers_of(cast, who))
    assert (quote.status_code, answer.status_code) == (status, status)
    if status == 200:
        assert (answer.json["status"], answer.json["cancellation"]["cancelledBy"]) == ("cancelled", who)
        assert (answer.json["fee"], answer.json["refund"]) == (quote.json["fee"], quote.json["refund"])
        assert version_of(answer) == 2
    else:
        assert world.client.get(path, headers=cast.as_mentee).json["status"] == "scheduled"


@pytest.mark.parametrize(
    ("who", "refused"), [("mentee", "coach_request"), ("mentor", "client_request"), ("operator", None)]
)
def test_each_names_types_of_their_own(
    world: World, cast: Cast, scheduled: Session, draft: Booking, who: str, refused: str | None
) -> None:
    path, headers = f"/sessions/{scheduled.id}", headers_of(cast, who)
    outcomes = ["no_show", "not_held", "void"]
    for name, type in product(("type", "cancellationType"), [*outcomes, *([refused] if refused else [])]):
        answer = world.client.post(f"{path}/cancel", json={**ILL, name: type}, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
        assert set(answer.json["details"]) <= {"type", "cancellationType"}
    if who == "mentee":
        withdrawn = world.client.post(f"/bookings/{draft.id}/cancel", json={"type": refused}, headers=headers)
        assert (withdrawn.status_code, list(withdrawn.json["details"])) == (400, ["type"])
    both = {**ILL, "type": "other", "cancellationType": "emergency"}
    assert world.client.post(f"{path}/cancel", json=both, headers=headers).status_code == 400
    assert world.client.get(path, headers=headers).json["status"] == "scheduled"
    cancelled = world.client.post(f"{path}/cancel", json={**ILL, "cancellationType": "emergency"}, headers=headers)
    assert (cancelled.status_code, cancelled.json["cancellation"]["type"]) == (200, "emergency")
    event = execute(world.engine, select(events).where(events.c.type == "session.cancelled")).one()
    read = event_types()[event.type].read(
        id=event.id, actor=event.actor, occurred_at=event.occurred_at, sequence=1, data=event.data
    )
    assert json.loads(body_of(read))["data"]["type"] == "emergency"


def test_a_series_is_cancelled_with_a_type_of_ones_own(world: World, cast: Cast) -> None:
    weekly = {"coachId": str(cast.mentor.id), "durationMinutes": 60, "title": "Growing", "recurrence": {"count": 2}}
    asked = {**weekly, "scheduledAt": factories.next_slot().isoformat()}
    series = world.client.post("/sessions/book", json=asked, headers=cast.as_mentee).json["series"]["id"]
    for headers, type in ((cast.as_mentee, "coach_request"), (cast.as_mentor, "client_request")):
        body = {"reason": "Moved", "cancellationType": type}
        answer = world.client.post(f"/series/{series}/cancel", json=body, headers=headers)
        assert (answer.status_code, list(answer.json["details"])) == (400, ["type"])
    body = {"reason": "Moved", "type": "client_request"}
    ended = world.client.post(f"/series/{series}/cancel", json=body, headers=cast.as_mentee)
    assert (ended.status_code, len(ended.json["cancelled"])) == (200, 2)


def test_a_mentee_inside_the_window_pays_what_they_were_quoted(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(
            db, cast.mentor, price_amount=4001, cancellation_window_hours=8784, late_fee_percent=50
        )
        earlier = timedelta(hours=2)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee, accepted_before=earlier)
    path = f"/sessions/{session.id}"
    quote = world.client.get(f"{path}/cancellation-quote", headers=cast.as_mentee).json
    assert (quote["allowed"], quote["late"], quote["fee"]["amount"], quote["refund"]["amount"]) == (
        (True, True, 2001, 2000)
    )  # fmt: skip
    kept = world.client.patch(f"{path}/cancel", json=ILL, headers=cast.as_mentee).json["cancellation"]
    assert kept == {
        "cancelledBy": "mentee",
        "type": "client_request",
        **ILL,
        "late": True,
        "fee": {"amount": 2001, "currency": "USD"},
        "refund": {"amount": 2000, "currency": "USD"},
        "paid": {"amount": 4001, "currency": "USD"},
        "creditReturned": None,
        "creditValidTo": None,
        "waivedAt": None,
        "policy": {"windowHours": 8784, "lateFeePercent": 50},
    }
    seen = world.client.get(path, headers=cast.as_mentor).json
    assert (seen["status"], seen["cancellation"]) == ("cancelled", kept)


def test_the_policy_is_that_of_the_request(world: World, cast: Cast, scheduled: Session) -> None:
    path = f"/sessions/{scheduled.id}"
    agreed = world.client.get(f"{path}/cancellation-quote", headers=cast.as_mentee).json["policy"]
    listing = world.client.get(f"/bookings/{scheduled.booking_id}", headers=cast.as_mentee).json["listingId"]
    world.client.patch(f"/listings/{listing}", json={"cancellation": None}, headers=cast.as_mentor)
    cancelled = world.client.patch(f"{path}/cancel", json=ILL, headers=cast.as_mentee)
    assert (cancelled.status_code, cancelled.json["cancellation"]["policy"]) == (200, agreed)


@pytest.mark.parametrize("hours", [24, 8784, None])
def test_a_quote_says_from_when_the_fee_changes(world: World, cast: Cast, engine: Engine, hours: int | None) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=hours)
        earlier = timedelta(hours=2)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee, accepted_before=earlier)
    path = f"/sessions/{session.id}/cancellation-quote"
    quote = world.client.get(path, headers=cast.as_mentee).json
    if hours is None:
        assert (quote["allowed"], quote["freeUntil"], quote["policy"]) == (False, None, None)
    else:
        changes = max(session.start_time - timedelta(hours=hours), session.created_at + timedelta(hours=1))
        assert quote["freeUntil"] == rfc3339(changes)
        assert (quote["late"], quote["fee"]["amount"]) == ((True, 2000) if hours > 24 else (False, 0))
    of_mentor = world.client.get(path, headers=cast.as_mentor).json
    assert (of_mentor["fee"]["amount"], of_mentor["freeUntil"]) == (0, None)


def test_an_accepted_request_is_cancelled_for_nothing_for_an_hour(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=8784)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee)
    path = f"/sessions/{session.id}"
    quote = world.client.get(f"{path}/cancellation-quote", headers=cast.as_mentee).json
    until = min(session.created_at + timedelta(hours=1), session.start_time)
    assert (quote["late"], quote["fee"]["amount"], quote["freeUntil"]) == (False, 0, rfc3339(until))
    page = world.client.get(signed(Action.CANCEL, session.booking_id, cast.mentee.id)).text
    assert f"There is no fee until {language_of('en').local_time(until, cast.mentee.time_zone)}." in page
    kept = world.client.patch(f"{path}/cancel", json=ILL, headers=cast.as_mentee).json["cancellation"]
    assert (kept["late"], kept["fee"]["amount"], kept["refund"]["amount"]) == (False, 0, 4000)


def test_where_the_mentee_cannot_cancel_there_is_no_policy(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=None)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee)
    cancelled = world.client.patch(f"/sessions/{session.id}/cancel", json=ILL, headers=cast.as_mentor)
    assert (cancelled.status_code, cancelled.json["cancellation"]["policy"]) == (200, None)


@pytest.mark.parametrize("step", ["start", "complete", "cancel"])
def test_what_is_cancelled_stays_cancelled(world: World, cast: Cast, scheduled: Session, step: str) -> None:
    path = f"/sessions/{scheduled.id}"
    assert world.client.patch(f"{path}/cancel", json=ILL, headers=cast.as_mentor).status_code == 200
    again = world.client.patch(f"{path}/{step}", json=ILL if step == "cancel" else None, headers=cast.as_mentor)
    assert (again.status_code, again.json["code"]) == (400, "invalid_transition")


def test_a_session_in_progress_is_not_cancelled(world: World, cast: Cast, in_progress: Session) -> None:
    answer = world.client.patch(f"/sessions/{in_progress.id}/cancel", json=ILL, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_transition")


def test_the_mentors_time_is_free_again(world: World, cast: Cast, scheduled: Session) -> None:
    requested = cast.body(startTime=scheduled.start_time.isoformat())
    rival = world.client.post("/bookings", json=requested, headers=cast.as_mentee).json["id"]
    accept = f"/bookings/{rival}/accept"
    assert world.client.patch(accept, headers=cast.as_mentor).json["code"] == "slot_taken"
    world.client.patch(f"/sessions/{scheduled.id}/cancel", json=ILL, headers=cast.as_mentor)
    assert world.client.patch(accept, headers=cast.as_mentor).status_code == 202
    # The booking itself stays accepted: it was, and its session holds the cancellation.
    booking = world.client.get(f"/bookings/{scheduled.booking_id}", headers=cast.as_mentee).json
    assert booking["status"] == "accepted"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 2001},
        {"reason": 7},
        {"reason": "Ill", "type": "coach"},
        {"reason": "Ill", "refundRequested": "yes"},
        {"reason": "Ill", "fee": 0},
    ],
)
def test_a_cancellation_that_does_not_fit_changes_nothing(
    world: World, cast: Cast, scheduled: Session, body: dict[str, Any]
) -> None:
    answer = world.client.patch(f"/sessions/{scheduled.id}/cancel", json=body, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert world.client.get(f"/sessions/{scheduled.id}", headers=cast.as_mentee).json["status"] == "scheduled"


def test_cancelling_makes_five_statements_and_a_quote_two(world: World, cast: Cast, scheduled: Session) -> None:
    with statements_of(world.engine) as made:
        world.client.get(f"/sessions/{scheduled.id}/cancellation-quote", headers=cast.as_mentee)
    assert len(made.statements) == 2
    with statements_of(world.engine) as made:
        answer = world.client.patch(f"/sessions/{scheduled.id}/cancel", json=ILL, headers=cast.as_mentee)
    assert answer.status_code == 200
    assert (len(made.statements), made.commits) == (5, 1)
