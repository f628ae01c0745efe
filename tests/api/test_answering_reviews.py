"""The mentor's answer to a review: once, and to the right one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import World
from tests.statements import statements_of
from workflows.reviews.review import Review
from workflows.sessions.session import Session

THANKS = {"answer": "Thank you, I enjoyed it too."}


def answer(world: World, session_id: object, headers: Headers, body: Any = None, **more: str) -> Any:
    """Answer a review of a session."""
    path = f"/sessions/{session_id}/review/answer"
    return world.client.post(path, json=THANKS if body is None else body, headers={**headers, **more})


def test_the_mentor_answers_once_and_everybody_reads_it(world: World, cast: Cast, reviewed: Review) -> None:
    with statements_of(world.engine) as made:
        written = answer(world, reviewed.session_id, cast.as_mentor)
    assert (written.status_code, len(made.statements), made.commits) == (201, 4, 1)
    assert (written.json["id"], written.json["answer"]) == (str(reviewed.id), THANKS["answer"])
    assert written.json["answeredAt"] is not None
    assert written.headers["ETag"] == '"2-whole"'
    for headers in (cast.as_stranger, cast.as_mentee):
        read = world.client.get(written.headers["Location"], headers=headers).json
        assert (read["answer"], read["answeredAt"]) == (THANKS["answer"], written.json["answeredAt"])
    again = answer(world, reviewed.session_id, cast.as_mentor, {"answer": "Something better"})
    assert (again.status_code, again.json["code"]) == (409, "already_answered")


def test_under_one_key_it_is_answered_once(world: World, cast: Cast, reviewed: Review) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = (answer(world, reviewed.session_id, cast.as_mentor, **key) for _ in range(2))
    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)


@pytest.mark.parametrize("who", ["mentee", "stranger", "other_mentor", "operator"])
def test_nobody_else_answers(world: World, cast: Cast, reviewed: Review, who: str) -> None:
    refused = answer(world, reviewed.session_id, getattr(cast, f"as_{who}"))
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")


def test_what_nobody_has_said_is_not_answered(world: World, cast: Cast, scheduled: Session) -> None:
    assert answer(world, scheduled.id, cast.as_mentor).json["code"] == "not_found"
    assert answer(world, uuid4(), cast.as_mentor).json["code"] == "not_found"


@pytest.mark.parametrize(
    "body",
    [{}, {"answer": ""}, {"answer": None}, {"answer": "x" * 5001}, {"answer": "Thanks", "reviewId": "mine"}],
)
def test_an_answer_that_does_not_fit_is_not_written(world: World, cast: Cast, reviewed: Review, body: Any) -> None:
    refused = answer(world, reviewed.session_id, cast.as_mentor, body)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert answer(world, reviewed.session_id, cast.as_mentor).status_code == 201


def test_of_several_reviews_of_a_group_the_mentor_says_which_one(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        people = [cast.mentee, cast.stranger]
        session = factories.complete_session(db, factories.make_group_session(db, people, listing=cast.listing))
        permits = [factories.unlock_review(db, session, person.id) for person in people]
        one = factories.make_review(db, permits[0])
    assert answer(world, session.id, cast.as_mentor).json["id"] == str(one.id)
    with engine.begin() as db:
        other = factories.make_review(db, permits[1])
    unclear = answer(world, session.id, cast.as_mentor)
    assert (unclear.status_code, list(unclear.json["details"])) == (400, ["reviewId"])
    clear = answer(world, session.id, cast.as_mentor, {**THANKS, "reviewId": str(other.id)})
    assert (clear.status_code, clear.json["id"]) == (201, str(other.id))
    repeated = answer(world, session.id, cast.as_mentor, {**THANKS, "reviewId": str(one.id)})
    assert repeated.json["code"] == "already_answered"


def test_a_review_of_another_session_is_not_answered_here(world: World, cast: Cast, reviewed: Review) -> None:
    with world.engine.begin() as db:
        elsewhere = factories.make_review(db, factories.make_permit(db, listing=cast.listing))
    for review_id in (elsewhere.id, uuid4()):
        refused = answer(world, reviewed.session_id, cast.as_mentor, {**THANKS, "reviewId": str(review_id)})
        assert (refused.status_code, refused.json["code"]) == (404, "not_found")
