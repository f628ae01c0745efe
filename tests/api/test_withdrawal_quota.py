"""How often a mentee may withdraw, cancel and leave: each time others are notified."""

import pytest
from sqlalchemy import Engine, text

from tests import factories
from tests.api.conftest import Cast, nothing_written, refusal
from tests.api.links import signed
from tests.application import ApiResponse, World, as_mentor
from tests.queries import execute
from workflows.action_links.link import Action


@pytest.fixture
def world(engine: Engine) -> World:
    return World.on(engine, max_withdrawals_per_day=2)


def withdraw(world: World, cast: Cast) -> ApiResponse:
    booking = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json["id"]
    return world.client.post(f"/bookings/{booking}/cancel", headers=cast.as_mentee)


def cancel(world: World, cast: Cast, headers: dict[str, str]) -> ApiResponse:
    with world.engine.begin() as db:
        session = factories.make_session(db, listing=cast.listing, mentee=cast.mentee)
    body = {"reason": "Ill"}
    return world.client.post(f"/sessions/{session.id}/cancel", json=body, headers=headers)


def leave(world: World, cast: Cast) -> ApiResponse:
    with world.engine.begin() as db:
        group = factories.make_group(db, [], listing=cast.listing, capacity=3)
    assert world.client.post(f"/group-sessions/{group.id}/join", headers=cast.as_mentee).status_code == 200
    return world.client.post(f"/group-sessions/{group.id}/leave", headers=cast.as_mentee)


def test_withdrawing_cancelling_and_leaving_count_together(world: World, cast: Cast) -> None:
    assert withdraw(world, cast).status_code == leave(world, cast).status_code == 200
    for refused in (withdraw(world, cast), cancel(world, cast, cast.as_mentee), leave(world, cast)):
        assert refusal(refused) == (429, "rate_limited")
        assert 43_000 < int(refused.headers["Retry-After"]) <= 43_200
    execute(world.engine, text("UPDATE quota_usage SET used_until = used_until - interval '12 hours'"))
    assert cancel(world, cast, cast.as_mentee).status_code == 200


def test_leaving_a_waiting_list_counts_once(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        group = factories.make_group(db, [cast.stranger], listing=cast.listing, capacity=1)
    path = f"/group-sessions/{group.id}/waitlist"
    for _ in range(2):
        assert world.client.post(path, headers=cast.as_mentee).status_code == 201
        # The second time there is nothing to leave.
        assert [world.client.delete(path, headers=cast.as_mentee).status_code for _ in range(2)] == [204, 204]
    assert world.client.post(path, headers=cast.as_mentee).status_code == 201
    assert refusal(world.client.delete(path, headers=cast.as_mentee)) == (429, "rate_limited")
    assert refusal(withdraw(world, cast)) == (429, "rate_limited")


def test_mentors_and_operators_cancel_any_number(world: World, cast: Cast) -> None:
    for headers in (cast.as_mentor, cast.as_operator):
        assert {cancel(world, cast, headers).status_code for _ in range(3)} == {200}


def test_a_mentor_who_books_with_another_is_counted(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        own = as_mentor(factories.make_mentor(db, cast.mentee))
    assert [cancel(world, cast, own).status_code for _ in range(3)] == [200, 200, 429]


def test_what_is_refused_otherwise_uses_nothing_up(world: World, cast: Cast) -> None:
    first = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json["id"]
    path = f"/bookings/{first}/cancel"
    assert world.client.post(path, headers=cast.as_mentee).status_code == 200
    with nothing_written(world.engine):
        assert [world.client.post(path, headers=cast.as_mentee).status_code for _ in range(3)] == [400] * 3
    assert withdraw(world, cast).status_code == 200


def test_links_in_mails_are_counted_too(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        sessions = [factories.make_session(db, listing=cast.listing, mentee=cast.mentee) for _ in range(2)]
        group = factories.make_group(db, [], listing=cast.listing, capacity=3)
    assert world.client.post(f"/group-sessions/{group.id}/join", headers=cast.as_mentee).status_code == 200
    first, second = (signed(Action.CANCEL, session.booking_id, cast.mentee.id) for session in sessions)
    seat = signed(Action.CANCEL, group.id, cast.mentee.id)
    assert world.client.post(first, data={"reason": "Ill"}).status_code == withdraw(world, cast).status_code == 200
    for link in (second, seat):
        refused = world.client.post(link, data={"reason": "Ill"})
        assert (refused.status_code, refused.mimetype) == (429, "text/html")
        assert "You have cancelled very much today" in refused.text
        assert 43_000 < int(refused.headers["Retry-After"]) <= 43_200
        # The link is as good as before.
        assert world.client.get(link).status_code == 200
    by_mentor = signed(Action.CANCEL, sessions[1].booking_id, cast.mentor.user_id)
    assert world.client.post(by_mentor, data={"reason": "Ill"}).status_code == 200
