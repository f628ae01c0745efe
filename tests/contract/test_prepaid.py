"""No route gives a mentee anything that is paid before without its payment: their token asks for every change."""

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, text, update
from uuid_utils.compat import uuid7

from models.catalog import BookingMode, ProductKind
from models.groups import group_sessions, waitlist_entries
from models.payments import PaymentMode
from tests import factories
from tests.api.conftest import Cast
from tests.api.links import signed
from tests.api.test_action_links import hidden
from tests.application import ApiResponse, World, openapi_document
from workflows.action_links.link import Action
from workflows.bookings.records import Booking
from workflows.bundles.records import Bundle
from workflows.catalog.listings import Listing
from workflows.invariants import check_all

# What ends the mentee's own part in it, or would.
LAST = ("/me", "/me/revoke-links")
GIVEN = text("""
SELECT b.id FROM bookings b WHERE b.status = 'accepted' AND b.kind = 'individual'
UNION ALL SELECT s.id FROM sessions s
UNION ALL SELECT p.seat_id FROM booking_participants p WHERE p.seat_id IS NOT NULL
UNION ALL SELECT p.id FROM bundle_purchases p WHERE p.remaining_sessions > 0 AND NOT p.awaits_payment
UNION ALL SELECT p.id FROM payments p WHERE p.status IN ('paid', 'waived')
""")


def test_no_route_gives_a_mentee_what_is_not_paid(engine: Engine, world: World, cast: Cast) -> None:
    with engine.begin() as db:
        ids, values = _offer(db, cast)
    made: set[str] = set()
    paths = openapi_document()["paths"]
    changes = [
        (path, method, paths.get(path, {}).get(method.lower(), {}))
        for rule in world.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"})
        if (path := re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule.rule)) not in LAST
    ]
    assert len(changes) > 80
    for path, method, operation in sorted(changes, key=lambda change: (change[1] == "DELETE", "leave" in change[0])):
        for asked, body in product(_paths(path, ids), _bodies(operation, values)):
            answer = _asked(world, cast, asked, method, body)
            if answer.status_code in (200, 201) and isinstance(answer.json, dict):
                made |= {str(answer.json.get("booking", answer.json).get("status"))}
                made |= {"kept" for payment in [answer.json.get("payment")] if payment and payment["for"] == "seat"}
        with engine.begin() as db:
            assert db.execute(GIVEN).all() == [], f"{method} {path}"
    # It was tried in earnest: bookings, a series, seats and a bundle were made, and wait.
    assert {"awaiting_payment", "kept"} <= made
    with engine.begin() as db:
        asked_for = db.execute(text("SELECT paid_for, count(*) FROM payments GROUP BY 1")).all()
        found = {paid_for: int(number) for paid_for, number in asked_for}
        assert [finding.name for finding in check_all(db) if finding.violations] == []
    assert set(found) == {"booking", "series", "seat", "bundle"}
    # One seat by its own route, one by the list for those who wait, and one by the link of a mail.
    assert found["seat"] >= 3


def _offer(db: Connection, cast: Cast) -> tuple[dict[str, Any], dict[str, Any]]:
    """What can be paid before, some of it booked and bought: ids by names of parameters, and values of fields."""
    course = factories.make_course(db)
    before: dict[str, Any] = {"payment_mode": PaymentMode.BEFORE}
    mode = BookingMode.INSTANT
    listing = factories.make_listing(db, cast.mentor, course_id=course.id, booking_mode=mode, **before)
    single = factories.make_product(db, course, ProductKind.SINGLE, **before)
    sold = factories.make_product(db, course, ProductKind.BUNDLE, session_count=5, **before)
    bundle: Bundle = factories.make_bundle(db, mentee=cast.mentee, **before)
    booking: Booking = factories.make_booking(db, listing=listing, mentee=cast.mentee)
    assert booking.payment is not None
    asked = factories.make_booking(
        db, listing=factories.make_listing(db, cast.other_mentor, **before), mentee=cast.mentee
    )
    groups = [_group(db, cast, listing, day) for day in range(3)]
    token = [
        *(signed(action, each, cast.mentee.id) for action in Action for each in (booking.id, asked.id, groups[2])),
    ]
    ids = {
        "booking_id": [booking.id, asked.id],
        "payment_id": [booking.payment.id],
        "bundle_id": [bundle.id],
        "user_id": [cast.mentee.id],
        "mentor_profile_id": [cast.mentor.id],
        "listing_id": [listing.id],
        "course_id": [course.id],
        "product_id": [single.id],
        "group_id": groups,
        "token": [each.removeprefix("/act/") for each in token],
    }
    values = {
        "listingId": str(listing.id),
        "courseId": str(course.id),
        "mentorProfileId": str(cast.mentor.id),
        "productId": [str(single.id), str(sold.id)],
        "bundlePurchaseId": str(bundle.id),
        "durationMinutes": 60,
        "recurrence": {"count": 2},
        "title": "Algebra",
        "reason": "To have it for nothing",
        "reference": "pi_1",
        "amount": {"amount": 4000, "currency": "USD"},
    }
    return ids, values


def _group(db: Connection, cast: Cast, listing: Listing, day: int) -> UUID:
    """A group of one seat: on the first day it is free, later it is kept for the mentee."""
    begin = factories.this_hour() + timedelta(days=5 + day)
    group = factories.make_group(db, [], listing=listing, start_time=begin, capacity=1)
    if day:
        until = datetime.now(UTC) + timedelta(hours=1)
        entry = {"id": uuid7(), "booking_id": group.id, "user_id": cast.mentee.id, "offered_until": until}
        db.execute(insert(waitlist_entries).values(entry))
        db.execute(update(group_sessions).where(group_sessions.c.booking_id == group.id).values(seats_offered=1))
    return group.id


def _bodies(operation: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    """Bodies with what can be named: each product, with and without a bundle, once and as a series."""
    fields = _fields(operation)
    plain = {name: values[name] for name in fields & values.keys() - {"productId", "bundlePurchaseId", "recurrence"}}
    products = [{"productId": each} for each in values["productId"]] if "productId" in fields else []
    bundle = [{"bundlePurchaseId": values["bundlePurchaseId"]}] if "bundlePurchaseId" in fields else []
    series = [{}, {"recurrence": values["recurrence"]}] if "recurrence" in fields else [{}]
    times = [name for name in ("startTime", "scheduledAt") if name in fields][:1]
    return [
        {**plain, **paid, **repeated, **{name: factories.next_slot().isoformat() for name in times}}
        for paid in ({}, *products, *bundle)
        for repeated in series
    ]


def _fields(operation: dict[str, Any]) -> set[str]:
    schemas = openapi_document()["components"]["schemas"]
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return set(schema.get("properties", {}))


def _paths(path: str, ids: dict[str, list[Any]]) -> list[str]:
    """The path with each of the ids that its parameters can have; of what is unknown, with a booking's."""
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    groups = path.startswith("/group-sessions/")
    choices = [
        ids["group_id"] if groups and name == "booking_id" else ids.get(name, ids["booking_id"]) for name in names
    ]
    return [
        path.format(**dict(zip(names, (str(each) for each in chosen), strict=True))) for chosen in product(*choices)
    ]


def _asked(world: World, cast: Cast, path: str, method: str, body: dict[str, Any]) -> ApiResponse:
    if path.startswith("/act/"):
        return world.client.post(path, data=hidden(world.client.get(path)))
    return world.client.open(path, method=method, json=body, headers=cast.as_mentee)
