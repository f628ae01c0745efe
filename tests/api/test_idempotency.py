"""Idempotency-Key: one change per key, its first answer again, and no second one in between."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text, update

from models.bookings import bookings
from models.idempotency import idempotency_keys
from tests.api.conftest import Cast
from tests.application import ApiResponse, World
from tests.statements import before_statements
from workflows.bookings.records import Booking

KEY = {"Idempotency-Key": "a key of mine"}


def booked(engine: Engine) -> int:
    with engine.connect() as db:
        return db.execute(select(func.count()).select_from(bookings)).scalar_one()


def test_a_change_asked_for_twice_is_made_once(world: World, cast: Cast) -> None:
    requested = cast.body()
    first = world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY)
    again = world.client.post("/api/bookings", json=requested, headers=cast.as_mentee | KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert first.headers["ETag"] == again.headers["ETag"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == f"/api{first.headers['Location']}"
    assert booked(world.engine) == 1


def test_a_decision_is_answered_again_although_it_has_been_made(world: World, cast: Cast, draft: Booking) -> None:
    headers = cast.as_mentor | KEY | {"If-Match": '"1"'}
    first = world.client.patch(f"/bookings/{draft.id}/accept", headers=headers)
    again = world.client.patch(f"/bookings/{str(draft.id).upper()}/accept", headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json == again.json
    other_key = {"Idempotency-Key": "another"}
    assert world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor | other_key).status_code == 400


def test_a_key_belongs_to_one_request(world: World, cast: Cast) -> None:
    requested = cast.body()
    world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY)
    for path, body in (("/bookings", requested | {"title": "Other"}), ("/bookings?x=1", requested)):
        answer = world.client.post(path, json=body, headers=cast.as_mentee | KEY)
        assert (answer.status_code, answer.json["code"]) == (422, "key_reused")
    assert booked(world.engine) == 1


def test_keys_are_the_callers_and_the_routes_own(world: World, cast: Cast, draft: Booking) -> None:
    requested = cast.body()
    for headers in (cast.as_mentee, cast.as_stranger):
        assert world.client.post("/bookings", json=requested, headers=headers | KEY).status_code == 201
    for method, status in (("PATCH", 200), ("POST", 400)):
        answer = world.client.open(f"/bookings/{draft.id}/cancel", method=method, headers=cast.as_mentee | KEY)
        assert answer.status_code == status


def test_no_key_of_a_person_is_one_of_staff(world: World, cast: Cast) -> None:
    requested = cast.body()
    acting = {**cast.as_operator, "On-Behalf-Of": str(cast.mentee.id)}
    assert world.client.post("/bookings", json=requested, headers=acting | KEY).status_code == 201
    with world.engine.connect() as db:
        kept = db.execute(select(idempotency_keys.c.key)).scalar_one()
    for own in (" ".join(kept.splitlines()), "".join(kept.splitlines()), KEY["Idempotency-Key"]):
        answer = world.client.post("/bookings", json=requested, headers=cast.as_mentee | {"Idempotency-Key": own})
        assert (answer.status_code, "Idempotent-Replayed" in answer.headers) in ((400, False), (409, False))


def test_a_repeated_delete_is_answered_as_the_first(world: World, cast: Cast) -> None:
    off = {"startTime": "2031-01-01T00:00:00Z", "endTime": "2031-01-02T00:00:00Z"}
    path = f"/mentors/{cast.mentor.id}/time-off"
    taken = world.client.post(path, json=off, headers=cast.as_mentor).json["id"]
    answers = [world.client.delete(f"{path}/{taken}", headers=cast.as_mentor | KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    other_key = {"Idempotency-Key": "another"}
    assert world.client.delete(f"{path}/{taken}", headers=cast.as_mentor | other_key).status_code == 404
    # Another caller does not get the answer.
    assert world.client.delete(f"{path}/{taken}", headers=cast.as_other_mentor | KEY).status_code == 404


def test_an_answer_that_cannot_be_kept_undoes_its_change(world: World, cast: Cast) -> None:
    class Broken(Exception):
        """What a process that dies at this statement leaves to the database."""

    def refuse(statement: str) -> None:
        if "INSERT INTO idempotency_keys" in statement:
            raise Broken

    requested = cast.body()
    with before_statements(world.engine, refuse):
        assert world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY).status_code == 500
    assert booked(world.engine) == 0
    assert world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY).status_code == 201


def test_a_malformed_key_shows_nothing_of_what_is_there(world: World, cast: Cast, draft: Booking) -> None:
    bad = {"Idempotency-Key": "k" * 256}
    path = f"/bookings/{draft.id}/decline"
    assert world.client.patch(path, headers=cast.as_other_mentor | bad).status_code == 403
    assert world.client.patch(path, headers=cast.as_mentor | bad).status_code == 400


def test_a_refusal_is_not_kept(world: World, cast: Cast) -> None:
    requested = cast.body()
    refused = world.client.post("/bookings", json=requested | {"title": 7}, headers=cast.as_mentee | KEY)
    assert refused.status_code == 400
    assert world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\tkey", "schlüssel"])
def test_keys_are_printable_and_not_too_long(world: World, cast: Cast, key: str) -> None:
    headers = cast.as_mentee | {"Idempotency-Key": key}
    answer = world.client.post("/bookings", json=cast.body(), headers=headers)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["Idempotency-Key"])
    longest = cast.as_mentee | {"Idempotency-Key": "k" * 255}
    assert world.client.post("/bookings", json=cast.body(), headers=longest).status_code == 201


def test_a_key_whose_time_has_passed_is_free(world: World, cast: Cast) -> None:
    requested = cast.body()
    first = world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY).json["id"]
    world.client.post(f"/bookings/{first}/cancel", headers=cast.as_mentee)
    with world.engine.begin() as db:
        db.execute(update(idempotency_keys).values(expires_at=text("now() - interval '1 second'")))
    fresh = world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY)
    assert "Idempotent-Replayed" not in fresh.headers
    again = world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert booked(world.engine) == 2


def test_a_key_in_use_is_a_409_with_retry_after(world: World, cast: Cast) -> None:
    requested, meeting = cast.body(), Barrier(2, timeout=10)

    def keep_slowly(statement: str) -> None:
        if "INSERT INTO idempotency_keys" in statement:
            meeting.wait()
            meeting.wait()

    with before_statements(world.engine, keep_slowly), ThreadPoolExecutor(1) as pool:
        first = pool.submit(world.client.post, "/bookings", json=requested, headers=cast.as_mentee | KEY)
        meeting.wait()
        second = world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY)
        meeting.wait()
        assert first.result().status_code == 201
    assert (second.status_code, second.json["code"], second.headers["Retry-After"]) == (409, "key_in_use", "1")


def test_raced_by_many_threads_a_change_is_made_once(world: World, cast: Cast) -> None:
    world = World.on(world.engine, max_open_drafts_per_mentor=0)
    start = Barrier(6, timeout=10)

    def ask(body: dict[str, Any], key: str) -> ApiResponse:
        start.wait()
        return world.client.post("/bookings", json=body, headers=cast.as_mentee | {"Idempotency-Key": key})

    with ThreadPoolExecutor(6) as pool:
        for number in range(10):
            requested = cast.body()
            answers = list(pool.map(ask, [requested] * 6, [f"race {number}"] * 6))
            made = [answer for answer in answers if answer.status_code == 201]
            assert {answer.status_code for answer in answers} <= {201, 409}
            assert all(answer.json["code"] == "key_in_use" for answer in answers if answer.status_code == 409)
            assert len([answer for answer in made if "Idempotent-Replayed" not in answer.headers]) == 1
            assert len({answer.json["id"] for answer in made}) == 1
            assert booked(world.engine) == number + 1


def test_what_is_kept_can_not_be_read_in_the_database(world: World, cast: Cast) -> None:
    requested = cast.body(notes="between you and me")
    world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY)
    with world.engine.connect() as db:
        stored = db.execute(select(idempotency_keys.c.body)).scalar_one()
    assert b"between" not in stored
    again = world.client.post("/bookings", json=requested, headers=cast.as_mentee | KEY)
    assert again.json["notes"] == "between you and me"


def key(number: int) -> dict[str, str]:
    return {"Idempotency-Key": f"of many, number {number}"}


def test_stored_answers_of_a_caller_are_bounded(world: World, cast: Cast) -> None:
    world = World.on(world.engine, max_idempotency_keys=2)
    requested = [cast.body() for _ in range(3)]
    answers = [
        world.client.post("/bookings", json=body, headers=cast.as_mentee | key(number))
        for number, body in enumerate(requested)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json["code"] == "rate_limited"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 72 * 3600
    # The change is undone with its answer; it can be made without a key, and what is stored is answered again.
    assert booked(world.engine) == 2
    assert world.client.post("/bookings", json=requested[2], headers=cast.as_mentee).status_code == 201
    again = world.client.post("/bookings", json=requested[0], headers=cast.as_mentee | key(0))
    assert again.headers["Idempotent-Replayed"] == "true"
    # Another caller has a quota of their own.
    assert world.client.post("/bookings", json=cast.body(), headers=cast.as_stranger | key(0)).status_code == 201


def test_stored_answers_are_bounded_in_bytes(world: World, cast: Cast) -> None:
    world = World.on(world.engine, max_idempotency_megabytes=1)
    assert world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | key(0)).status_code == 201
    with world.engine.begin() as db:
        db.execute(update(idempotency_keys).values(body=b"x" * 1024 * 1024))
    refused = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | key(1))
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    with world.engine.begin() as db:
        db.execute(update(idempotency_keys).values(expires_at=text("now() - interval '1 second'")))
    assert world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | key(1)).status_code == 201


@pytest.mark.parametrize("chosen", [{"max_idempotency_keys": 0, "max_idempotency_megabytes": 0}, {}])
def test_quotas_can_be_off_and_are_not_for_operators(world: World, cast: Cast, chosen: dict[str, int]) -> None:
    world = World.on(world.engine, **(chosen or {"max_idempotency_keys": 1}))
    headers = cast.as_mentee if chosen else cast.as_operator
    for number in range(3):
        path, body = ("/bookings", cast.body()) if chosen else ("/courses", {"title": f"Course {number}"})
        assert world.client.post(path, json=body, headers=headers | key(number)).status_code == 201


def test_staff_who_act_for_a_person_use_nothing_of_their_quota(world: World, cast: Cast) -> None:
    world = World.on(world.engine, max_idempotency_keys=1)
    acting = {**cast.as_operator, "On-Behalf-Of": str(cast.mentee.id)}
    for number, headers in enumerate((acting, acting, cast.as_mentee, acting)):
        answer = world.client.post("/bookings", json=cast.body(), headers=headers | key(number))
        assert answer.status_code == 201, answer.json
    own = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | key(9))
    assert (own.status_code, own.json["code"]) == (429, "rate_limited")


def test_a_race_does_not_pass_the_quota(world: World, cast: Cast) -> None:
    world = World.on(world.engine, max_idempotency_keys=3, max_open_drafts_per_mentor=0)
    start, requested = Barrier(8, timeout=10), [cast.body() for _ in range(8)]

    def ask(number: int) -> int:
        start.wait()
        answer = world.client.post("/bookings", json=requested[number], headers=cast.as_mentee | key(number))
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [201] * 3 + [429] * 5
    assert booked(world.engine) == 3


def test_an_answer_is_stored_by_one_statement(world: World, cast: Cast) -> None:
    seen: list[str] = []
    with before_statements(world.engine, seen.append):
        assert world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | key(0)).status_code == 201
    assert len([statement for statement in seen if "idempotency" in statement]) == 2
