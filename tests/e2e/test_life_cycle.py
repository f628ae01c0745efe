"""A booking's whole life over HTTP: at both mounts, by both ways to say who one is."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Up
from tests.eventually import eventually
from tests.participants import Participants, register
from tests.receivers import http_receiver
from tests.speaking import Caller

STORY = [
    "booking.requested",
    "booking.accepted",
    "session.created",
    "session.started",
    "session.completed",
    "review.unlocked",
]
COMPLETION = {"notes": "Read chapter 3.", "rating": 5, "feedback": "Quick.", "actionItems": ["Chapter 3"]}


@pytest.mark.parametrize("by_token", [False, True], ids=["headers", "token"])
@pytest.mark.parametrize("mount", ["", "/api"], ids=["root", "api"])
def test_from_request_to_everything_that_follows(up: Up, mount: str, by_token: bool) -> None:
    api = Caller(str(up.run()["api"]["url"]) + mount)
    cast = register(api, by_token=by_token)
    with http_receiver() as partner:
        endpoint = cast.mentor.post("/webhook-endpoints", {"url": partner.url, "eventTypes": ["*"]})["id"]
        secret = cast.mentor.get(f"/webhook-endpoints/{endpoint}/secret")["secret"]
        eventually(
            lambda: cast.mentor.get(f"/webhook-endpoints/{endpoint}")["state"] == "active", "an answer to the ping"
        )

        booking = cast.request(title="Borrow checker", notes="Why?", metadata={"order": 7})
        accepted = cast.mentor("PATCH", f"/bookings/{booking}/accept")
        assert accepted.status == 202
        session_id = accepted.body["sessionId"]
        assert accepted.headers["Location"] == f"{mount}/sessions/{session_id}"
        session = eventually(lambda: _read(cast.mentee, session_id), "the session")
        assert (session["status"], session["bookingId"]) == ("scheduled", booking)
        assert (session["title"], session["description"], session["metadata"]) == (
            "Borrow checker",
            "Why?",
            {"order": 7},
        )
        assert [session["startTime"], session["endTime"]] == [accepted.body["startTime"], accepted.body["endTime"]]
        assert session_id in _ids(cast.mentor.get("/sessions/mentor/my-sessions?status=scheduled"))
        assert session_id in _ids(cast.mentee.get("/sessions/mentee/my-sessions"))

        assert cast.mentee.post(f"/sessions/{session_id}/start")["status"] == "in_progress"
        completed = cast.mentor.patch(f"/sessions/{session_id}/complete", COMPLETION)
        assert {name: completed[name] for name in COMPLETION} == COMPLETION
        seen = cast.mentee.get(f"/sessions/mentee/{session_id}")
        assert (seen["status"], seen["notes"], seen["rating"], seen["feedback"]) == (
            "completed",
            COMPLETION["notes"],
            None,
            None,
        )

        done = eventually(lambda: _all_done(cast, session_id), "the end of all effects")
        eventually(lambda: len(partner.requests) >= 1 + len(STORY), "all webhooks")
        told = partner.verified(secret)
    assert sorted(message["type"] for message in told) == sorted(["webhook.ping", *STORY])
    assert {each.headers["webhook-id"] for each in partner.requests} == {message["id"] for message in told}
    assert {"reviews.unlock", "notifications.session_completed", "analytics.session_completed", "webhooks.send"} <= {
        effect["effect"] for effect in done if effect["event"] == "session.completed"
    }
    # One mail for the request, and for the session's creation and completion one for each side.
    assert len(_mails_to(up, cast.addresses[0])) == 3
    assert len(_mails_to(up, cast.addresses[1])) == 2
    assert cast.operator.get("/operations/invariants")["ok"]


def _read(caller: Caller, session_id: str) -> Any:
    answer = caller("GET", f"/sessions/{session_id}")
    assert answer.status == 200 or answer.body["code"] == "session_pending"
    return answer.body if answer.status == 200 else None


def _ids(page: Any) -> list[str]:
    return [item["id"] for item in page["items"]]


def _all_done(cast: Participants, session_id: str) -> list[dict[str, Any]]:
    """The session's effects, once only timers are left, which are for a later day."""
    effects: list[dict[str, Any]] = cast.mentor.get(f"/sessions/{session_id}/effects")["items"]
    # An effect that is tried just now, or again, is due within seconds.
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    owed = [effect for effect in effects if effect["state"] != "done" and effect["dueAt"] <= soon]
    completion = [effect for effect in effects if effect["event"] == "session.completed"]
    return effects if completion and not owed else []


def _mails_to(up: Up, address: str) -> list[EmailMessage]:
    """The mails in the development folder that went to that address."""
    files = (up.data_dir / "mail").glob("*.eml")
    mails = [_parse(file) for file in files]
    return [mail for mail in mails if address in mail["To"]]


def _parse(file: Path) -> EmailMessage:
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail
