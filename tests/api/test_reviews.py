"""Reviews over HTTP: who may write one and when, what is shown to whom, and what the mentor's average becomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select

from models.events import events
from tests import factories
from tests.api.conftest import Cast, Headers, counts
from tests.application import World, as_user
from tests.statements import statements_of
from workflows.reviews.permits import Permit
from workflows.sessions.session import Session

GOOD: dict[str, Any] = {"rating": 4, "comment": "I left with a plan."}


def headers_of(cast: Cast, who: str) -> Headers:
    """With which headers each of them calls."""
    headers: Headers = getattr(cast, f"as_{who}")
    return headers


def permit(engine: Engine, cast: Cast, **other: Any) -> Permit:
    """The mentee's permit to review a session of the mentor."""
    with engine.begin() as db:
        return factories.make_permit(db, **{"listing": cast.listing, "mentee": cast.mentee, **other})


def review(world: World, headers: Headers, session_id: object, body: Any = GOOD, **more: str) -> Any:
    """Review a session."""
    return world.client.post(f"/sessions/{session_id}/review", json=body, headers={**headers, **more})


def rating(world: World, cast: Cast) -> tuple[float | None, int]:
    """The mentor's average and number of reviews, as everybody sees them."""
    profile = world.client.get(f"/mentors/{cast.mentor.id}", headers=cast.as_stranger).json
    return profile["rating"], profile["reviewCount"]


def test_a_mentee_reviews_a_completed_session_and_the_average_moves(world: World, cast: Cast, engine: Engine) -> None:
    first, second = permit(engine, cast), permit(engine, cast)
    assert rating(world, cast) == (None, 0)
    answer = review(world, cast.as_mentee, first.session_id)
    assert answer.status_code == 201
    assert answer.json == {
        "id": answer.json["id"],
        "mentorProfileId": str(cast.mentor.id),
        "sessionId": str(first.session_id),
        "menteeUserId": str(cast.mentee.id),
        "reviewer": "Ada L.",
        **GOOD,
        "answer": None,
        "answeredAt": None,
        "hidden": False,
        "hiddenReason": None,
        "createdAt": answer.json["createdAt"],
    }
    assert answer.headers["ETag"] == '"1-whole"'
    read = world.client.get(answer.headers["Location"], headers=cast.as_mentee)
    assert (read.json, read.headers["ETag"]) == (answer.json, '"1-whole"')
    assert rating(world, cast) == (4.0, 1)
    assert review(world, cast.as_mentee, second.session_id, {"rating": 1}).json["comment"] is None
    assert rating(world, cast) == (2.5, 2)


def test_a_session_is_reviewed_once(world: World, cast: Cast, engine: Engine) -> None:
    session_id = permit(engine, cast).session_id
    assert review(world, cast.as_mentee, session_id).status_code == 201
    again = review(world, cast.as_mentee, session_id, {"rating": 1})
    assert (again.status_code, again.json["code"]) == (409, "already_reviewed")
    assert rating(world, cast) == (4.0, 1)


def test_under_one_key_it_is_written_once_and_answered_twice(world: World, cast: Cast, engine: Engine) -> None:
    session_id, key = permit(engine, cast).session_id, {"Idempotency-Key": "once"}
    first, again = (review(world, cast.as_mentee, session_id, **key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert rating(world, cast) == (4.0, 1)


@pytest.mark.parametrize("state", ["scheduled", "in_progress", "cancelled", "completed, and its effect to come"])
def test_before_its_completion_has_unlocked_it_a_session_is_not_reviewed(
    world: World, cast: Cast, engine: Engine, scheduled: Session, state: str
) -> None:
    with engine.begin() as db:
        if state == "cancelled":
            world.client.post(f"/sessions/{scheduled.id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentor)
        elif state == "in_progress":
            factories.start_session(db, scheduled)
        elif state != "scheduled":
            factories.complete_session(db, scheduled)
    before = counts(engine)
    answer = review(world, cast.as_mentee, scheduled.id)
    assert (answer.status_code, answer.json["code"]) == (409, "review_not_open")
    assert ("cancelled" in answer.json["message"]) == (state == "cancelled")
    assert counts(engine) == before


def test_after_thirty_days_a_session_is_not_reviewed_any_more(world: World, cast: Cast, engine: Engine) -> None:
    month = timedelta(days=30)
    now = datetime.now(UTC)
    late = permit(engine, cast, at=now - month)
    in_time = permit(engine, cast, at=now - month + timedelta(minutes=5))
    refused = review(world, cast.as_mentee, late.session_id)
    assert (refused.status_code, refused.json["code"]) == (409, "review_not_open")
    assert review(world, cast.as_mentee, in_time.session_id).status_code == 201


@pytest.mark.parametrize("who", ["mentor", "operator", "stranger", "other_mentor"])
def test_only_a_mentee_of_the_session_reviews_it(world: World, cast: Cast, engine: Engine, who: str) -> None:
    session_id = permit(engine, cast).session_id
    answer = review(world, headers_of(cast, who), session_id)
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert rating(world, cast) == (None, 0)


@pytest.mark.parametrize("who", ["mentee", "mentor", "stranger"])
def test_a_session_that_is_not_there_is_refused_as_reading_it_is(
    world: World, cast: Cast, who: str, engine: Engine
) -> None:
    with engine.begin() as db:
        draft = factories.make_booking(db, listing=cast.listing, mentee=cast.mentee)
        awaited = factories.accept_booking(db, draft).session_id
    for session_id in (awaited, uuid4(), "no-id"):
        read = world.client.get(f"/sessions/{session_id}", headers=headers_of(cast, who))
        answer = review(world, headers_of(cast, who), session_id)
        assert (answer.status_code, answer.json["code"]) == (read.status_code, read.json["code"])
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rating": 0},
        {"rating": 6},
        {"rating": 4.5},
        {"rating": "5"},
        {"rating": True},
        {"rating": None},
        {"comment": "No rating"},
        {"rating": 5, "comment": "x" * 5001},
        {"rating": 5, "comment": 7},
        {"rating": 5, "comment": "\u0000"},
        {"rating": 5, "menteeUserId": str(uuid4())},
    ],
)
def test_a_review_that_does_not_fit_is_not_written(world: World, cast: Cast, engine: Engine, body: Any) -> None:
    session_id = permit(engine, cast).session_id
    answer = review(world, cast.as_mentee, session_id, body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert rating(world, cast) == (None, 0)
    assert review(world, cast.as_mentee, session_id, {"rating": 5, "comment": "x" * 5000}).status_code == 201


def test_everybody_of_a_group_reviews_it_once(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        people = [cast.mentee, factories.make_user(db, name="Alan Mathison Turing")]
        session = factories.complete_session(db, factories.make_group_session(db, people, listing=cast.listing))
        factories.unlock_review(db, session, cast.mentee.id)
    for person, stars in zip(people, (5, 2), strict=True):
        assert review(world, as_user(person), session.id, {"rating": stars}).status_code == 201
        assert review(world, as_user(person), session.id).json["code"] == "already_reviewed"
    assert review(world, cast.as_stranger, session.id).status_code == 403
    assert rating(world, cast) == (3.5, 2)
    shown = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=cast.as_stranger).json["items"]
    assert [(item["reviewer"], item["rating"]) for item in shown] == [("Alan T.", 2), ("Ada L.", 5)]


def test_a_mentees_own_open_permits_are_listed_and_used_and_expired_ones_are_not(
    world: World, cast: Cast, engine: Engine
) -> None:
    permit(engine, cast, at=datetime.now(UTC) - timedelta(days=30))
    used, *kept = [permit(engine, cast) for _ in range(3)]
    with engine.begin() as db:
        permit(engine, cast, mentee=cast.stranger)
        factories.make_review(db, used)
    with statements_of(engine) as made:
        listed = world.client.get("/reviews/permits", headers=cast.as_mentee)
    assert len(made.statements) == 2
    assert listed.json["items"] == [
        {
            "sessionId": str(each.session_id),
            "mentorProfileId": str(cast.mentor.id),
            "unlockedAt": each.unlocked_at.isoformat().replace("+00:00", "Z"),
            "expiresAt": each.expires_at.isoformat().replace("+00:00", "Z"),
        }
        for each in reversed(kept)
    ]
    page = world.client.get("/reviews/permits?limit=1", headers=cast.as_mentee).json
    rest = world.client.get(f"/reviews/permits?limit=1&cursor={page['nextCursor']}", headers=cast.as_mentee).json
    assert (page["items"] + rest["items"], rest["nextCursor"]) == (listed.json["items"], None)
    assert world.client.get("/reviews/permits", headers=cast.as_mentor).json["items"] == []
    assert world.client.get("/reviews/permits", headers=cast.as_operator).status_code == 403


def test_a_review_makes_four_statements_and_one_commit(world: World, cast: Cast, engine: Engine) -> None:
    session_id = permit(engine, cast).session_id
    with statements_of(engine) as made:
        assert review(world, cast.as_mentee, session_id).status_code == 201
    assert (len(made.statements), made.commits) == (4, 1)
    assert "analytics.review_submitted" in {nudge.effect for nudge in world.nudges.take()}


def test_what_happened_is_told_without_a_word_of_what_was_said(world: World, cast: Cast, engine: Engine) -> None:
    written = review(world, cast.as_mentee, permit(engine, cast).session_id).json
    with engine.connect() as db:
        told = db.execute(select(events.c.data, events.c.subject_id).where(events.c.type == "review.submitted")).one()
    assert str(told.subject_id) == written["id"]
    assert told.data == {
        "review_id": written["id"],
        "session_id": written["sessionId"],
        "mentor_profile_id": written["mentorProfileId"],
        "mentee_user_id": written["menteeUserId"],
    }


@pytest.mark.parametrize(
    ("who", "knows_whose"),
    [("mentee", True), ("mentor", True), ("operator", True), ("stranger", False), ("other_mentor", False)],
)
def test_a_review_leads_strangers_neither_to_its_session_nor_to_its_author(
    world: World, cast: Cast, engine: Engine, who: str, knows_whose: bool
) -> None:
    written = review(world, cast.as_mentee, permit(engine, cast).session_id).json
    hidden = {} if knows_whose else {"sessionId": None, "menteeUserId": None}
    with statements_of(engine) as made:
        listed = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=headers_of(cast, who)).json["items"]
    assert len(made.statements) <= 3, "the caller, unless it is an operator; the mentor, and their reviews"
    read = world.client.get(f"/reviews/{written['id']}", headers=headers_of(cast, who))
    assert listed == [read.json] == [{**written, **hidden}]
    assert read.headers["ETag"] == ('"1-whole"' if knows_whose else '"1"')


def test_a_mentors_reviews_come_in_pages_the_newest_first(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        made = [
            factories.make_review(db, factories.make_permit(db, listing=cast.listing, mentee=cast.mentee), rating=stars)
            for stars in (1, 2, 3, 4, 5)
        ]
        factories.make_review(db)
    path, found, cursor = f"/mentors/{cast.mentor.id}/reviews?limit=2", [], ""
    while cursor is not None:
        page = world.client.get(f"{path}{cursor and f'&cursor={cursor}'}", headers=cast.as_stranger).json
        found += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert found == [str(each.id) for each in reversed(made)]


def test_a_cursor_is_good_for_one_mentors_reviews(world: World, cast: Cast, engine: Engine) -> None:
    for _ in range(2):
        review(world, cast.as_mentee, permit(engine, cast).session_id)
    path = "/mentors/{}/reviews?limit=1"
    cursor = world.client.get(path.format(cast.mentor.id), headers=cast.as_stranger).json["nextCursor"]
    other = world.client.get(f"{path.format(cast.other_mentor.id)}&cursor={cursor}", headers=cast.as_stranger)
    assert (other.status_code, list(other.json["details"])) == (400, ["cursor"])


def test_the_reviews_of_nobody_are_not_found_and_of_a_mentor_without_any_an_empty_list(
    world: World, cast: Cast
) -> None:
    assert world.client.get(f"/mentors/{cast.mentor.id}/reviews").status_code == 401
    for headers in (cast.as_stranger, cast.as_operator):
        empty = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=headers)
        assert (empty.status_code, empty.json) == (200, {"items": [], "nextCursor": None})
        # What the path names comes before the query.
        for query in ("", "?limit=0", "?cursor=nonsense"):
            for mentor in (uuid4(), "no-id"):
                answer = world.client.get(f"/mentors/{mentor}/reviews{query}", headers=headers)
                assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        assert world.client.get(f"/mentors/{cast.mentor.id}/reviews?limit=0", headers=headers).status_code == 400
