"""`MENTEE_PURCHASES=off`: people book nothing that costs by their own tokens; staff do it for them."""

from typing import Any

import pytest
from sqlalchemy import Engine, update

from models.catalog import ProductKind, listings
from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import ApiResponse, World


@pytest.fixture
def closed(engine: Engine) -> World:
    return World.on(engine, mentee_purchases="off")


@pytest.fixture
def routes(engine: Engine, cast: Cast) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every route by which a mentee gets something that costs."""
    with engine.begin() as db:
        course = factories.make_course(db)
        listing = factories.make_listing(db, cast.mentor, course_id=course.id, duration_minutes=45)
        single = factories.make_product(db, course, ProductKind.SINGLE)
        sold = factories.make_product(db, course, ProductKind.BUNDLE, session_count=5)
        group = factories.make_group(db, [], listing=listing)
    mentor, start = str(cast.mentor.id), factories.next_slot().isoformat()
    individual = {
        "courseId": str(course.id),
        "mentorProfileId": mentor,
        "durationMinutes": 45,
        "productId": str(single.id),
    }
    direct = {"mentorProfileId": mentor, "durationMinutes": 60, "title": "An hour", "scheduledAt": start}
    return {
        "request": ("/bookings", cast.body()),
        "direct": ("/sessions/book", direct),
        "series": ("/sessions/book", {**direct, "recurrence": {"count": 2}}),
        "individual": ("/bookings/individual", {**individual, "startTime": factories.next_slot().isoformat()}),
        "bundle": (f"/bundles/courses/{course.id}/purchase", {"productId": str(sold.id)}),
        "seat": (f"/group-sessions/{group.id}/join", {}),
    }


def post(world: World, route: tuple[str, dict[str, Any]], headers: Headers) -> ApiResponse:
    return world.client.post(route[0], json=route[1], headers=headers)


@pytest.mark.parametrize("name", ["request", "direct", "series", "individual", "bundle", "seat"])
def test_only_staff_book_what_costs(
    closed: World, cast: Cast, routes: dict[str, tuple[str, dict[str, Any]]], name: str
) -> None:
    refused = post(closed, routes[name], cast.as_mentee)
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden"), refused.json
    booked = post(closed, routes[name], cast.as_operator | {"On-Behalf-Of": str(cast.mentee.id)})
    assert booked.status_code in (200, 201, 202), booked.json


def test_what_is_free_people_book_themselves(closed: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        db.execute(update(listings).values(price_amount=0))
    assert post(closed, ("/bookings", cast.body()), cast.as_mentee).status_code == 201


def test_by_default_people_buy(world: World, cast: Cast) -> None:
    assert post(world, ("/bookings", cast.body()), cast.as_mentee).status_code == 201
