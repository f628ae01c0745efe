"""How little a request asks of the database: its latency is made of round trips."""

from tests.api.conftest import Cast
from tests.application import World
from tests.statements import statements_of
from workflows.bookings.records import Booking
from workflows.sessions.records import Session


def test_accept_makes_four_statements_and_one_commit(world: World, cast: Cast, draft: Booking) -> None:
    with statements_of(world.engine) as made:
        answer = world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor)
    assert answer.status_code == 202
    assert len(made.statements) == 4, "the caller, the booking, the step, its event"
    assert made.commits == 1


def test_the_other_steps_make_no_more(world: World, cast: Cast, scheduled: Session) -> None:
    for step in ("start", "complete"):
        with statements_of(world.engine) as made:
            assert world.client.patch(f"/sessions/{scheduled.id}/{step}", headers=cast.as_mentor).status_code == 200
        assert len(made.statements) == 4, made.statements
        assert made.commits == 1


def test_a_request_makes_four_statements(world: World, cast: Cast) -> None:
    with statements_of(world.engine) as made:
        assert world.client.post("/bookings", headers=cast.as_mentee, json=cast.body()).status_code == 201
    assert len(made.statements) == 4, "the caller, the listing with its hours, the booking, its event"
    assert made.commits == 1


def test_a_detail_makes_two_statements(world: World, cast: Cast, draft: Booking, scheduled: Session) -> None:
    for path in (f"/bookings/{draft.id}", f"/sessions/{scheduled.id}", f"/listings/{cast.listing.id}"):
        with statements_of(world.engine) as made:
            assert world.client.get(path, headers=cast.as_mentee).status_code == 200
        assert len(made.statements) == 2


def test_what_needs_no_database_asks_nothing_of_it(world: World) -> None:
    with statements_of(world.engine) as made:
        for path in ("/health/live", "/docs", "/openapi.json", "/me", "/nowhere"):
            world.client.get(path)
    assert (made.statements, made.commits) == ([], 0)


def test_the_nudges_of_a_refused_decision_are_not_given_on(world: World, cast: Cast, draft: Booking) -> None:
    world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor)
    assert {wakeup.effect for wakeup in world.wakeups.take()} >= {"sessions.create"}
    assert world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor).status_code == 400
    assert world.wakeups.take() == []
