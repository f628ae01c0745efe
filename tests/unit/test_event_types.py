"""Tests of the events: what is stored is what is read back, by old code and new."""

import gc
import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from workflows.events.event import Event
from workflows.events.event_types import (
    BookingAccepted,
    BookingRequested,
    SessionCompleted,
    WebhookPinged,
    announced_types,
    event_types,
    known_types,
)

NOW = datetime(2030, 5, 4, 9, 0, 0, 123456, tzinfo=UTC)
OWN: dict[str, Any] = {
    "booking_id": uuid4(),
    "listing_id": uuid4(),
    "mentor_profile_id": uuid4(),
    "mentee_user_id": uuid4(),
    "session_id": uuid4(),
    "hold_id": uuid4(),
    "calendar_feed_id": uuid4(),
    "fetch_at": NOW,
    "announce_at": NOW,
    "webhook_endpoint_id": uuid4(),
    "example_type": "session.completed",
    "kind": "individual",
    "status": "accepted",
    "start_time": NOW + timedelta(days=1),
    "end_time": NOW + timedelta(days=1, hours=1),
    "version": 2,
    "course_id": uuid4(),
    "cancelled_by": "mentee",
    "cancellation_type": "client_request",
    "late": True,
    "started": True,
    "credit_returned": True,
    "credit_valid_to": NOW + timedelta(days=30),
    "fee_amount": 2000,
    "waived_fee_amount": 2000,
    "no_show_reverted": False,
    "refund_amount": 2000,
    "currency": "USD",
    "user_id": uuid4(),
    "email_change_id": uuid4(),
    "capacity": 8,
    "seats_taken": 3,
    "seat_id": uuid4(),
    "price_amount": 1500,
    "reason": "lapsed",
    "bundle_purchase_id": uuid4(),
    "product_id": uuid4(),
    "total_sessions": 5,
    "remaining_sessions": 2,
    "expired_sessions": 2,
    "valid_from": NOW - timedelta(days=30),
    "valid_to": NOW + timedelta(days=60),
    "changed": "hours",
    "expires_at": NOW + timedelta(days=30),
    "review_id": uuid4(),
    "minutes_before": 60,
    "remind_at": NOW + timedelta(hours=23),
    "useful_until": NOW + timedelta(days=1),
    "awaited_payment": True,
    "payment_id": uuid4(),
    "surplus_amount": 4000,
    "surplus_currency": "USD",
    "paid_for": "booking",
    "series_id": uuid4(),
    "amount": 4000,
    "due_at": NOW + timedelta(minutes=30),
    "charged": 4000,
    "refund_due": 2000,
    "refunded": 0,
    "reference": "pi_1",
    "refund_id": uuid4(),
    "refund_reference": "re_1",
    "external_id": "mentor-7",
    "state": "active",
    "import_id": uuid4(),
    "proposal_id": uuid4(),
    "from_": NOW + timedelta(days=1),
    "to": NOW + timedelta(days=2),
    "by": "mentee",
    "reschedule_count": 1,
    "outcome": "declined",
}


def an_event(kind: type[Event], **changed: Any) -> Event:
    """An event of that type, with every field filled."""
    own = {each.name: OWN[each.name] for each in fields(kind) if each.name in OWN}
    return kind(actor="user:1", occurred_at=NOW, **own | changed)


def stored_and_read(event: Event, **added: Any) -> Event:
    """The event as it comes back from JSON."""
    data = json.loads(json.dumps(event.data() | added))
    return type(event).read(id=event.id, actor=event.actor, occurred_at=event.occurred_at, sequence=7, data=data)


@pytest.mark.parametrize("name", event_types())
def test_what_is_stored_is_what_is_read_back(name: str) -> None:
    event = an_event(event_types()[name])
    read = stored_and_read(event)
    assert read.sequence == 7
    assert read.data() == event.data()
    assert all(getattr(read, each) == getattr(event, each) for each in event.data())
    assert type(read) is type(event)


@pytest.mark.parametrize("name", event_types())
def test_fields_that_a_newer_writer_added_are_left_alone(name: str) -> None:
    event = an_event(event_types()[name])
    assert stored_and_read(event, seats=3, mood={"is": "new"}).data() == event.data()


@pytest.mark.parametrize("name", event_types())
def test_every_event_names_its_subject(name: str) -> None:
    event = an_event(event_types()[name])
    assert event.subject_id == OWN[f"{event.subject}_id"]


def test_a_group_has_no_single_mentee() -> None:
    assert stored_and_read(an_event(BookingAccepted, mentee_user_id=None)).data()["mentee_user_id"] is None


def test_a_time_in_another_zone_is_read_back() -> None:
    start = datetime(2030, 5, 4, 11, tzinfo=timezone(timedelta(hours=2)))
    read = stored_and_read(an_event(SessionCompleted, start_time=start))
    assert isinstance(read, SessionCompleted)
    assert read.start_time == start


def test_ids_are_uuid7_so_that_they_grow_with_time() -> None:
    ids = [an_event(WebhookPinged).id for _ in range(1000)]
    assert ids == sorted(ids)
    assert {each.version for each in ids} == {7}


def test_the_announced_types_are_those_of_the_domain() -> None:
    assert announced_types() == (
        "booking.requested",
        "booking.accepted",
        "booking.declined",
        "booking.cancelled",
        "payment.awaiting",
        "payment.paid",
        "payment.lapsed",
        "payment.cancelled",
        "payment.refund_due",
        "payment.refunded",
        "session.created",
        "session.started",
        "session.completed",
        "session.cancelled",
        "session.fee_waived",
        "session.rescheduled",
        "session.reschedule_proposed",
        "session.reschedule_ended",
        "group_session.full",
        "seat.joined",
        "seat.left",
        "seat.refunded",
        "bundle.purchased",
        "bundle.exhausted",
        "bundle.expired",
        "review.unlocked",
        "review.submitted",
        "mentor.approved",
        "mentor.rejected",
        "availability.changed",
        "webhook_endpoint.disabled",
    )
    assert set(event_types()) - set(announced_types()) == {
        "booking.undecided",
        "booking.awaiting_payment",
        "booking.time_freed",
        "bundle.awaiting_payment",
        "payment.page_outdated",
        "payment.surplus",
        "session.overdue",
        "session.reminder_set",
        "session.time_freed",
        "session.imported",
        "import.continued",
        "group_session.changed",
        "waitlist.offered",
        "waitlist.dropped",
        "availability.announcement_set",
        "calendar_feed.scheduled",
        "calendar.taken",
        "calendar.freed",
        "user.email_change_requested",
        "user.email_changed",
        "bundle.validity_set",
        "webhook.ping",
        "webhook.example",
        "webhook_endpoint.exhausted",
        "webhook_endpoint.failing",
    }


def test_types_are_found_once_and_again_after_a_plug_in() -> None:
    assert event_types() is event_types()
    known = set(event_types())

    class Rated(BookingRequested):
        type = "plug_in.rated"

    try:
        assert set(event_types()) - known == {"plug_in.rated"}
        assert "plug_in.rated" in known_types()
    finally:
        del Rated
        Event.__init_subclass__()
        gc.collect()
    assert set(event_types()) == known
