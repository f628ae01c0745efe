"""Tests of a webhook as it goes out: its body, and its signature against the library that partners verify with."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from tests.signing import sign
from tests.unit.test_catalogue import OWN, an_event, stored_and_read
from workflows.events.catalogue import SessionCompleted, event_types
from workflows.webhooks.messages import body_of
from workflows.webhooks.secrets import new_secret


def test_the_body_is_what_happened_to_which_ids_when_in_camel_case() -> None:
    event = stored_and_read(an_event(SessionCompleted))
    body = json.loads(body_of(event))
    assert list(body) == ["id", "type", "timestamp", "sequence", "data"]
    assert body["id"] == str(event.id)
    assert body["type"] == "session.completed"
    assert body["timestamp"] == "2030-05-04T09:00:00.123Z"
    assert body["sequence"] == 7
    assert body["data"] == {
        "sessionId": str(OWN["session_id"]),
        "bookingId": str(OWN["booking_id"]),
        "mentorProfileId": str(OWN["mentor_profile_id"]),
        "menteeUserId": str(OWN["mentee_user_id"]),
        "courseId": str(OWN["course_id"]),
        "status": "accepted",
        "startTime": "2030-05-05T09:00:00.123Z",
        "endTime": "2030-05-05T10:00:00.123Z",
        "version": 2,
    }


@pytest.mark.parametrize("name", event_types())
def test_a_body_is_the_same_bytes_on_every_attempt(name: str) -> None:
    event = an_event(event_types()[name])
    assert body_of(stored_and_read(event)) == body_of(stored_and_read(event))


@pytest.mark.parametrize("name", event_types())
def test_a_body_holds_no_names_no_mails_and_no_notes(name: str) -> None:
    told = json.loads(body_of(stored_and_read(an_event(event_types()[name]))))["data"]
    allowed = {"status", "kind", "version", "startTime", "endTime", "expiresAt", "capacity", "seatsTaken"}
    allowed |= {"minutesBefore", "remindAt", "usefulUntil", "changed"}
    allowed |= {"cancelledBy", "cancellationType", "late", "feeAmount", "refundAmount", "currency"}
    assert all(field.endswith("Id") or field in allowed for field in told)


@given(body=st.binary(max_size=2000))
def test_a_signature_is_verified_by_the_library_of_the_standard(body: bytes) -> None:
    secret, webhook_id = new_secret(), str(uuid4())
    # The library reads the body as JSON once the signature holds.
    body = json.dumps({"any": body.hex()}).encode()
    timestamp = str(int(datetime.now(UTC).timestamp()))
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": sign(secret, webhook_id, timestamp, body),
    }
    assert Webhook(secret).verify(body, headers) == json.loads(body)
    for changed in ({"webhook-id": str(uuid4())}, {"webhook-timestamp": str(int(timestamp) - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_a_signature_is_the_one_that_the_library_makes() -> None:
    secret = "whsec_" + b64encode(b"0123456789abcdef01234567").decode()
    at = datetime(2030, 5, 4, 9, tzinfo=UTC)
    ours = sign(secret, "msg_1", str(int(at.timestamp())), b'{"test": 2432232314}')
    assert ours == Webhook(secret).sign("msg_1", at, '{"test": 2432232314}')
