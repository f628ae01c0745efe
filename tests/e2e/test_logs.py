"""What the processes log: one JSON line for everything that happens, saying who and what, and nothing private."""

import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from config.settings import settings
from tests.cli.running import Up
from tests.eventually import eventually
from tests.participants import Participants, register
from tests.receivers import http_receiver
from tests.speaking import Caller

OURS = ("api", "worker-sessions", "worker-reviews", "worker-notifications", "worker-analytics", "worker-webhooks")
LOOPS = ("sweep", "maintain")


@pytest.fixture(scope="module")
def story(up: Up) -> tuple[Participants, list[str]]:
    """A life with tokens, a signed webhook, mails and a webhook that fails; and every secret in it."""
    cast = register(Caller(str(up.run()["api"]["url"])), by_token=True)
    with http_receiver() as partner:
        endpoint = cast.mentor.post("/webhook-endpoints", {"url": partner.url, "eventTypes": ["*"]})["id"]
        secret = cast.mentor.get(f"/webhook-endpoints/{endpoint}/secret")["secret"]
        eventually(lambda: cast.mentor.get(f"/webhook-endpoints/{endpoint}")["state"] == "active", "the ping's answer")
        _play(cast)
        # The ping, the five steps of the story, and the permit to review.
        eventually(lambda: len(partner.requests) >= 7, "all webhooks")
    # From here on no server listens at that address.
    cast.request()
    tokens = [caller.identity["Authorization"].split()[1] for caller in (cast.operator, cast.mentor, cast.mentee)]
    password = urlsplit(up.run()["database_url"]).password
    assert password is not None
    return cast, [*tokens, secret, secret.removeprefix("whsec_"), settings().jwt_secret, password, *cast.addresses]


def test_every_line_is_json_with_time_level_and_process(up: Up, story: tuple[Participants, list[str]]) -> None:
    assert story
    for process in (*OURS, *LOOPS):
        lines = _text(up, process).splitlines()
        assert lines, process
        for line in lines:
            told = json.loads(line)
            assert {"event", "level", "logger", "timestamp"} <= set(told), line
            assert told["process"] == process, line


@pytest.mark.parametrize(
    ("process", "event"),
    [
        ("api", "booking.requested"),
        ("api", "booking.accepted"),
        ("worker-sessions", "session.created"),
        ("api", "session.started"),
        ("api", "session.completed"),
    ],
)
def test_each_transition_is_one_line_with_actor_and_event(
    up: Up, story: tuple[Participants, list[str]], process: str, event: str
) -> None:
    cast, _ = story
    actors = {
        "booking.requested": f"user:{cast.mentee_user_id}",
        "session.created": "system",
    }
    actor = actors.get(event, f"mentor:{cast.mentor_profile_id}")
    lines = [line for line in _lines(up, process) if line["event"] == event and line["actor"] == actor]
    assert lines
    assert len({line["event_id"] for line in lines}) == len(lines)
    if process == "api":
        assert all(line["request_id"] for line in lines)


def test_a_refusal_is_one_line_with_request_id_and_code(up: Up, story: tuple[Participants, list[str]]) -> None:
    cast, _ = story
    booking, request_id = cast.request(), f"test-{uuid4().hex}"
    refused = cast.mentor("POST", f"/bookings/{booking}/cancel", X_Request_Id=request_id)
    assert (refused.status, refused.headers["X-Request-Id"], refused.body["requestId"]) == (403, request_id, request_id)
    (line,) = eventually(
        lambda: [line for line in _lines(up, "api") if line.get("request_id") == request_id], "the line"
    )
    assert (line["status"], line["code"]) == (403, "forbidden")
    assert line["actor"] == f"mentor:{cast.mentor_profile_id}"


def test_a_failed_delivery_is_one_line_with_its_reason(up: Up, story: tuple[Participants, list[str]]) -> None:
    assert story

    def failures() -> list[dict[str, Any]]:
        return [line for line in _lines(up, "worker-webhooks") if line["event"] == "delivery.retry"]

    for line in eventually(failures, "the failure"):
        assert {"event_id", "delivery_id", "effect", "attempt", "actor", "error"} <= set(line)


def test_no_log_line_holds_a_secret_or_an_address(up: Up, story: tuple[Participants, list[str]]) -> None:
    cast, secrets = story
    refused = cast.operator("POST", "/users", {"email": cast.addresses[0], "name": "Twice"})
    assert refused.body["code"] == "email_taken"
    for log in (up.data_dir / "logs").iterdir():
        text = log.read_text()
        assert not [secret for secret in secrets if secret in text], log.name
        assert "people.example.org" not in text, log.name


def _play(cast: Participants) -> None:
    booking = cast.request(notes="Something between the two of us.")
    session = cast.mentor.patch(f"/bookings/{booking}/accept", Prefer="wait=10")["session"]["id"]
    cast.mentor.patch(f"/sessions/{session}/start")
    cast.mentor.patch(f"/sessions/{session}/complete", {"feedback": "For my eyes only."})


def _text(up: Up, process: str) -> str:
    return (up.data_dir / "logs" / f"{process}.log").read_text()


def _lines(up: Up, process: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _text(up, process).split("\n")[:-1] if line.startswith("{")]
