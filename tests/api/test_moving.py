"""Moving sessions over HTTP: who moves one at once, who proposes, how proposals end, and what moves along."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, select, text, update

from models.bookings import booking_participants
from models.calendar import person_busy
from models.catalog import BookingMode
from models.events import events
from models.sessions import reschedule_proposals, sessions
from models.terms import RescheduleMode
from tests import factories
from tests.api.conftest import Cast, headers_of, nothing_written, version_of
from tests.api.links import heading, signed
from tests.application import ApiResponse, World
from tests.queries import broken_invariants, execute
from workflows.action_links.link import Action
from workflows.kernel.clock import rfc3339
from workflows.sessions.moving import PROPOSALS_PER_DAY
from workflows.sessions.records import Session


def make_session(engine: Engine, cast: Cast, mode: str = "free", **terms: Any) -> Session:
    """A scheduled session of the cast, two days ahead or later, which moves by these terms."""
    columns = {"reschedule_mode": RescheduleMode(mode), **terms}
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, **columns)
        return factories.make_session(db, listing=listing, mentee=cast.mentee)


def move(world: World, session: Session, to: datetime, headers: dict[str, str], **body: Any) -> ApiResponse:
    path = f"/sessions/{session.id}/reschedule"
    return world.client.post(path, json={"startTime": rfc3339(to), **body}, headers=headers)


def answer(world: World, session: Session, proposal: dict[str, Any], how: str, headers: dict[str, str]) -> ApiResponse:
    path = f"/sessions/{session.id}/proposals/{proposal['id']}/{how}"
    return world.client.post(path, json={}, headers=headers)


def require_sound(engine: Engine) -> None:
    # No worker makes the sessions of the bookings here.
    assert broken_invariants(engine) <= {"accepted_booking_without_session", "delivery_long_overdue"}


WHO = {"mentee": 200, "mentor": 200, "operator": 200, "stranger": 403, "other_mentor": 403}


@pytest.mark.parametrize(("who", "status"), WHO.items())
def test_a_free_session_moves_at_once(world: World, cast: Cast, who: str, status: int) -> None:
    session, to = make_session(world.engine, cast), factories.next_slot()
    moved = move(world, session, to, headers_of(cast, who), reason="A train is late.")
    assert moved.status_code == status
    shown = world.client.get(f"/sessions/{session.id}", headers=cast.as_mentee).json
    if status == 403:
        assert (shown["startTime"], shown["rescheduleCount"]) == (rfc3339(session.start_time), 0)
        return
    assert version_of(moved) == 2
    assert (moved.json["id"], moved.json["bookingId"]) == (str(session.id), str(session.booking_id))
    assert (moved.json["startTime"], moved.json["endTime"]) == (rfc3339(to), rfc3339(to + timedelta(hours=1)))
    assert (moved.json["rescheduledFrom"], moved.json["rescheduleCount"]) == (rfc3339(session.start_time), 1)
    assert shown["startTime"] == rfc3339(to)
    assert shown["proposal"] is None
    booking = world.client.get(f"/bookings/{session.booking_id}", headers=cast.as_mentee)
    assert booking.json["startTime"] == rfc3339(to)
    assert version_of(booking) == 3
    require_sound(world.engine)


def refused_for(world: World, cast: Cast, who: str, mode: str, *, late: bool, moves: int) -> str | None:
    """Why a move is refused: None for at once, `proposed` for a proposal."""
    session = make_session(
        world.engine, cast, mode, reschedule_window_hours=8784 if late else 24, reschedule_max_times=1
    )
    for _ in range(moves):
        assert move(world, session, factories.next_slot(), cast.as_operator).status_code == 200
    result = move(world, session, session.start_time + timedelta(minutes=90), headers_of(cast, who))
    if result.status_code == 200:
        return None
    if result.status_code == 202:
        assert result.json["proposal"]["status"] == "open"
        return "proposed"
    assert (result.status_code, result.json["code"]) == (409, "not_reschedulable")
    reason: str = result.json["details"]["reason"]
    return reason


@pytest.mark.parametrize("who", ["mentee", "mentor", "operator"])
@pytest.mark.parametrize("mode", list(RescheduleMode))
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("moves", [0, 1])
def test_who_moves_by_which_terms(world: World, cast: Cast, who: str, mode: str, late: bool, moves: int) -> None:
    if who == "operator":
        expected = None
    elif mode == "off":
        expected = "off"
    elif moves:
        expected = "max_times"
    elif mode == "by_agreement":
        expected = "proposed"
    else:
        expected = "window" if late else None
    # Late: by a window of a year, in which each of these sessions starts.
    found = refused_for(world, cast, who, mode, late=late, moves=moves)
    assert found == expected
    require_sound(world.engine)


def propose(world: World, cast: Cast, session: Session, to: datetime | None = None, by: str = "mentee") -> Any:
    made = move(world, session, to or factories.next_slot(), headers_of(cast, by), reason="A train is late.")
    assert made.status_code == 202
    return made.json["proposal"]


def test_a_proposal_moves_the_session_once_it_is_accepted(world: World, cast: Cast) -> None:
    session, to = make_session(world.engine, cast, "by_agreement"), factories.next_slot()
    proposal = propose(world, cast, session, to)
    assert {name: proposal[name] for name in ("startTime", "proposedBy", "status", "reason")} == {
        "startTime": rfc3339(to),
        "proposedBy": "mentee",
        "status": "open",
        "reason": "A train is late.",
    }
    shown = world.client.get(f"/sessions/{session.id}", headers=cast.as_mentor).json
    assert (shown["startTime"], shown["proposal"]) == (rfc3339(session.start_time), proposal)
    for who in ("mentee", "stranger", "operator"):
        assert answer(world, session, proposal, "accept", headers_of(cast, who)).status_code == 403
    accepted = answer(world, session, proposal, "accept", cast.as_mentor)
    assert accepted.status_code == 200
    assert (accepted.json["startTime"], accepted.json["proposal"]["status"]) == (rfc3339(to), "accepted")
    again = answer(world, session, proposal, "accept", cast.as_mentor)
    assert (again.status_code, again.json["code"]) == (400, "invalid_transition")
    assert world.client.get(f"/sessions/{session.id}", headers=cast.as_mentor).json["proposal"] is None
    require_sound(world.engine)


@pytest.mark.parametrize(("how", "by", "others"), [("decline", "mentor", "mentee"), ("withdraw", "mentee", "mentor")])
def test_a_session_keeps_its_time_without_agreement(world: World, cast: Cast, how: str, by: str, others: str) -> None:
    session = make_session(world.engine, cast, "by_agreement")
    proposal = propose(world, cast, session)
    assert answer(world, session, proposal, how, headers_of(cast, others)).status_code == 403
    ended = answer(world, session, proposal, how, headers_of(cast, by))
    status = {"decline": "declined", "withdraw": "withdrawn"}[how]
    assert (ended.status_code, ended.json["proposal"]["status"]) == (200, status)
    assert ended.json["startTime"] == rfc3339(session.start_time)
    late = answer(world, session, proposal, "accept", cast.as_mentor)
    assert (late.status_code, late.json["code"]) == (400, "invalid_transition")
    found = execute(world.engine, select(events.c.data).where(events.c.type == "session.reschedule_ended")).scalar_one()
    assert (found["outcome"], found["by"]) == (status, "mentee")
    unknown = answer(world, session, {"id": uuid4()}, "accept", cast.as_mentor)
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")


def test_one_proposal_is_open_at_a_time(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast, "by_agreement")
    first, second = propose(world, cast, session), propose(world, cast, session)
    of_other = move(world, session, factories.next_slot(), cast.as_mentor)
    assert (of_other.status_code, of_other.json["code"]) == (409, "proposal_open")
    assert of_other.json["details"] == {"proposal": second["id"]}
    states = execute(world.engine, select(reschedule_proposals.c.status).order_by(reschedule_proposals.c.id))
    assert list(states.scalars()) == ["withdrawn", "open"]
    assert answer(world, session, first, "accept", cast.as_mentor).status_code == 400
    assert answer(world, session, second, "accept", cast.as_mentor).status_code == 200


@pytest.mark.parametrize("by", ["mentee", "mentor"])
def test_nobody_proposes_times_without_end(world: World, cast: Cast, by: str) -> None:
    session, other = (make_session(world.engine, cast, "by_agreement") for _ in range(2))
    made = [propose(world, cast, session, session.start_time + timedelta(hours=2), by) for _ in range(2)]
    assert answer(world, session, made[-1], "withdraw", headers_of(cast, by)).status_code == 200
    share = timedelta(days=1) / PROPOSALS_PER_DAY
    used = execute(world.engine, text("SELECT used_until - now() FROM quota_usage")).scalar_one()
    assert share < used <= 2 * share
    execute(world.engine, text("UPDATE quota_usage SET used_until = now() + interval '1 day'"))
    with nothing_written(world.engine):
        refused = move(world, other, other.start_time + timedelta(hours=2), headers_of(cast, by))
        assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
        assert 0 < int(refused.headers["Retry-After"]) <= 864
    assert move(world, other, other.start_time + timedelta(hours=2), cast.as_operator).status_code == 200


@pytest.mark.parametrize("step", ["cancel", "start", "reschedule"])
def test_a_proposal_ends_with_what_it_was_made_for(world: World, cast: Cast, step: str) -> None:
    session = make_session(world.engine, cast, "by_agreement", early_start_minutes=None)
    proposal = propose(world, cast, session)
    body = {"cancel": {"reason": "Ill."}, "reschedule": {"startTime": rfc3339(factories.next_slot())}}.get(step, {})
    headers = cast.as_operator if step == "reschedule" else cast.as_mentor
    taken = world.client.post(f"/sessions/{session.id}/{step}", json=body, headers=headers)
    assert taken.status_code == 200
    assert (taken.json["proposal"] or {}).get("status") != "open"
    assert world.client.get(f"/sessions/{session.id}", headers=cast.as_mentor).json["proposal"] is None
    late = answer(world, session, proposal, "accept", cast.as_mentor)
    assert (late.status_code, late.json["code"]) == (400, "invalid_transition")
    require_sound(world.engine)


def test_only_a_scheduled_session_moves(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast, early_start_minutes=None)
    same = move(world, session, session.start_time, cast.as_mentee)
    assert (same.status_code, list(same.json["details"])) == (400, ["startTime"])
    past = move(world, session, datetime.now(UTC) - timedelta(hours=1), cast.as_operator)
    assert (past.status_code, list(past.json["details"])) == (400, ["startTime"])
    assert world.client.post(f"/sessions/{session.id}/start", headers=cast.as_mentor).status_code == 200
    for who in ("mentee", "operator"):
        begun = move(world, session, factories.next_slot(), headers_of(cast, who))
        assert (begun.status_code, begun.json["code"]) == (400, "invalid_transition")


@pytest.mark.parametrize("mode", ["free", "by_agreement"])
def test_the_new_time_is_checked_as_a_bookings(world: World, cast: Cast, mode: str) -> None:
    session = make_session(world.engine, cast, mode, min_notice_minutes=180)
    with world.engine.begin() as db:
        others = factories.make_session(db, listing=factories.make_listing(db, cast.mentor))
        elsewhere = factories.make_session(db, mentee=cast.mentee)
    refused = {
        "slot_taken": others.start_time + timedelta(minutes=30),
        "too_soon": datetime.now(UTC) + timedelta(hours=1),
        "beyond_horizon": datetime.now(UTC) + timedelta(days=365 * 6),
    }
    for code, to in refused.items():
        found = move(world, session, to, cast.as_mentee)
        assert (found.status_code, found.json["code"]) == (409, code)
    of_mentee = move(world, session, elsewhere.start_time, cast.as_mentee)
    assert (of_mentee.json["code"], list(of_mentee.json["details"])) == ("slot_taken", ["mentee"])
    hours = {"timeZone": "UTC", "hours": [{"weekday": 0, "start": "00:00", "end": "00:30"}]}
    put = world.client.put(f"/mentors/{cast.mentor.id}/hours", json=hours, headers=cast.as_mentor)
    if put.status_code == 200:
        closed = move(world, session, factories.next_slot(), cast.as_mentee)
        assert (closed.status_code, closed.json["code"]) == (409, "outside_hours")
    assert execute(world.engine, select(func.count()).select_from(reschedule_proposals)).scalar_one() == 0
    require_sound(world.engine)


def test_its_own_time_is_free_for_a_session_that_moves(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast, buffer_minutes=30)
    moved = move(world, session, session.start_time + timedelta(minutes=30), cast.as_mentee)
    assert moved.status_code == 200
    # The former time is free again, up to the new one.
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, duration_minutes=30, booking_mode=BookingMode.INSTANT)
        booked = factories.make_booking(db, listing=listing, start_time=session.start_time)
    assert booked.status == "accepted"
    require_sound(world.engine)


def test_a_limit_of_the_mentor_does_not_count_the_session_itself(world: World, cast: Cast) -> None:
    rules = {"maxPerDay": 1}
    put = world.client.put(f"/mentors/{cast.mentor.id}/booking-rules", json=rules, headers=cast.as_mentor)
    assert put.status_code == 200, put.json
    session = make_session(world.engine, cast)
    with world.engine.begin() as db:
        other = factories.make_booking(
            db, listing=factories.make_listing(db, cast.mentor), start_time=session.start_time + timedelta(days=3)
        )
        factories.accept_booking(db, other)
    same_day = session.start_time.replace(hour=(session.start_time.hour + 2) % 24)
    assert move(world, session, same_day, cast.as_mentee).status_code == 200
    full = move(
        world, session, other.start_time + timedelta(hours=2 if other.start_time.hour < 20 else -2), cast.as_mentor
    )
    assert (full.status_code, full.json["code"]) == (409, "booking_limit")


def test_a_repeated_request_moves_once(world: World, cast: Cast) -> None:
    session, to = make_session(world.engine, cast), factories.next_slot()
    headers = {**cast.as_mentee, "Idempotency-Key": "move-1"}
    first, again = move(world, session, to, headers), move(world, session, to, headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json == first.json
    stale = move(world, session, factories.next_slot(), {**cast.as_mentee, "If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")
    found = execute(world.engine, select(events.c.data).where(events.c.type == "session.rescheduled")).scalar_one()
    assert (found["from_"], found["to"]) == (session.start_time.isoformat(), to.isoformat())
    assert (found["by"], found["reschedule_count"]) == ("mentee", 1)


def test_the_fee_follows_the_new_time(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast, cancellation_window_hours=24)
    with world.engine.begin() as db:
        accepted = datetime.now(UTC) - timedelta(days=1)
        db.execute(update(sessions).where(sessions.c.id == session.id).values(created_at=accepted))
    path = f"/sessions/{session.id}/cancellation-quote"
    assert world.client.get(path, headers=cast.as_mentee).json["late"] is False
    near = datetime.now(UTC) + timedelta(hours=5)
    assert move(world, session, near, cast.as_mentee).status_code == 200
    quote = world.client.get(path, headers=cast.as_mentee).json
    assert (quote["late"], quote["fee"]["amount"]) == (True, 2000)


def test_a_group_is_moved_by_its_mentor_or_an_operator(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        mentees = [cast.mentee, cast.stranger]
        group = factories.make_group_session(db, mentees, listing=cast.listing)
    assert move(world, group, factories.next_slot(), cast.as_mentee).status_code == 403
    to = factories.next_slot()
    assert move(world, group, to, cast.as_mentor).status_code == 200
    assert move(world, group, to + timedelta(minutes=30), cast.as_operator).status_code == 200
    starts = select(booking_participants.c.start_time).where(booking_participants.c.booking_id == group.booking_id)
    assert set(execute(world.engine, starts).scalars()) == {to + timedelta(minutes=30)}
    listed = world.client.get("/sessions/mentee/my-sessions", headers=cast.as_mentee).json["items"]
    assert [each["startTime"] for each in listed] == [rfc3339(to + timedelta(minutes=30))]
    require_sound(world.engine)


def test_a_seat_is_left_without_a_fee_after_a_move(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=None)
        group = factories.make_group_session(db, [cast.mentee, cast.stranger], listing=listing)
    path = f"/group-sessions/{group.booking_id}/leave"
    assert world.client.post(path, json={}, headers=cast.as_mentee).json["code"] == "not_cancellable"
    assert move(world, group, factories.next_slot(), cast.as_operator).status_code == 200
    quote = world.client.get(f"/sessions/{group.id}/cancellation-quote", headers=cast.as_mentee).json
    assert (quote["allowed"], quote["late"], quote["fee"]["amount"]) == (True, False, 0)
    left = world.client.post(path, json={}, headers=cast.as_mentee)
    assert left.status_code == 200, left.json
    cancellation = left.json["cancellation"]
    assert (cancellation["fee"]["amount"], cancellation["refund"]["amount"]) == (0, 4000)
    with world.engine.begin() as db:
        long_ago = datetime.now(UTC) - timedelta(hours=49)
        db.execute(text("SET LOCAL session_replication_role = replica"))
        db.execute(update(sessions).where(sessions.c.id == group.id).values(rescheduled_at=long_ago))
    assert world.client.post(path, json={}, headers=cast.as_stranger).json["code"] == "not_cancellable"


def test_what_waits_is_not_moved(world: World, cast: Cast) -> None:
    """A draft of the former time stays, and is refused where the time is taken by then."""
    session = make_session(world.engine, cast)
    to = factories.next_slot()
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor)
        draft = factories.make_booking(db, listing=listing, start_time=to)
    assert move(world, session, to, cast.as_mentee).status_code == 200
    refused = world.client.post(f"/bookings/{draft.id}/accept", headers=cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (409, "slot_taken")
    blocks = execute(world.engine, select(func.count()).where(person_busy.c.booking_id == session.booking_id))
    assert blocks.scalar_one() == 2


def test_the_policy_may_be_free_for_longer_than_the_move(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=24)
        group = factories.make_group_session(db, [cast.mentee], listing=listing)
    to = factories.this_hour() + timedelta(days=400, minutes=20)
    assert move(world, group, to, cast.as_operator).status_code == 200
    quote = world.client.get(f"/sessions/{group.id}/cancellation-quote", headers=cast.as_mentee).json
    assert quote["freeUntil"] == rfc3339(to - timedelta(hours=24))


def test_the_mentees_hold_of_the_new_time_counts_for_no_limit(world: World, cast: Cast) -> None:
    put = world.client.put(
        f"/mentors/{cast.mentor.id}/booking-rules", json={"maxPerDay": 1, "maxPerWeek": 2}, headers=cast.as_mentor
    )
    assert put.status_code == 200
    session = make_session(world.engine, cast)
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor)
    to = session.start_time + timedelta(days=9)
    held = world.client.post(
        f"/mentors/{cast.mentor.id}/holds",
        json={"listingId": str(listing.id), "startTime": rfc3339(to)},
        headers=cast.as_mentee,
    )
    assert held.status_code == 201, held.json
    moved = move(world, session, to, cast.as_mentee)
    assert moved.status_code == 200, moved.json
    require_sound(world.engine)


@pytest.mark.parametrize(
    ("action", "done", "status"),
    [
        (Action.ACCEPT_TIME, "The session has a new time", "accepted"),
        (Action.DECLINE_TIME, "The session keeps its time", "declined"),
    ],
)
def test_a_link_answers_a_proposal_once(
    world: World, cast: Cast, engine: Engine, action: Action, done: str, status: str
) -> None:
    session = make_session(engine, cast, "by_agreement")
    proposal = propose(world, cast, session)
    proposal_id = UUID(proposal["id"])
    path = signed(action, proposal_id, cast.mentor.user_id)
    other = signed(
        Action.DECLINE_TIME if action is Action.ACCEPT_TIME else Action.ACCEPT_TIME, proposal_id, cast.mentor.user_id
    )
    stranger = signed(action, proposal_id, cast.stranger.id)
    own = signed(action, proposal_id, cast.mentee.id)
    with nothing_written(engine):
        for method in ("GET", "HEAD"):
            assert world.client.open(path, method=method).status_code == 200
    for wrong in (stranger, own):
        got = world.client.post(wrong)
        assert got.status_code in (403, 404), got.text
    assert heading(world.client.post(path)) == done
    assert world.client.get(path).status_code == 410
    assert world.client.post(path).status_code == 410
    assert world.client.post(other).status_code == 400
    assert world.client.get(other).status_code == 200
    assert execute(engine, select(reschedule_proposals.c.status)).scalar_one() == status
    require_sound(engine)


def test_a_draft_of_the_same_people_does_not_hinder_a_move(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast)
    to = factories.next_slot()
    with world.engine.begin() as db:
        factories.make_booking(db, listing=factories.make_listing(db, cast.mentor), mentee=cast.mentee, start_time=to)
    assert move(world, session, to, cast.as_mentee).status_code == 200
    require_sound(world.engine)


def test_a_proposal_changes_the_tag(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast, "by_agreement")
    tag = world.client.get(f"/sessions/{session.id}", headers=cast.as_mentor).headers["ETag"]
    propose(world, cast, session)
    seen = world.client.get(f"/sessions/{session.id}", headers={**cast.as_mentor, "If-None-Match": tag})
    assert seen.status_code == 200


def test_the_new_time_keeps_the_buffers_on_both_sides(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast, buffer_minutes=30, buffer_before_minutes=15)
    other = make_session(world.engine, cast)
    for to, code in (
        (other.start_time - timedelta(minutes=89), 409),
        (other.start_time - timedelta(minutes=90), 200),
        (other.end_time + timedelta(minutes=14), 409),
        (other.end_time + timedelta(minutes=15), 200),
    ):
        got = move(world, session, to, cast.as_operator)
        assert got.status_code == code, (to, got.json)
    require_sound(world.engine)


def test_a_time_that_the_mentee_has_filled_meanwhile_cannot_be_accepted(world: World, cast: Cast) -> None:
    session = make_session(world.engine, cast, "by_agreement")
    to = factories.next_slot()
    proposal = propose(world, cast, session, to, by="mentor")
    with world.engine.begin() as db:
        other = factories.make_booking(db, listing=factories.make_listing(db), mentee=cast.mentee, start_time=to)
        factories.accept_booking(db, other)
    got = answer(world, session, proposal, "accept", cast.as_mentee)
    assert (got.status_code, got.json["code"]) == (409, "slot_taken")
    assert answer(world, session, proposal, "decline", cast.as_mentee).status_code == 200
    require_sound(world.engine)
