"""Reviews over HTTP: writing, answering, hiding, the mentor's average, and the audit of hiding."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select

from models.events import events
from tests import factories
from tests.api.conftest import Cast, Headers, counts, nothing_written, version_of
from tests.application import ApiResponse, World, as_operator, as_user
from tests.queries import execute
from tests.statements import statements_of
from workflows.reviews.permits import Permit
from workflows.reviews.records import Review
from workflows.sessions.records import Session

GOOD: dict[str, Any] = {"rating": 4, "comment": "I left with a plan."}
THANKS = {"answer": "Thank you, I enjoyed it too."}
HIDE: dict[str, Any] = {"hidden": True, "reason": "It names another mentee."}
SHOW: dict[str, Any] = {"hidden": False, "reason": "The name is gone."}


def permit(engine: Engine, cast: Cast, **other: Any) -> Permit:
    """The mentee's permit to review a session of the mentor."""
    with engine.begin() as db:
        return factories.make_permit(db, **{"listing": cast.listing, "mentee": cast.mentee, **other})


def review(world: World, headers: Headers, session_id: object, body: Any = GOOD, **more: str) -> ApiResponse:
    return world.client.post(f"/sessions/{session_id}/review", json=body, headers={**headers, **more})


def rating(world: World, cast: Cast) -> tuple[float | None, int]:
    """The mentor's average and number of reviews, as the public profile shows them."""
    profile = world.client.get(f"/mentors/{cast.mentor.id}", headers=cast.as_stranger).json
    return profile["rating"], profile["reviewCount"]


def answer_review(world: World, session_id: object, headers: Headers, body: Any = THANKS, **more: str) -> ApiResponse:
    return world.client.post(f"/sessions/{session_id}/review/answer", json=body, headers={**headers, **more})


def changes_of(reviewed: Review, open_session: object) -> dict[str, tuple[str, str, Any, str]]:
    """Method, path, a good body and who may: of every change to reviews."""
    return {
        "write": ("POST", f"/sessions/{open_session}/review", GOOD, "mentee"),
        "answer": ("POST", f"/sessions/{reviewed.session_id}/review/answer", THANKS, "mentor"),
        "hide": ("PATCH", f"/reviews/{reviewed.id}", HIDE, "operator"),
    }


@pytest.mark.parametrize("change", ["write", "answer", "hide"])
def test_a_change_is_made_once_and_by_one_role(
    world: World, cast: Cast, engine: Engine, reviewed: Review, change: str
) -> None:
    session_id = permit(engine, cast).session_id
    method, path, body, who = changes_of(reviewed, session_id)[change]
    with nothing_written(engine):
        for other in {"mentee", "mentor", "stranger", "other_mentor", "operator"} - {who}:
            refused = world.client.open(path, method=method, json=body, headers=getattr(cast, f"as_{other}"))
            assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    headers = {**getattr(cast, f"as_{who}"), "Idempotency-Key": "once"}
    first, again = (world.client.open(path, method=method, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code, again.json) == (again.status_code, first.status_code, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("change", "body"),
    [
        *(("write", {"rating": rating}) for rating in (0, 6, 4.5, "5", True, None)),
        *(("write", {"rating": 5, "comment": comment}) for comment in ("x" * 5001, 7, "\u0000")),
        *(("write", body) for body in ({}, {"comment": "No rating"}, {"rating": 5, "menteeUserId": str(uuid4())})),
        *(("answer", {"answer": answer}) for answer in ("", None, "x" * 5001)),
        *(("answer", body) for body in ({}, {"answer": "Thanks", "reviewId": "mine"})),
        *(("hide", {"hidden": hidden, "reason": "Spam"}) for hidden in ("yes", None)),
        *(("hide", {"hidden": True, "reason": reason}) for reason in ("", "x" * 2001)),
        *(("hide", body) for body in ({}, {"hidden": True}, {"reason": "Spam"}, {**HIDE, "rating": 1})),
    ],
)
def test_an_invalid_body_changes_nothing(
    world: World, cast: Cast, engine: Engine, reviewed: Review, change: str, body: Any
) -> None:
    method, path, good, who = changes_of(reviewed, permit(engine, cast).session_id)[change]
    before, headers = counts(engine), getattr(cast, f"as_{who}")
    answer = world.client.open(path, method=method, json=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert counts(engine) == before
    assert world.client.open(path, method=method, json=good, headers=headers).status_code in (200, 201)


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
    assert version_of(answer) == 1
    read = world.client.get(answer.headers["Location"], headers=cast.as_mentee)
    assert (read.json, version_of(read)) == (answer.json, 1)
    assert rating(world, cast) == (4.0, 1)
    assert review(world, cast.as_mentee, second.session_id, {"rating": 1}).json["comment"] is None
    assert rating(world, cast) == (2.5, 2)


def test_a_session_is_reviewed_once(world: World, cast: Cast, engine: Engine) -> None:
    session_id = permit(engine, cast).session_id
    assert review(world, cast.as_mentee, session_id).status_code == 201
    again = review(world, cast.as_mentee, session_id, {"rating": 1})
    assert (again.status_code, again.json["code"]) == (409, "already_reviewed")
    assert rating(world, cast) == (4.0, 1)


@pytest.mark.parametrize("state", ["scheduled", "in_progress", "cancelled", "completed, and its effect to come"])
def test_a_session_without_a_permit_is_not_reviewed(
    world: World, cast: Cast, engine: Engine, scheduled: Session, state: str
) -> None:
    with engine.begin() as db:
        if state == "cancelled":
            world.client.post(f"/sessions/{scheduled.id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentor)
        elif state == "in_progress":
            factories.start_session(db, scheduled)
        elif state != "scheduled":
            factories.complete_session(db, scheduled)
    with nothing_written(engine):
        answer = review(world, cast.as_mentee, scheduled.id)
        assert (answer.status_code, answer.json["code"]) == (409, "review_not_open")
        assert ("cancelled" in answer.json["message"]) == (state == "cancelled")


def test_after_thirty_days_a_session_is_not_reviewed_any_more(world: World, cast: Cast, engine: Engine) -> None:
    month = timedelta(days=30)
    now = datetime.now(UTC)
    late = permit(engine, cast, at=now - month)
    in_time = permit(engine, cast, at=now - month + timedelta(minutes=5))
    refused = review(world, cast.as_mentee, late.session_id)
    assert (refused.status_code, refused.json["code"]) == (409, "review_not_open")
    assert review(world, cast.as_mentee, in_time.session_id).status_code == 201


@pytest.mark.parametrize("who", ["mentee", "mentor", "stranger"])
def test_reviewing_an_unknown_session_is_refused_as_reading(world: World, cast: Cast, who: str, engine: Engine) -> None:
    with engine.begin() as db:
        draft = factories.make_booking(db, listing=cast.listing, mentee=cast.mentee)
        awaited = factories.accept_booking(db, draft).session_id
    for session_id in (awaited, uuid4(), "no-id"):
        read = world.client.get(f"/sessions/{session_id}", headers=getattr(cast, f"as_{who}"))
        answer = review(world, getattr(cast, f"as_{who}"), session_id)
        assert (answer.status_code, answer.json["code"]) == (read.status_code, read.json["code"])
        assert answer.status_code == 404


def test_each_participant_of_a_group_reviews_it_once(world: World, cast: Cast, engine: Engine) -> None:
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


def test_only_open_permits_are_listed(world: World, cast: Cast, engine: Engine) -> None:
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
            "mentor": {"id": str(cast.mentor.id), "name": "Grace Hopper", "headline": "Mentor", "avatarUrl": None},
            "mentee": {"id": str(cast.mentee.id), "name": cast.mentee.name},
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


def test_what_happened_is_told_without_a_word_of_what_was_said(world: World, cast: Cast, engine: Engine) -> None:
    written = review(world, cast.as_mentee, permit(engine, cast).session_id).json
    told = execute(engine, select(events.c.data, events.c.subject_id).where(events.c.type == "review.submitted")).one()
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
def test_strangers_see_neither_session_nor_author_of_a_review(
    world: World, cast: Cast, engine: Engine, who: str, knows_whose: bool
) -> None:
    written = review(world, cast.as_mentee, permit(engine, cast).session_id).json
    hidden = {} if knows_whose else {"sessionId": None, "menteeUserId": None}
    with statements_of(engine) as made:
        listed = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=getattr(cast, f"as_{who}")).json[
            "items"
        ]
    assert len(made.statements) <= 3, "the caller, unless it is an operator; the mentor, and their reviews"
    read = world.client.get(f"/reviews/{written['id']}", headers=getattr(cast, f"as_{who}"))
    assert listed == [read.json] == [{**written, **hidden}]
    assert version_of(read) == 1


@pytest.mark.parametrize(("who", "count"), [("mentee", 1), ("mentor", 1), ("operator", 1), ("stranger", 0)])
def test_the_reviews_of_a_session_are_listed_for_its_parties(
    world: World, cast: Cast, engine: Engine, who: str, count: int
) -> None:
    session_ids = [permit(engine, cast).session_id for _ in range(2)]
    for each in session_ids:
        review(world, cast.as_mentee, each)
    path = f"/mentors/{cast.mentor.id}/reviews?sessionId={session_ids[0]}"
    listed = world.client.get(path, headers=getattr(cast, f"as_{who}")).json["items"]
    assert [each["sessionId"] for each in listed] == [str(session_ids[0])] * count
    assert World.on(engine, open_catalogue=True).client.get(path).json["items"] == []


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


def test_reviews_of_an_unknown_mentor_are_not_found(world: World, cast: Cast) -> None:
    assert world.client.get(f"/mentors/{cast.mentor.id}/reviews").status_code == 401
    for headers in (cast.as_stranger, cast.as_operator):
        empty = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=headers)
        assert (empty.status_code, empty.json) == (200, {"items": [], "nextCursor": None})
        # The path is checked before the query.
        for query in ("", "?limit=0", "?cursor=nonsense"):
            for mentor in (uuid4(), "no-id"):
                answer = world.client.get(f"/mentors/{mentor}/reviews{query}", headers=headers)
                assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        assert world.client.get(f"/mentors/{cast.mentor.id}/reviews?limit=0", headers=headers).status_code == 400


def test_the_mentor_answers_once_in_public(world: World, cast: Cast, reviewed: Review) -> None:
    with statements_of(world.engine) as made:
        written = answer_review(world, reviewed.session_id, cast.as_mentor)
    assert (written.status_code, len(made.statements), made.commits) == (201, 5, 1)
    assert (written.json["id"], written.json["answer"]) == (str(reviewed.id), THANKS["answer"])
    assert written.json["answeredAt"] is not None
    assert version_of(written) == 2
    for headers in (cast.as_stranger, cast.as_mentee):
        read = world.client.get(written.headers["Location"], headers=headers).json
        assert (read["answer"], read["answeredAt"]) == (THANKS["answer"], written.json["answeredAt"])
    again = answer_review(world, reviewed.session_id, cast.as_mentor, {"answer": "Something better"})
    assert (again.status_code, again.json["code"]) == (409, "already_answered")


def test_a_missing_review_cannot_be_answered(world: World, cast: Cast, scheduled: Session) -> None:
    assert answer_review(world, scheduled.id, cast.as_mentor).json["code"] == "not_found"
    assert answer_review(world, uuid4(), cast.as_mentor).json["code"] == "not_found"
    for review_id in (uuid4(), "no-id"):
        answer = world.client.patch(f"/reviews/{review_id}", json=HIDE, headers=cast.as_operator)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_of_several_reviews_of_a_group_the_mentor_says_which_one(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        people = [cast.mentee, cast.stranger]
        session = factories.complete_session(db, factories.make_group_session(db, people, listing=cast.listing))
        permits = [factories.unlock_review(db, session, person.id) for person in people]
        one = factories.make_review(db, permits[0])
    assert answer_review(world, session.id, cast.as_mentor).json["id"] == str(one.id)
    with engine.begin() as db:
        other = factories.make_review(db, permits[1])
    unclear = answer_review(world, session.id, cast.as_mentor)
    assert (unclear.status_code, list(unclear.json["details"])) == (400, ["reviewId"])
    clear = answer_review(world, session.id, cast.as_mentor, {**THANKS, "reviewId": str(other.id)})
    assert (clear.status_code, clear.json["id"]) == (201, str(other.id))
    repeated = answer_review(world, session.id, cast.as_mentor, {**THANKS, "reviewId": str(one.id)})
    assert repeated.json["code"] == "already_answered"


def test_a_review_of_another_session_is_not_answered_here(world: World, cast: Cast, reviewed: Review) -> None:
    with world.engine.begin() as db:
        elsewhere = factories.make_review(db, factories.make_permit(db, listing=cast.listing))
    for review_id in (elsewhere.id, uuid4()):
        refused = answer_review(world, reviewed.session_id, cast.as_mentor, {**THANKS, "reviewId": str(review_id)})
        assert (refused.status_code, refused.json["code"]) == (404, "not_found")


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


def moderate(world: World, found: Review, body: Any, headers: Headers | None = None, **more: str) -> ApiResponse:
    """Hide a review or show it again, as an operator unless said otherwise."""
    asking = as_operator("jo") if headers is None else headers
    return world.client.patch(f"/reviews/{found.id}", json=body, headers={**asking, **more})


def ids(world: World, cast: Cast, headers: Headers) -> list[str]:
    listed = world.client.get(f"/mentors/{cast.mentor.id}/reviews", headers=headers).json["items"]
    return [item["id"] for item in listed]


def test_what_is_hidden_does_not_count_until_it_is_shown_again(world: World, cast: Cast, pair: list[Review]) -> None:
    assert rating(world, cast) == (3.5, 2)
    with statements_of(world.engine) as made:
        hidden = moderate(world, pair[0], HIDE)
    assert (len(made.statements), made.commits) == (3, 1)
    assert (hidden.status_code, version_of(hidden)) == (200, 2)
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
    visitors = World.on(world.engine, open_catalogue=True)
    assert ids(visitors, cast, {}) == other
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
        ("actor=operator:unknown", []),
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
