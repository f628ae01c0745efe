"""Attendance over HTTP: recorded by the mentor, at completion or beside it, and what it means for reviews."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, update

from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiResponse, World, as_user
from tests.integration.harness import Harness, without_guards
from tests.queries import broken_invariants
from workflows.accounts.records import User
from workflows.sessions.records import Session


@pytest.fixture
def other(engine: Engine) -> User:
    with engine.begin() as db:
        return factories.make_user(db, name="Benedict Other")


@pytest.fixture
def started(engine: Engine, cast: Cast, other: User) -> Session:
    with engine.begin() as db:
        session = factories.make_group_session(db, [cast.mentee, other], listing=cast.listing)
        return factories.start_session(db, session)


def named(*present: tuple[User, bool]) -> dict[str, Any]:
    return {"attendance": [{"userId": str(user.id), "present": was} for user, was in present]}


def complete(world: World, cast: Cast, session: Session, body: dict[str, Any]) -> ApiResponse:
    return world.client.patch(f"/sessions/{session.id}/complete", json=body, headers=cast.as_mentor)


def attend(world: World, session: Session, body: Any, headers: dict[str, str]) -> ApiResponse:
    return world.client.post(f"/sessions/{session.id}/attendance", json=body, headers=headers)


def permits(world: World, user: User) -> int:
    return len(world.client.get("/reviews/permits", headers=as_user(user)).json["items"])


def review(world: World, session: Session, user: User) -> ApiResponse:
    return world.client.post(f"/sessions/{session.id}/review", json={"rating": 4}, headers=as_user(user))


def run_effects(engine: Engine) -> None:
    Harness(engine).run_all("reviews")


def assert_invariants_hold(engine: Engine) -> None:
    assert not broken_invariants(engine)


def test_the_absent_get_no_permit(world: World, cast: Cast, started: Session, other: User) -> None:
    completed = complete(world, cast, started, {"notes": "Done", **named((cast.mentee, True), (other, False))})
    assert (completed.status_code, completed.json["notes"]) == (200, "Done")
    run_effects(world.engine)
    assert (permits(world, cast.mentee), permits(world, other)) == (1, 0)
    refused = review(world, started, other)
    assert (refused.status_code, refused.json["code"]) == (409, "review_not_open")
    assert "absent" in refused.json["message"]
    assert review(world, started, cast.mentee).status_code == 201
    assert_invariants_hold(world.engine)


def test_each_present_participant_gets_a_permit(world: World, cast: Cast, started: Session, other: User) -> None:
    assert complete(world, cast, started, named((cast.mentee, True))).status_code == 200
    run_effects(world.engine)
    # Nothing was recorded of the other one.
    assert (permits(world, cast.mentee), permits(world, other)) == (1, 1)
    group = world.client.get(f"/group-sessions/{started.booking_id}", headers=cast.as_mentor).json
    assert {each["userId"]: each["present"] for each in group["participants"]} == {
        str(cast.mentee.id): True,
        str(other.id): None,
    }


def test_attendance_is_recorded_while_the_session_runs(world: World, cast: Cast, started: Session, other: User) -> None:
    answer = attend(world, started, named((other, False)), cast.as_mentor)
    assert answer.status_code == 200
    assert [(each["name"], each["present"]) for each in answer.json["items"]] == [
        (cast.mentee.name, None),
        (other.name, False),
    ]
    complete(world, cast, started, {})
    run_effects(world.engine)
    assert (permits(world, cast.mentee), permits(world, other)) == (1, 0)


def test_a_correction_withdraws_and_returns_the_permit(world: World, cast: Cast, started: Session, other: User) -> None:
    complete(world, cast, started, named((cast.mentee, False)))
    run_effects(world.engine)
    corrected = attend(world, started, named((cast.mentee, True), (other, False)), cast.as_operator)
    assert corrected.status_code == 200
    run_effects(world.engine)
    assert (permits(world, cast.mentee), permits(world, other)) == (1, 0)
    assert "absent" in review(world, started, other).json["message"]
    assert review(world, started, cast.mentee).status_code == 201
    attend(world, started, named((other, True)), cast.as_mentor)
    assert review(world, started, other).status_code == 201
    assert_invariants_hold(world.engine)


def test_a_correction_before_the_effect_holds(world: World, cast: Cast, started: Session, other: User) -> None:
    complete(world, cast, started, named((cast.mentee, False)))
    attend(world, started, named((cast.mentee, True), (other, False)), cast.as_mentor)
    run_effects(world.engine)
    assert (permits(world, cast.mentee), permits(world, other)) == (1, 0)
    assert_invariants_hold(world.engine)


def test_a_written_review_stays_after_a_correction(world: World, cast: Cast, started: Session) -> None:
    complete(world, cast, started, {})
    run_effects(world.engine)
    written = review(world, started, cast.mentee)
    assert attend(world, started, named((cast.mentee, False)), cast.as_mentor).status_code == 200
    assert world.client.get(f"/reviews/{written.json['id']}", headers=cast.as_mentee).status_code == 200
    assert_invariants_hold(world.engine)


def test_only_mentees_of_the_session_are_named(world: World, cast: Cast, started: Session) -> None:
    for stranger in (cast.stranger.id, uuid4()):
        body = {"attendance": [{"userId": str(stranger), "present": True}]}
        for answer in (attend(world, started, body, cast.as_mentor), complete(world, cast, started, body)):
            assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
            assert str(stranger) in answer.json["details"]["attendance"][0]
    assert world.client.get(f"/sessions/{started.id}", headers=cast.as_mentor).json["status"] == "in_progress"


def test_bad_attendance_is_refused(world: World, cast: Cast, started: Session) -> None:
    twice = named((cast.mentee, True), (cast.mentee, False))
    bad: list[object] = [[], None, [{}], "all"]
    for body in ({}, twice, *({"attendance": each} for each in bad)):
        assert attend(world, started, body, cast.as_mentor).status_code == 400, body


def test_attendance_is_the_mentors_and_operators(world: World, cast: Cast, started: Session) -> None:
    body = named((cast.mentee, True))
    for headers in (cast.as_mentee, cast.as_stranger, cast.as_other_mentor):
        assert attend(world, started, body, headers).status_code == 403
    assert attend(world, started, body, cast.as_operator).status_code == 200


def test_attendance_begins_with_the_session(world: World, cast: Cast, scheduled: Session) -> None:
    refused = attend(world, scheduled, named((cast.mentee, True)), cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_transition")


def test_attendance_is_corrected_for_seven_days(world: World, cast: Cast, started: Session) -> None:
    with world.engine.begin() as db:
        completed = factories.complete_session(db, started)
        with without_guards(db):
            week_ago = sessions.c.completed_at - timedelta(days=7, minutes=1)
            db.execute(update(sessions).where(sessions.c.id == completed.id).values(completed_at=week_ago))
    refused = attend(world, started, named((cast.mentee, True)), cast.as_mentor)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_transition")


def test_an_individual_session_has_attendance_too(world: World, cast: Cast, in_progress: Session) -> None:
    assert complete(world, cast, in_progress, named((cast.mentee, True))).status_code == 200
    run_effects(world.engine)
    (participant,) = attend(world, in_progress, named((cast.mentee, True)), cast.as_mentor).json["items"]
    assert (participant["present"], permits(world, cast.mentee)) == (True, 1)
    assert_invariants_hold(world.engine)


@pytest.mark.parametrize("by", ["as_mentee", "as_mentor"])
def test_the_mentee_of_a_started_session_is_not_absent(world: World, cast: Cast, scheduled: Session, by: str) -> None:
    start = world.client.post(f"/sessions/{scheduled.id}/start", headers=getattr(cast, by))
    assert start.status_code == 200
    absent = named((cast.mentee, False))
    for answer in (
        complete(world, cast, scheduled, absent),
        attend(world, scheduled, absent, cast.as_mentor),
        attend(world, scheduled, absent, cast.as_operator),
    ):
        assert (answer.status_code, list(answer.json["details"])) == (400, ["attendance"])
        assert "no-show" in answer.json["message"]
    reported = world.client.post(f"/sessions/{scheduled.id}/no-show", json={"who": "mentee"}, headers=cast.as_mentor)
    assert (reported.status_code, reported.json["code"]) == (400, "invalid_transition")
    assert complete(world, cast, scheduled, named((cast.mentee, True))).status_code == 200
    assert attend(world, scheduled, absent, cast.as_mentor).status_code == 400
    run_effects(world.engine)
    assert permits(world, cast.mentee) == 1
    assert review(world, scheduled, cast.mentee).status_code == 201
    assert_invariants_hold(world.engine)
