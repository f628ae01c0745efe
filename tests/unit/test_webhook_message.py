"""Tests of webhook messages: their bodies, the JSON schemas of the event types, and the examples."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import jsonschema_rs
import pytest

from tests.unit.test_event_types import OWN, an_event, stored_and_read
from workflows.events.event_types import (
    BookingAccepted,
    SessionCompleted,
    WebhookExampleAsked,
    announced_types,
    event_types,
)
from workflows.kernel.errors import Invalid
from workflows.webhooks.messages import MAX_BODY_BYTES, body_of, described_event_types, schema_of


def test_every_announced_type_is_listed_with_a_description() -> None:
    assert [each.type for each in described_event_types()] == list(announced_types())
    assert all(each.description.endswith(".") for each in described_event_types())


@pytest.mark.parametrize("name", announced_types())
def test_the_schema_fits_the_messages_that_are_sent(name: str) -> None:
    schema = jsonschema_rs.validator_for(schema_of(name), validate_formats=True)
    message = json.loads(body_of(stored_and_read(an_event(event_types()[name]))))
    schema.validate(message)
    for spoiled in (
        message | {"type": "another.type"},
        message | {"id": 7},
        message | {"sequence": None},
        message | {"data": {}},
        {field: value for field, value in message.items() if field != "data"},
    ):
        assert not schema.is_valid(spoiled)


def test_what_may_be_absent_may_be_null() -> None:
    schema = jsonschema_rs.validator_for(schema_of("booking.accepted"))
    event = stored_and_read(an_event(BookingAccepted, mentee_user_id=None, session_id=None))
    schema.validate(json.loads(body_of(event)))


@pytest.mark.parametrize("name", announced_types())
def test_the_example_fits_its_schema_and_is_what_is_sent(name: str) -> None:
    (listed,) = [each.example for each in described_event_types() if each.type == name]
    jsonschema_rs.validator_for(schema_of(name), validate_formats=True).validate(listed)
    asked = WebhookExampleAsked(
        actor="system",
        occurred_at=datetime.now(UTC),
        sequence=1,
        webhook_endpoint_id=uuid4(),
        example_type=name,
    )
    sent = json.loads(body_of(asked))
    assert (sent["type"], sent["data"]) == (name, listed["data"])
    assert sent["id"] == str(asked.id)


def test_a_message_of_more_than_256_kb_is_refused() -> None:
    assert MAX_BODY_BYTES == 256 * 1024
    event = an_event(BookingAccepted)
    size = len(body_of(event))
    assert len(body_of(event, max_bytes=size)) == size
    with pytest.raises(Invalid, match=f"would have {size} bytes"):
        body_of(event, max_bytes=size - 1)


def test_a_body_has_the_documented_fields() -> None:
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
    data = json.loads(body_of(stored_and_read(an_event(event_types()[name]))))["data"]
    allowed = {"status", "kind", "version", "startTime", "endTime", "expiresAt", "capacity", "seatsTaken"}
    # The last of an event that is never sent to an endpoint.
    allowed |= {"minutesBefore", "remindAt", "usefulUntil", "changed", "lastError", "fetchAt", "announceAt"}
    allowed |= {"totalSessions", "remainingSessions", "expiredSessions", "validFrom", "validTo"}
    allowed |= {"priceAmount", "started"}
    # A word of ours, of an event that is never sent to an endpoint.
    allowed |= {"reason"} if name == "waitlist.dropped" else set()
    allowed |= {"cancelledBy", "type", "late", "waived", "creditReturned", "creditValidTo"}
    allowed |= {"feeAmount", "waivedFeeAmount", "noShowReverted", "refundAmount", "currency", "awaitedPayment"}
    # References are names of the marketplace's own, or of its payment provider.
    allowed |= {"paidFor", "amount", "dueAt", "charged", "refundDue", "refunded", "reference", "refundReference"}
    allowed |= {"surplusAmount", "surplusCurrency", "failed"}
    allowed |= {"from", "to", "by", "rescheduleCount", "outcome", "externalId", "state"}
    assert all(field.endswith("Id") or field in allowed for field in data)
