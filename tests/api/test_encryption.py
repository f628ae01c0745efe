"""What people write to each other, and every secret, is encrypted where it is stored, and shown as it was written."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from config.sealing import Sealer
from config.vapid import new_private_key
from models.bookings import bookings
from models.sessions import sessions
from tests.api.conftest import Cast, Headers
from tests.application import SECRET, ApiResponse, World
from tests.dumping import tables_with
from tests.integration.browsers import SubscribedBrowser
from tests.queries import execute, scalars
from workflows.webhooks.secrets import new_secret

NOTES, AGREED, FEEDBACK, ITEM = "mark-of-notes", "mark-of-agreement", "mark-of-feedback", "mark-of-an-item"
URL, HEADER, PUSH = "mark-of-a-calendar", "mark-of-a-header", "mark-of-a-browser"
COMPLETION = {"notes": AGREED, "feedback": FEEDBACK, "actionItems": [ITEM, "two"]}
SUBJECT = "mailto:operators@tutelage.example"


@pytest.fixture
def world(engine: Engine) -> World:
    return World.on(engine, vapid_private_key=new_private_key(), vapid_subject=SUBJECT, webhook_allowed_networks=())


def post(world: World, path: str, who: Headers, /, **body: Any) -> ApiResponse:
    answer = world.client.post(path, json=body, headers=who | {"Idempotency-Key": path})
    assert answer.status_code < 300, answer.json
    return answer


def live(world: World, cast: Cast) -> dict[str, Any]:
    """A request, its session, and secrets of every kind; returns the completed session as its mentor sees it."""
    offer = {"title": "At once", "durationMinutes": 30, "price": {"amount": 1, "currency": "USD"}}
    listing = post(world, "/listings", cast.as_mentor, **offer, earlyStartMinutes=None).json
    booking = post(world, "/bookings", cast.as_mentee, **cast.body(listingId=listing["id"], notes=NOTES)).json
    assert booking["notes"] == NOTES
    accepted = post(world, f"/bookings/{booking['id']}/accept", cast.as_mentor).json
    assert accepted["notes"] == NOTES
    world.run_database_effects()
    path = f"/sessions/{accepted['sessionId']}"
    post(world, f"{path}/start", cast.as_mentor)
    completed = post(world, f"{path}/complete", cast.as_mentor, **COMPLETION).json
    feeds = f"/mentors/{cast.mentor.id}/calendar-feeds"
    post(world, feeds, cast.as_mentor, url=f"https://calendar.example/{URL}.ics")
    hook = {"url": "https://partner.example/hooks", "eventTypes": ["session.completed"], "headers": {"x-key": HEADER}}
    endpoint = post(world, "/webhook-endpoints", cast.as_mentor, **hook)
    secret = new_secret()
    post(world, f"{endpoint.headers['Location']}/secret/rotate", cast.as_mentor, secret=secret)
    browser = SubscribedBrowser(f"https://push.example/{PUSH}").subscription
    post(world, "/push-subscriptions", cast.as_mentee, **browser)
    world.run_database_effects()
    keys = browser["keys"]
    assert isinstance(keys, dict)
    return {**completed, "secrets": [secret, secret.removeprefix("whsec_"), *map(str, keys.values())]}


def test_no_dump_and_no_log_shows_what_was_written(
    world: World, cast: Cast, engine: Engine, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        session = live(world, cast)
    marks = [NOTES, AGREED, FEEDBACK, ITEM, URL, HEADER, PUSH, *session["secrets"]]
    assert tables_with(engine, marks) == []
    printed = caplog.text + "".join(capsys.readouterr())
    assert [mark for mark in marks if mark in printed] == []


def test_everything_is_shown_as_it_was_written(world: World, cast: Cast) -> None:
    session = live(world, cast)
    path = f"/sessions/{session['id']}"
    as_mentor, as_mentee = (world.client.get(path, headers=who).json for who in (cast.as_mentor, cast.as_mentee))
    assert {name: as_mentor[name] for name in COMPLETION} == COMPLETION
    assert as_mentor["description"] == NOTES
    assert {name: as_mentee[name] for name in COMPLETION} == COMPLETION | {"feedback": None}
    listed = world.client.get("/bookings", headers=cast.as_mentee).json["items"]
    assert [each["notes"] for each in listed] == [NOTES]
    listed = world.client.get("/sessions/mentor/my-sessions", headers=cast.as_mentor).json["items"]
    assert [(each["notes"], each["feedback"], each["actionItems"]) for each in listed] == [
        (AGREED, FEEDBACK, [ITEM, "two"])
    ]
    again = world.client.post(
        f"{path}/complete", json=COMPLETION, headers=cast.as_mentor | {"Idempotency-Key": f"{path}/complete"}
    )
    assert (again.json["notes"], again.headers["Idempotent-Replayed"]) == (AGREED, "true")


def test_notes_under_a_key_that_is_gone_are_left_out(world: World, cast: Cast, engine: Engine) -> None:
    session = live(world, cast)
    execute(engine, update(sessions).values(notes=Sealer(["another passphrase"]).seal("lost")))
    shown = world.client.get(f"/sessions/{session['id']}", headers=cast.as_mentor)
    assert (shown.status_code, shown.json["notes"], shown.json["feedback"]) == (200, None, FEEDBACK)


@pytest.mark.parametrize("notes", ["", "x" * 5000, "🔑" * 5000, "two\nlines", "sealed:00000000:gAAAAA"])
def test_notes_come_back_as_they_were(world: World, cast: Cast, notes: str) -> None:
    made = post(world, "/bookings", cast.as_mentee, **cast.body(notes=notes)).json
    assert made["notes"] == notes
    assert world.client.get(f"/bookings/{made['id']}", headers=cast.as_mentor).json["notes"] == notes


def test_notes_that_are_too_long_are_refused_by_their_own_length(world: World, cast: Cast) -> None:
    answer = world.client.post("/bookings", json=cast.body(notes="x" * 5001), headers=cast.as_mentee)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["notes"])


def test_the_same_notes_under_two_names_are_one(world: World, cast: Cast) -> None:
    body = {"courseId": str(cast.mentor.id), "durationMinutes": 60, "startTime": datetime.now(UTC).isoformat()}
    same, other = (
        world.client.post(
            "/bookings/individual", json=body | {"notes": "a", "description": words}, headers=cast.as_mentee
        )
        for words in ("a", "b")
    )
    assert same.status_code == 404
    assert other.status_code == 400


def test_a_series_holds_its_notes_encrypted(world: World, cast: Cast, engine: Engine) -> None:
    body = {
        "mentorProfileId": str(cast.mentor.id),
        "scheduledAt": cast.body()["startTime"],
        "durationMinutes": 60,
        "title": "Weekly",
        "description": NOTES,
        "recurrence": {"count": 3},
    }
    post(world, "/sessions/book", cast.as_mentee, **body)
    stored = list(scalars(engine, select(bookings.c.notes)))
    assert [Sealer([SECRET]).unseal(str(each)) for each in stored] == [NOTES] * 3
    assert NOTES not in json.dumps(stored)
