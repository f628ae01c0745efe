"""Sessions after the fact over HTTP: no-shows, voided sessions, waived fees, and operators who complete."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update

from models.bookings import bookings
from models.events import events
from tests import factories
from tests.api.conftest import Cast, headers_of
from tests.application import World
from tests.integration.harness import without_guards
from tests.queries import execute
from workflows.sessions.actions import create
from workflows.sessions.records import Session

WHY = {"reason": "The mentor fell ill during the session."}
NOTHING, PRICE = {"amount": 0, "currency": "USD"}, {"amount": 4000, "currency": "USD"}
HALF = {"amount": 2000, "currency": "USD"}


def make_past(engine: Engine, session: Session, ago: timedelta = timedelta(minutes=20)) -> None:
    """Move a session's start to that long ago."""
    with engine.begin() as db, without_guards(db):
        values = {"id": session.id, "booking": session.booking_id, "start": datetime.now(UTC) - ago}
        for table, column in (("bookings", "booking"), ("sessions", "id")):
            statement = (
                f"UPDATE {table} SET start_time = :start, end_time = CAST(:start AS timestamptz) + interval '1 hour'"
            )
            db.execute(text(f"{statement} WHERE id = :{column}"), values)


@pytest.fixture
def missed(engine: Engine, scheduled: Session) -> Session:
    """A scheduled session that should have begun twenty minutes ago."""
    make_past(engine, scheduled)
    return scheduled


@pytest.mark.parametrize(
    ("caller", "who", "fee", "refund"),
    [
        ("mentor", "mentee", PRICE, NOTHING),
        ("operator", "mentee", PRICE, NOTHING),
        ("mentee", "mentor", NOTHING, PRICE),
        ("operator", "mentor", NOTHING, PRICE),
    ],
)
def test_the_other_party_reports_a_no_show(
    world: World, cast: Cast, missed: Session, caller: str, who: str, fee: Any, refund: Any
) -> None:
    path = f"/sessions/{missed.id}/no-show"
    answer = world.client.post(path, json={"who": who}, headers=headers_of(cast, caller))
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    cancellation = answer.json["cancellation"]
    assert (cancellation["cancelledBy"], cancellation["type"], cancellation["late"]) == (
        who,
        "no_show",
        who == "mentee",
    )
    assert (cancellation["fee"], cancellation["refund"], cancellation["waivedAt"]) == (fee, refund, None)
    again = world.client.post(path, json={"who": who}, headers=headers_of(cast, caller))
    assert (again.status_code, again.json["code"]) == (400, "invalid_transition")


@pytest.mark.parametrize(
    ("caller", "who"),
    [("mentor", "mentor"), ("mentee", "mentee"), ("stranger", "mentor"), ("other_mentor", "mentee")],
)
def test_no_party_reports_their_own_no_show(world: World, cast: Cast, missed: Session, caller: str, who: str) -> None:
    path = f"/sessions/{missed.id}/no-show"
    assert world.client.post(path, json={"who": who}, headers=headers_of(cast, caller)).status_code == 403


def test_a_no_show_is_reported_from_fifteen_minutes_on(world: World, cast: Cast, scheduled: Session) -> None:
    make_past(world.engine, scheduled, timedelta(minutes=14))
    path, body = f"/sessions/{scheduled.id}/no-show", {"who": "mentee"}
    early = world.client.post(path, json=body, headers=cast.as_mentor)
    assert (early.status_code, early.json["code"]) == (400, "too_early")
    make_past(world.engine, scheduled, timedelta(minutes=15))
    assert world.client.post(path, json=body, headers=cast.as_mentor).status_code == 200


@pytest.mark.parametrize(
    ("terms", "fee"),
    [
        ({"no_show_fee_percent": 25}, 1000),
        ({"no_show_fee_percent": 0, "late_fee_percent": 100}, 0),
        ({"no_show_fee_percent": 25, "cancellation_window_hours": None}, 1000),
        # As agreed before there was the term.
        ({"no_show_fee_percent": None}, 2000),
        ({"no_show_fee_percent": None, "cancellation_window_hours": None}, 4000),
    ],
)
def test_a_no_show_costs_what_was_agreed(world: World, cast: Cast, terms: dict[str, int | None], fee: int) -> None:
    offered = {name: value for name, value in terms.items() if (name, value) != ("no_show_fee_percent", None)}
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, **offered)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee)
    with world.engine.begin() as db, without_guards(db):
        db.execute(update(bookings).where(bookings.c.id == session.booking_id).values(terms))
    make_past(world.engine, session)
    percent = fee * 100 // 4000
    quoted = world.client.get(f"/sessions/{session.id}/cancellation-quote", headers=cast.as_mentor).json
    assert quoted["noShowFeePercent"] == percent
    answer = world.client.post(f"/sessions/{session.id}/no-show", json={"who": "mentee"}, headers=cast.as_mentor)
    assert (answer.json["fee"]["amount"], answer.json["refund"]["amount"]) == (fee, 4000 - fee)


def test_a_session_that_began_has_no_no_show(world: World, cast: Cast, in_progress: Session) -> None:
    make_past(world.engine, in_progress)
    path = f"/sessions/{in_progress.id}/no-show"
    answer = world.client.post(path, json={"who": "mentee"}, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_transition")
    assert world.client.post(path, json={"who": "both"}, headers=cast.as_mentor).json["code"] == "invalid_request"


@pytest.mark.parametrize("state", ["scheduled", "in_progress"])
def test_an_operator_voids_a_session(request: pytest.FixtureRequest, world: World, cast: Cast, state: str) -> None:
    session: Session = request.getfixturevalue(state)
    path = f"/sessions/{session.id}/void"
    for headers in (cast.as_mentor, cast.as_mentee, cast.as_stranger):
        assert world.client.post(path, json=WHY, headers=headers).status_code == 403
    assert world.client.post(path, json={"reason": " "}, headers=cast.as_operator).status_code == 400
    answer = world.client.post(path, json=WHY, headers=cast.as_operator)
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert (answer.json["startedAt"] is not None) == (state == "in_progress")
    cancellation = answer.json["cancellation"]
    assert (cancellation["cancelledBy"], cancellation["type"], cancellation["reason"]) == (
        *("operator", "void"),
        WHY["reason"],
    )
    assert (answer.json["fee"], answer.json["refund"]) == (NOTHING, PRICE)
    # The mentor's time is free again.
    start = session.start_time.isoformat()
    rival = world.client.post("/bookings", json=cast.body(startTime=start), headers=cast.as_stranger).json["id"]
    assert world.client.patch(f"/bookings/{rival}/accept", headers=cast.as_mentor).status_code == 202


def test_what_is_completed_or_cancelled_is_not_voided(world: World, cast: Cast, in_progress: Session) -> None:
    path = f"/sessions/{in_progress.id}"
    assert world.client.patch(f"{path}/complete", headers=cast.as_mentor).status_code == 200
    answer = world.client.post(f"{path}/void", json=WHY, headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_transition")


def test_an_operator_completes_for_a_mentor(world: World, cast: Cast, in_progress: Session) -> None:
    path = f"/sessions/{in_progress.id}/complete"
    answer = world.client.patch(path, json={"notes": "Held."}, headers=cast.as_operator)
    assert (answer.status_code, answer.json["status"], answer.json["notes"]) == (200, "completed", "Held.")


@pytest.mark.parametrize("who", ["mentee", "mentor", "operator"])
def test_the_price_goes_back_unless_the_mentee_says_otherwise(
    world: World, cast: Cast, scheduled: Session, who: str
) -> None:
    path, body = f"/sessions/{scheduled.id}/cancel", {"reason": "Ill"}
    answer = world.client.patch(path, json=body, headers=headers_of(cast, who))
    assert (answer.json["refund"], answer.json["cancellation"]["refundRequested"]) == (PRICE, True)


def test_an_operator_grants_a_refund_that_was_not_requested(world: World, cast: Cast, scheduled: Session) -> None:
    path = f"/sessions/{scheduled.id}"
    quoted = world.client.get(f"{path}/cancellation-quote", headers=cast.as_mentee).json["refund"]
    body = {"reason": "Ill", "refundRequested": False}
    cancelled = world.client.patch(f"{path}/cancel", json=body, headers=cast.as_mentee)
    assert (cancelled.json["fee"], cancelled.json["refund"]) == (NOTHING, NOTHING)
    answer = world.client.post(f"{path}/waive-fee", json=WHY, headers=cast.as_operator)
    assert (answer.status_code, answer.json["refund"], quoted) == (200, PRICE, PRICE)
    event = execute(world.engine, select(events).where(events.c.type == "session.fee_waived")).one()
    assert (event.data["waived_fee_amount"], event.data["refund_amount"]) == (0, PRICE["amount"])


def test_a_waived_fee_makes_the_refund_the_price(world: World, cast: Cast, missed: Session) -> None:
    path = f"/sessions/{missed.id}"
    early = world.client.post(f"{path}/waive-fee", json=WHY, headers=cast.as_operator)
    assert (early.status_code, early.json["code"]) == (400, "invalid_transition")
    world.client.post(f"{path}/no-show", json={"who": "mentee"}, headers=cast.as_mentor)
    for headers in (cast.as_mentor, cast.as_mentee):
        assert world.client.post(f"{path}/waive-fee", json=WHY, headers=headers).status_code == 403
    answer = world.client.post(f"{path}/waive-fee", json=WHY, headers=cast.as_operator)
    assert (answer.status_code, answer.json["fee"], answer.json["refund"]) == (200, NOTHING, PRICE)
    assert answer.json["cancellation"]["waivedAt"].endswith("Z")
    again = world.client.post(f"{path}/waive-fee", json=WHY, headers=cast.as_operator)
    assert (again.status_code, again.json) == (200, answer.json)
    found = f"/audit?subjectId={missed.id}&action=session.fee_waived&result=ok"
    repeated, waived = world.client.get(found, headers=cast.as_operator).json["items"]
    assert (waived["reason"], waived["data"]) == (WHY["reason"], {"fee": PRICE})
    assert (repeated["reason"], repeated["data"]) == (WHY["reason"], {})


@pytest.mark.parametrize("who", ["mentee", "mentor"])
@pytest.mark.parametrize("waived", [False, True])
def test_a_reverted_no_show_counts_as_void(world: World, cast: Cast, missed: Session, who: str, waived: bool) -> None:
    path = f"/sessions/{missed.id}"
    revert = partial(world.client.post, f"{path}/no-show/revert", json=WHY)
    early = revert(headers=cast.as_operator)
    assert (early.status_code, early.json["code"]) == (400, "invalid_transition")
    assert world.client.post(f"{path}/no-show", json={"who": who}, headers=cast.as_operator).status_code == 200
    if waived:
        world.client.post(f"{path}/waive-fee", json=WHY, headers=cast.as_operator)
    for headers in (cast.as_mentor, cast.as_mentee):
        assert revert(headers=headers).status_code == 403
    answer = revert(headers=cast.as_operator)
    assert (answer.status_code, answer.json["fee"], answer.json["refund"]) == (200, NOTHING, PRICE)
    cancellation = answer.json["cancellation"]
    said = [cancellation[name] for name in ("cancelledBy", "type", "reason", "late")]
    assert said == ["operator", "void", WHY["reason"], False]
    again = revert(headers=cast.as_operator)
    assert (again.status_code, again.json) == (200, answer.json)
    with world.engine.connect() as db:
        latest = select(events.c.data).where(events.c.type == "session.fee_waived").order_by(events.c.sequence.desc())
        assert (db.scalars(latest).first() or {})["no_show_reverted"] is True
    found = f"/audit?subjectId={missed.id}&action=session.no_show_reverted&result=ok"
    assert {entry["reason"] for entry in world.client.get(found, headers=cast.as_operator).json["items"]} == {
        WHY["reason"]
    }


def test_a_reverted_no_show_gives_a_kept_credit_back(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        bundle = factories.make_bundle(db, mentee=cast.mentee)
        booking = factories.make_paid_booking(db, bundle)
        session = create(db, booking_id=booking.id)
    make_past(engine, session)
    path = f"/sessions/{session.id}/no-show"
    reported = world.client.post(path, json={"who": "mentee"}, headers=cast.as_operator)
    assert reported.json["cancellation"]["creditReturned"] is False
    reverted = world.client.post(f"{path}/revert", json=WHY, headers=cast.as_operator)
    assert reverted.json["cancellation"]["creditReturned"] is True
    (found,) = world.client.get("/bundles", headers=cast.as_mentee).json["items"]
    assert found["remainingSessions"] == 5


def test_without_a_fee_nothing_is_waived(world: World, cast: Cast, scheduled: Session) -> None:
    path = f"/sessions/{scheduled.id}"
    world.client.patch(f"{path}/cancel", json=WHY, headers=cast.as_mentor)
    answer = world.client.post(f"{path}/waive-fee", json=WHY, headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_transition")


def test_the_summary_shows_what_was_never_completed(world: World, cast: Cast, in_progress: Session) -> None:
    def overdue() -> list[Any]:
        found = world.client.get("/operations/summary", headers=cast.as_operator).json["overdueSessions"]
        return [(each["sessionId"], each["mentorProfileId"]) for each in found]

    make_past(world.engine, in_progress, timedelta(hours=24))
    assert overdue() == []
    make_past(world.engine, in_progress, timedelta(hours=25, minutes=1))
    assert overdue() == [(str(in_progress.id), str(cast.mentor.id))]
