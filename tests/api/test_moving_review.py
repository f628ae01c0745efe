"""Reproductions about moving, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from models.sessions import reschedule_proposals
from tests import factories
from tests.api.conftest import Cast, counts
from tests.api.links import heading, signed
from tests.api.test_moving import answer, make_session, move, propose, require_sound
from tests.api.test_payments import Till, make_listing
from tests.api.test_seat_payments import joined, step, till  # noqa: F401
from tests.application import World
from tests.queries import execute
from workflows.action_links.link import Action
from workflows.kernel.clock import rfc3339
from workflows.sessions.actions import create


def test_the_policy_may_be_free_for_longer_than_the_move(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=24)
        group = factories.make_group_session(db, [cast.mentee], listing=listing)
    to = factories.this_hour() + timedelta(days=400, minutes=20)
    assert move(world, group, to, cast.as_operator).status_code == 200
    quote = world.client.get(f"/sessions/{group.id}/cancellation-quote", headers=cast.as_mentee).json
    assert quote["freeUntil"] == rfc3339(to - timedelta(hours=24)), quote


def test_who_pays_after_a_move_leaves_without_a_fee(till: Till) -> None:  # noqa: F811
    listing = make_listing(till.engine, till.cast, cancellation_window_hours=None)
    start = factories.this_hour() + timedelta(days=420)
    with till.engine.begin() as db:
        group = factories.make_group(db, [], listing=listing, start_time=start, capacity=2)
        session = create(db, booking_id=group.id)
    payment = joined(till, str(group.id))["payment"]
    assert move(till.world, session, start + timedelta(days=1), till.cast.as_operator).status_code == 200
    paid = till.post(
        f"/payments/{payment['id']}/confirm",
        {"reference": "pi_1", "amount": payment["amount"]},
        till.cast.as_operator,
    )
    assert paid.status_code == 200, paid.json
    left = step(till, str(group.id), "leave")
    assert left.status_code == 200, left.json
    till.require_sound()


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
    pid = UUID(proposal["id"])
    path = signed(action, pid, cast.mentor.user_id)
    other = signed(
        Action.DECLINE_TIME if action is Action.ACCEPT_TIME else Action.ACCEPT_TIME, pid, cast.mentor.user_id
    )
    stranger = signed(action, pid, cast.stranger.id)
    own = signed(action, pid, cast.mentee.id)
    before = counts(engine)
    for method in ("GET", "HEAD"):
        assert world.client.open(path, method=method).status_code == 200
    assert counts(engine) == before
    for wrong in (stranger, own):
        got = world.client.post(wrong)
        assert got.status_code in (403, 404), got.text
    assert heading(world.client.post(path)) == done
    assert world.client.get(path).status_code == 410
    assert world.client.post(path).status_code == 410
    again = world.client.post(other)

    assert again.status_code == 400
    assert world.client.get(other).status_code == 200
    assert execute(engine, select(reschedule_proposals.c.status)).scalar_one() == status
    require_sound(engine)


def test_draft_of_the_same_people_at_the_new_time(world: World, cast: Cast) -> None:
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


def test_buffers(world: World, cast: Cast) -> None:
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


def test_a_moved_early_proposal_by_mentor_own_mentee_overlap(world: World, cast: Cast) -> None:
    """The mentor proposes; the mentee accepts a time at which by then they have another session."""
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
