"""No route gives a mentee anything that is paid before without its payment: their token asks for every change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, text

from models.catalog import BookingMode, ProductKind
from models.payments import PaymentMode
from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiResponse, World, openapi_document
from workflows.bookings.records import Booking
from workflows.bundles.records import Bundle

# What ends the mentee's own part in it, or would.
LAST = ("/me", "/me/revoke-links")
GIVEN = text("""
SELECT b.id FROM bookings b WHERE b.status = 'accepted' AND b.kind = 'individual'
UNION ALL SELECT s.id FROM sessions s
UNION ALL SELECT p.id FROM bundle_purchases p WHERE p.remaining_sessions > 0 AND NOT p.awaits_payment
UNION ALL SELECT p.id FROM payments p WHERE p.status IN ('paid', 'waived')
""")


def test_no_route_gives_a_mentee_what_is_not_paid(engine: Engine, world: World, cast: Cast) -> None:
    with engine.begin() as db:
        ids, values = _offer(db, cast)
    made: set[str] = set()
    changes = [
        (path, method.upper(), operation)
        for path, methods in openapi_document()["paths"].items()
        for method, operation in methods.items()
        if method in ("post", "put", "patch", "delete") and path not in LAST
    ]
    assert len(changes) > 70
    for path, method, operation in changes:
        for body in _bodies(operation, values):
            answer = _asked(world, cast, path, method, ids, body)
            if answer.status_code == 201 and isinstance(answer.json, dict):
                made |= {str(answer.json.get("booking", answer.json).get("status"))}
        with engine.begin() as db:
            assert db.execute(GIVEN).all() == [], f"{method} {path}"
    # It was tried in earnest: bookings, a series and a bundle were made, and wait.
    assert "awaiting_payment" in made
    with engine.begin() as db:
        waiting = db.execute(text("SELECT DISTINCT paid_for FROM payments ORDER BY 1")).scalars().all()
    assert {"booking", "series", "bundle"} <= set(waiting)


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
    own = {
        "booking_id": booking.id,
        "payment_id": booking.payment.id,
        "bundle_id": bundle.id,
        "user_id": cast.mentee.id,
    }
    offered = {"mentor_profile_id": cast.mentor.id, "listing_id": listing.id, "course_id": course.id}
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
    return {**own, **offered, "product_id": single.id, "user_id": cast.mentee.id}, values


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


def _asked(world: World, cast: Cast, path: str, method: str, ids: dict[str, Any], body: dict[str, Any]) -> ApiResponse:
    asked = path
    for name in {part.strip("{}") for part in path.split("/") if part.startswith("{")}:
        asked = asked.replace(f"{{{name}}}", str(ids.get(name, ids["booking_id"])))
    return world.client.open(asked, method=method, json=body, headers=cast.as_mentee)
