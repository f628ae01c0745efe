"""Prefer: wait: a 201 with the session when it comes in time, a 202 otherwise, and never a held connection."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from flask import Flask
from sqlalchemy import Engine, QueuePool
from sqlalchemy.exc import OperationalError

from api.http import waiting
from tests.api.conftest import Cast
from tests.application import World
from tests.statements import before_statements
from workflows.bookings.records import Booking


def prefer(value: str) -> dict[str, str]:
    return {"Prefer": value}


class Worker(Thread):
    """Creates sessions while a test waits for them."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.world, self.stop = world, Event()

    def run(self) -> None:
        while not self.stop.wait(0.01):
            self.world.run_session_effects()

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop.set()
        self.join()


def test_who_waits_gets_booking_and_session(world: World, cast: Cast, draft: Booking) -> None:
    with Worker(world):
        answer = world.client.patch(f"/api/bookings/{draft.id}/accept", headers=cast.as_mentor | prefer("wait=5"))
    assert answer.status_code == 201
    assert set(answer.json) == {"booking", "session"}
    assert answer.json["booking"]["status"] == "accepted"
    assert answer.json["session"]["id"] == answer.json["booking"]["sessionId"]
    assert answer.headers["Preference-Applied"] == "wait=5"
    assert answer.headers["Location"] == f"/api/sessions/{answer.json['session']['id']}"


def test_an_instant_booking_can_be_waited_for(world: World, cast: Cast) -> None:
    changes = {"bookingMode": "instant", "earlyStartMinutes": None}
    world.client.patch(f"/listings/{cast.listing.id}", json=changes, headers=cast.as_mentor)
    with Worker(world):
        answer = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | prefer("wait=5"))
    assert (answer.status_code, set(answer.json)) == (201, {"booking", "session"})
    read = world.client.get(f"/sessions/{answer.json['session']['id']}", headers=cast.as_mentee)
    assert read.json == answer.json["session"]
    assert read.json["joinUrl"]


def test_a_draft_has_nothing_to_wait_for(world: World, cast: Cast) -> None:
    began = monotonic()
    answer = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | prefer("wait=5"))
    assert (answer.status_code, answer.json["status"]) == (201, "draft")
    assert monotonic() - began < 2


def test_who_waits_in_vain_gets_the_202(world: World, cast: Cast, draft: Booking) -> None:
    began = monotonic()
    answer = world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor | prefer("wait=1"))
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/sessions/{answer.json['sessionId']}"
    assert 0.9 < monotonic() - began < 3


def test_a_kept_202_can_be_waited_for_again(world: World, cast: Cast, draft: Booking) -> None:
    headers = cast.as_mentor | {"Idempotency-Key": "k"}
    path = f"/bookings/{draft.id}/accept"
    first = world.client.patch(path, headers=headers)
    world.run_session_effects()
    again = world.client.patch(path, headers=headers | prefer("wait=3"))
    assert (first.status_code, again.status_code) == (202, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    session = {name: again.json["session"][name] for name in ("id", "status")}
    assert again.json["booking"] == {**first.json, "session": session}


def test_a_mentee_who_waits_again_does_not_see_the_mentors_own_record(world: World, cast: Cast) -> None:
    changes = {"bookingMode": "instant", "earlyStartMinutes": None}
    world.client.patch(f"/listings/{cast.listing.id}", json=changes, headers=cast.as_mentor)
    headers, requested = cast.as_mentee | {"Idempotency-Key": "k"}, cast.body()
    session = f"/sessions/{world.client.post('/bookings', json=requested, headers=headers).json['sessionId']}"
    world.run_session_effects()
    assert world.client.post(f"{session}/start", headers=cast.as_mentee).status_code == 200
    record = {"rating": 2, "feedback": "Of no use.", "notes": "For both."}
    assert world.client.post(f"{session}/complete", json=record, headers=cast.as_mentor).status_code == 200
    again = world.client.post("/bookings", json=requested, headers=headers | prefer("wait=2"))
    assert (again.status_code, again.json["session"]["status"]) == (201, "completed")
    seen = {name: again.json["session"][name] for name in record}
    assert seen == {"rating": None, "feedback": None, "notes": "For both."}


# The header of a client → for how many seconds it waits.
PREFERENCES = {
    "wait=3": 3,
    "Wait=3": 3,
    'wait="3"': 3,
    "wait = 3": 3,
    "respond-async, wait=3": 3,
    "wait=3;strict, return=minimal": 3,
    "wait=2, wait=9": 2,
    "wait=11": 10,
    "wait=999999999": 10,
    "wait=0": 0,
    "wait=-1": 0,
    "wait=1.5": 0,
    "wait=soon": 0,
    "wait": 0,
    "": 0,
    "wait=99999999999999": 10,
    "wait=0000000000000000003": 3,
    "wait=" + "9" * 5000: 10,
}


@pytest.mark.parametrize("header", PREFERENCES)
def test_preferences_are_read_as_rfc_7240_has_them(header: str) -> None:
    with Flask("any").test_request_context(headers=prefer(header)) as context:
        assert waiting.preferred_wait(context.request) == PREFERENCES[header]


def test_at_most_half_of_the_threads_wait(engine: Engine, cast: Cast, draft: Booking, accepted: Booking) -> None:
    assert accepted.id == draft.id
    world = World.on(engine, api_threads=2)
    requests = [world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json["id"] for _ in range(2)]

    def accept(booking: str) -> float:
        began = monotonic()
        path = f"/bookings/{booking}/accept"
        assert world.client.patch(path, headers=cast.as_mentor | prefer("wait=1")).status_code == 202
        return monotonic() - began

    with ThreadPoolExecutor(2) as pool:
        shorter, longer = sorted(pool.map(accept, requests))
    assert shorter < 0.8 < longer


def test_waiting_holds_no_connection(world: World, cast: Cast, draft: Booking) -> None:
    connections = world.engine.pool
    assert isinstance(connections, QueuePool)
    with ThreadPoolExecutor(1) as pool:
        path = f"/bookings/{draft.id}/accept"
        waiter = pool.submit(world.client.patch, path, headers=cast.as_mentor | prefer("wait=1"))
        held = []
        while not waiter.done():
            held.append(connections.checkedout())
            sleep(0.005)
    assert held.count(0) > len(held) / 2


def test_a_database_lost_while_waiting_takes_nothing_back(world: World, cast: Cast, draft: Booking) -> None:
    looks: list[str] = []

    def lose(statement: str) -> None:
        if re.search(r"^FROM sessions", statement, re.MULTILINE):
            looks.append(statement)
            raise OperationalError("SELECT", {}, Exception("gone"))

    with before_statements(world.engine, lose):
        answer = world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor | prefer("wait=1"))
    assert (answer.status_code, len(looks)) == (202, 1)
