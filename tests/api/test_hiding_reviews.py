"""Operators hide reviews and show them again: what is seen and counted then, and what the audit keeps of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import Cast, Headers, counts
from tests.application import World, as_operator
from tests.statements import statements_of
from workflows.reviews.review import Review

HIDE: dict[str, Any] = {"hidden": True, "reason": "It names another mentee."}
SHOW: dict[str, Any] = {"hidden": False, "reason": "The name is gone."}


@pytest.fixture
def pair(engine: Engine, cast: Cast) -> list[Review]:
    """Two reviews of the mentor, of five and of two, the first one by the mentee."""
    with engine.begin() as db:
        return [
            factories.make_review(
                db, factories.make_permit(db, listing=cast.listing, mentee=mentee), rating=stars, comment="Well."
            )
            for mentee, stars in ((cast.mentee, 5), (cast.stranger, 2))
        ]


def moderate(world: World, review: Review, body: Any, headers: Headers | None = None, **more: str) -> Any:
    """Hide a review or show it again, as an operator unless said otherwise."""
    asking = as_operator("jo") if headers is None else headers
    return world.client.patch(f"/reviews/{review.id}", json=body, headers={**asking, **more})


def rating(world: World, cast: Cast) -> tuple[float | None, int]:
    """The mentor's average and number of reviews, as everybody sees them."""
    profile = world.client.get(f"/mentors/{cast.mentor.id}", headers=cast.as_stranger).json
    return profile["rating"], profile["reviewCount"]


def ids(world: World, cast: Cast, headers: Headers) -> list[str]:
    """The mentor's reviews as somebody sees them."""
    listed = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=headers).json["items"]
    return [item["id"] for item in listed]


def test_what_is_hidden_does_not_count_until_it_is_shown_again(world: World, cast: Cast, pair: list[Review]) -> None:
    assert rating(world, cast) == (3.5, 2)
    hidden = moderate(world, pair[0], HIDE)
    assert (hidden.status_code, hidden.headers["ETag"]) == (200, '"2-whole"')
    assert (hidden.json["hidden"], hidden.json["hiddenReason"]) == (True, HIDE["reason"])
    assert rating(world, cast) == (2.0, 1)
    # Hidden twice, it is taken off once; the reason is the later one.
    assert (
        moderate(world, pair[0], {**HIDE, "reason": "It is an advertisement."}).json["hiddenReason"] != HIDE["reason"]
    )
    assert rating(world, cast) == (2.0, 1)
    assert moderate(world, pair[1], HIDE).status_code == 200
    assert rating(world, cast) == (None, 0)
    shown = moderate(world, pair[0], SHOW)
    assert (shown.json["hidden"], shown.json["hiddenReason"]) == (False, None)
    assert rating(world, cast) == (5.0, 1)
    assert moderate(world, pair[0], SHOW).status_code == 200
    assert rating(world, cast) == (5.0, 1)


def test_what_is_hidden_is_seen_by_its_author_and_operators_alone(world: World, cast: Cast, pair: list[Review]) -> None:
    moderate(world, pair[0], HIDE)
    both, other = [str(pair[1].id), str(pair[0].id)], [str(pair[1].id)]
    path = f"/reviews/{pair[0].id}"
    for headers, sees in ((cast.as_mentee, True), (cast.as_operator, True), (cast.as_mentor, False)):
        assert ids(world, cast, headers) == (both if sees else other)
        read = world.client.get(path, headers=headers)
        assert read.status_code == (200 if sees else 404)
        if sees:
            assert (read.json["hidden"], read.json["hiddenReason"]) == (True, HIDE["reason"])
    assert ids(world, cast, cast.as_other_mentor) == other
    gone = world.client.get(path, headers=cast.as_stranger)
    nowhere = world.client.get(f"/reviews/{uuid4()}", headers=cast.as_stranger)
    assert (gone.status_code, gone.json["message"]) == (nowhere.status_code, nowhere.json["message"])


def test_what_is_hidden_is_not_answered_and_not_written_again(world: World, cast: Cast, pair: list[Review]) -> None:
    moderate(world, pair[0], HIDE)
    path = f"/sessions/{pair[0].session_id}/review"
    answer = world.client.post(f"{path}/answer", json={"answer": "Thanks"}, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    again = world.client.post(path, json={"rating": 5}, headers=cast.as_mentee)
    assert (again.status_code, again.json["code"]) == (409, "already_reviewed")


@pytest.mark.parametrize("who", ["mentee", "mentor", "stranger", "other_mentor"])
def test_only_operators_hide_reviews(world: World, cast: Cast, pair: list[Review], who: str) -> None:
    before = counts(world.engine)
    assert moderate(world, pair[0], HIDE, getattr(cast, f"as_{who}")).status_code == 403
    assert counts(world.engine) == before


def test_an_operator_decides_on_what_they_have_seen(world: World, cast: Cast, pair: list[Review]) -> None:
    seen = world.client.get(f"/reviews/{pair[0].id}", headers=cast.as_operator).headers["ETag"]
    world.client.post(
        f"/sessions/{pair[0].session_id}/review/answer", json={"answer": "Thanks"}, headers=cast.as_mentor
    )
    stale = moderate(world, pair[0], HIDE, None, **{"If-Match": seen})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")
    seen = world.client.get(f"/reviews/{pair[0].id}", headers=cast.as_operator).headers["ETag"]
    assert moderate(world, pair[0], HIDE, None, **{"If-Match": seen}).status_code == 200
    assert rating(world, cast) == (2.0, 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"hidden": True},
        {"reason": "Spam"},
        {"hidden": True, "reason": ""},
        {"hidden": "yes", "reason": "Spam"},
        {"hidden": None, "reason": "Spam"},
        {"hidden": True, "reason": "x" * 2001},
        {"hidden": True, "reason": "Spam", "rating": 1},
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(world: World, pair: list[Review], body: Any) -> None:
    before = counts(world.engine)
    answer = moderate(world, pair[0], body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert counts(world.engine) == before


def test_what_is_not_there_is_not_hidden(world: World, cast: Cast) -> None:
    for review_id in (uuid4(), "no-id"):
        answer = world.client.patch(f"/reviews/{review_id}", json=HIDE, headers=cast.as_operator)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_hiding_makes_three_statements_and_one_commit(world: World, pair: list[Review]) -> None:
    with statements_of(world.engine) as made:
        assert moderate(world, pair[0], HIDE).status_code == 200
    assert (len(made.statements), made.commits) == (3, 1)


def test_the_audit_says_who_hid_what_and_why(world: World, cast: Cast, pair: list[Review]) -> None:
    for review, body, name in ((pair[0], HIDE, "jo"), (pair[0], SHOW, "sam"), (pair[1], HIDE, "jo")):
        moderate(world, review, body, as_operator(name))
    with statements_of(world.engine) as made:
        entries = world.client.get("/audit", headers=cast.as_operator).json["items"]
    assert len(made.statements) == 1
    assert [(each["actor"], each["action"], each["subjectId"], each["reason"]) for each in entries] == [
        ("operator:jo", "review.hidden", str(pair[1].id), HIDE["reason"]),
        ("operator:sam", "review.shown", str(pair[0].id), SHOW["reason"]),
        ("operator:jo", "review.hidden", str(pair[0].id), HIDE["reason"]),
    ]
    assert entries[0] == {
        **entries[0],
        "subjectType": "review",
        "data": {"mentorProfileId": str(cast.mentor.id), "rating": 2},
    }
    assert entries[0]["occurredAt"] > entries[1]["occurredAt"]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("actor=operator:jo", [0, 2]),
        ("action=review.shown", [1]),
        ("subjectId={}", [1, 2]),
        ("subjectId={}&action=review.hidden", [2]),
        ("actor=operator:nobody", []),
    ],
)
def test_the_audit_is_searched_by_actor_action_and_subject(
    world: World, cast: Cast, pair: list[Review], query: str, places: list[int]
) -> None:
    for review, body, name in ((pair[0], HIDE, "jo"), (pair[0], SHOW, "sam"), (pair[1], HIDE, "jo")):
        moderate(world, review, body, as_operator(name))
    whole = world.client.get("/audit", headers=cast.as_operator).json["items"]
    found = world.client.get(f"/audit?{query.format(pair[0].id)}", headers=cast.as_operator).json["items"]
    assert found == [whole[place] for place in places]


def test_the_audit_comes_in_pages_and_to_operators_alone(world: World, cast: Cast, pair: list[Review]) -> None:
    for body in (HIDE, SHOW, HIDE):
        moderate(world, pair[0], body)
    whole = world.client.get("/audit", headers=cast.as_operator).json["items"]
    first = world.client.get("/audit?limit=2", headers=cast.as_operator).json
    rest = world.client.get(f"/audit?limit=2&cursor={first['nextCursor']}", headers=cast.as_operator).json
    assert (first["items"] + rest["items"], rest["nextCursor"]) == (whole, None)
    for who in (cast.as_mentee, cast.as_mentor):
        assert world.client.get("/audit", headers=who).status_code == 403
    assert world.client.get("/audit?subjectId=7", headers=cast.as_operator).status_code == 400
