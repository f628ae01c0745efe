"""Tests of keys, of what excludes one another, and of what the tables do by triggers: beside the CHECKs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Table, insert, select, text, update

from models.analytics import session_metrics
from models.availability import (
    availability_rules,
    calendar_feeds,
    outside_busy,
    weekly_hours,
)
from models.bookings import booking_participants, bookings
from models.bundles import bundle_entries, bundle_purchases
from models.calendar import calendar_secrets, person_busy
from models.catalog import listings
from models.events import deliveries, delivery_attempts
from models.idempotency import idempotency_keys
from models.notifications import notifications
from models.people import email_changes
from models.reviews import review_permits, reviews
from models.sessions import sessions
from models.webhooks import webhook_endpoints, webhook_secrets
from tests.factories import (
    make_listing,
    make_session,
    make_user,
    start_session,
)
from tests.integration.harness import without_guards
from tests.integration.test_constraints import Rows
from tests.integration.test_guards import refused
from workflows.calendar.feed import digest_of

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def test_a_duplicate_is_refused_by_its_constraints_name(db: Connection) -> None:
    rows = Rows(db)
    permit, endpoint = rows.of(review_permits), rows.of(webhook_endpoints)
    block = {**rows.of(person_busy), "expires_at": NOW + HOUR}
    key = {"caller": "c", "method": "POST", "route": "r", "key": "k", "fingerprint": b"", "status_code": 200}
    key |= {"headers": {}, "body": b""}
    joined = {"booking_id": rows.booking.id, "user_id": rows.booking.mentee_user_id}
    bought = {**rows.of(bundle_purchases), "mentee_user_id": rows.session.mentee_user_id}
    spent = {**rows.of(bundle_entries), "kind": "spend", "credits": -1, "booking_id": rows.booking.id}
    twice: list[tuple[Table, dict[str, Any], str]] = [
        (review_permits, permit, "uq_review_permits_session_id_mentee_user_id"),
        (reviews, rows.of(reviews), "uq_reviews_session_id_mentee_user_id"),
        (notifications, rows.of(notifications), "uq_notifications_event_id_user_id_channel"),
        (webhook_endpoints, endpoint, "uq_webhook_endpoints_mentor_profile_id_url"),
        (session_metrics, rows.of(session_metrics), "pk_session_metrics"),
        (idempotency_keys, key, "pk_idempotency_keys"),
        (delivery_attempts, rows.of(delivery_attempts), "pk_delivery_attempts"),
        (person_busy, block, "tr_person_busy_mentor"),
        (calendar_feeds, rows.of(calendar_feeds), "uq_calendar_feeds_mentor_profile_id_url_digest"),
        (outside_busy, rows.of(outside_busy), "ex_outside_busy_mentor_profile_id_calendar_feed_id_busy"),
        (weekly_hours, rows.of(weekly_hours), "uq_weekly_hours_mentor_profile_id_revision"),
        (availability_rules, rows.of(availability_rules), "pk_availability_rules"),
        (email_changes, rows.of(email_changes), "uq_email_changes_open"),
    ]
    db.execute(insert(email_changes).values({**rows.of(email_changes), "id": uuid4(), "open": False}))
    for table, row, name in twice:
        db.execute(insert(table).values(row))
        with refused(db, name):
            db.execute(insert(table).values({**row, **({"id": uuid4()} if "id" in row else {}), **_other_hold(row)}))
    draft = {**rows.of(bookings), "id": uuid4()}
    db.execute(insert(bookings).values(draft))
    with refused(db, "uq_bookings_open_draft"):
        db.execute(insert(bookings).values({**draft, "id": uuid4()}))
    with refused(db, "uq_bundle_purchases_open"):
        db.execute(insert(bundle_purchases).values(bought))
    for entry in ({**spent, "seat_id": None}, {**spent, "seat_id": uuid4()}):
        db.execute(insert(bundle_entries).values({**entry, "id": uuid4()}))
        name = "uq_bundle_entries_seat_id_kind" if entry["seat_id"] else "uq_bundle_entries_booking_id_kind"
        with refused(db, name):
            db.execute(insert(bundle_entries).values({**entry, "id": uuid4()}))
    with refused(db, "uq_weekly_hours_present"):
        db.execute(insert(weekly_hours).values({**rows.hours, "id": uuid4(), "revision": 2}))
    with refused(db, "ex_availability_rules_weekly_hours_id_weekday"):
        db.execute(insert(availability_rules).values({**rows.of(availability_rules), "opens": 600}))
    with refused(db, "ex_listings_mentor_profile_id_duration_minutes_price_currency"):
        db.execute(insert(listings).values({**rows.of(listings), "id": uuid4(), "price_currency": "EUR"}))
    with refused(db, "pk_booking_participants"):
        db.execute(insert(booking_participants).values(joined))
    with refused(db, "uq_deliveries_id"):
        db.execute(insert(deliveries).values({**rows.of(deliveries), "id": rows.delivery["id"]}))


@pytest.mark.parametrize(
    ("one", "other", "is_refused"),
    [
        ("mentor", "mentor", True),
        ("mentor", "mentee", True),
        ("mentee", "mentor", True),
        ("mentor", "overlapping", True),
        ("overlapping", "mentor", True),
        ("mentee", "mentee", True),
        ("mentee", "overlapping", True),
        ("overlapping", "overlapping", False),
    ],
)
def test_the_constraint_alone_keeps_a_person_from_being_busy_twice(
    db: Connection, one: str, other: str, is_refused: bool
) -> None:
    rows = Rows(db)
    mentor = {"user_id": rows.mentor_user_id(), "mentor_profile_id": rows.listing.mentor_profile_id}
    mentee = {**mentor, "mentor_profile_id": None}
    parts = {"mentor": mentor, "mentee": mentee, "overlapping": {**mentee, "may_overlap": True}}
    busy = rows.of(person_busy)["busy"]
    first, second = (
        insert(person_busy).values(id=uuid4(), busy=busy, booking_id=booking_id, **parts[part])
        for part, booking_id in ((one, rows.booking.id), (other, rows.session.booking_id))
    )
    with without_guards(db):
        db.execute(first)
        if is_refused:
            with refused(db, "ex_person_busy_user_id_busy"):
                db.execute(second)
        else:
            db.execute(second)


def _other_hold(row: dict[str, Any]) -> dict[str, Any]:
    return {"hold_id": uuid4()} if row.get("hold_id") else {}


def test_a_bookings_mentor_is_its_listings(db: Connection) -> None:
    rows = Rows(db)
    with refused(db, "fk_bookings_listing_id_mentor_profile_id"):
        db.execute(insert(bookings).values({**rows.of(bookings), "mentor_profile_id": rows.listing.mentor_profile_id}))
        db.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


def test_busy_times_are_of_the_calendars_mentor(db: Connection) -> None:
    rows = Rows(db)
    other = {**rows.of(outside_busy), "mentor_profile_id": rows.booking.mentor_profile_id}
    with refused(db, "fk_outside_busy_mentor_profile_id_calendar_feed_id"):
        db.execute(insert(outside_busy).values(other))


def test_a_reviews_mentor_is_its_permits(db: Connection) -> None:
    rows = Rows(db)
    with refused(db, "fk_reviews_session_id_mentee_user_id_mentor_profile_id"):
        db.execute(insert(reviews).values({**rows.of(reviews), "mentor_profile_id": rows.listing.mentor_profile_id}))


def test_the_secrets_of_an_endpoint_go_with_it(db: Connection) -> None:
    endpoint = Rows(db).of(webhook_endpoints)
    db.execute(insert(webhook_endpoints).values(endpoint))
    db.execute(insert(webhook_secrets).values(id=uuid4(), endpoint_id=endpoint["id"], sealed_secret="s"))
    db.execute(webhook_endpoints.delete().where(webhook_endpoints.c.id == endpoint["id"]))
    assert db.execute(select(webhook_secrets)).all() == []


@pytest.mark.parametrize("minutes", [None, [], [1], [43_200], [5, 4, 3, 2, 1]])
def test_a_listings_reminders_may_be_any_others_none_included(db: Connection, minutes: list[int] | None) -> None:
    listing = make_listing(db, reminder_minutes=minutes)
    assert listing.reminder_minutes == minutes


def test_every_cancellation_raises_the_sequence_of_the_invitation(db: Connection) -> None:
    session, other = make_session(db), make_session(db)
    # By hand, past all code.
    cancel = update(sessions).where(sessions.c.id == session.id)
    db.execute(cancel.values(status="cancelled", cancelled_at=session.created_at))
    sequence = select(sessions.c.calendar_sequence)
    assert db.scalar(sequence.where(sessions.c.id == session.id)) == 1
    db.execute(cancel.values(notes="Changed afterwards."))
    assert db.scalar(sequence.where(sessions.c.id == session.id)) == 1
    start_session(db, other)
    assert db.scalar(sequence.where(sessions.c.id == other.id)) == 0


def test_a_user_has_one_secret_and_a_secret_one_user(db: Connection) -> None:
    one, other = make_user(db), make_user(db)
    kept = calendar_secrets.insert()
    db.execute(kept.values(user_id=one.id, digest=digest_of("a")))
    with refused(db, "pk_calendar_secrets"):
        db.execute(kept.values(user_id=one.id, digest=digest_of("b")))
    with refused(db, "uq_calendar_secrets_digest"):
        db.execute(kept.values(user_id=other.id, digest=digest_of("a")))
