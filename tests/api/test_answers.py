"""Bookings, sessions and permits show what a client would otherwise ask for, and the same wherever one is shown."""

from typing import Any
from uuid import UUID

import pytest

from tests import factories
from tests.api.conftest import Cast
from tests.application import World
from tests.statements import statements_of
from workflows.bundles.records import Bundle
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.sessions.actions import create

OF_BOOKING = ("listing", "course", "kind", "price", "payment", "bundlePurchaseId", "session")
OF_SESSION = ("listing", "course", "kind", "price", "payment", "bundlePurchaseId", "externalId")


@pytest.fixture
def offer(world: World, cast: Cast, course: Course) -> Listing:
    with world.engine.begin() as db:
        return factories.make_listing(db, cast.mentor, course_id=course.id, early_start_minutes=None)


def named(thing: Listing | Course) -> dict[str, Any]:
    return {"id": str(thing.id), "title": thing.title, "externalId": thing.external_id}


def part(body: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: body[name] for name in names}


def test_a_booking_shows_its_offer_and_its_session(world: World, cast: Cast, offer: Listing, course: Course) -> None:
    start = factories.next_slot().isoformat()
    made = world.client.post(
        "/bookings", headers=cast.as_mentee, json={"listingId": str(offer.id), "startTime": start, "externalId": "b-1"}
    ).json
    expected = {
        "listing": named(offer),
        "course": named(course),
        "kind": "individual",
        "price": {"amount": 4000, "currency": "USD"},
        "payment": None,
        "bundlePurchaseId": None,
        "session": None,
    }
    assert part(made, OF_BOOKING) == expected
    path = f"/bookings/{made['id']}"
    accepted = world.client.patch(f"{path}/accept", headers=cast.as_mentor).json
    assert part(accepted, OF_BOOKING) == expected
    with world.engine.begin() as db:
        session = create(db, booking_id=UUID(made["id"]))
    expected["session"] = {"id": str(session.id), "status": "scheduled"}
    for reader in (cast.as_mentee, cast.as_mentor, cast.as_operator):
        assert part(world.client.get(path, headers=reader).json, OF_BOOKING) == expected
        (listed,) = world.client.get("/bookings", headers=reader).json["items"]
        assert part(listed, OF_BOOKING) == expected


def test_a_session_shows_its_booking_everywhere(world: World, cast: Cast, offer: Listing, course: Course) -> None:
    with world.engine.begin() as db:
        booking = factories.make_booking(db, listing=offer, mentee=cast.mentee, external_id="b-2")
        session = create(db, booking_id=factories.accept_booking(db, booking).id)
    expected = {
        "listing": named(offer),
        "course": named(course),
        "kind": "individual",
        "price": {"amount": 4000, "currency": "USD"},
        "payment": None,
        "bundlePurchaseId": None,
        "externalId": "b-2",
    }
    get, path = world.client.get, f"/sessions/{session.id}"
    shown = [
        get(path, headers=cast.as_operator).json,
        get(f"/sessions/mentee/{session.id}", headers=cast.as_mentee).json,
        get(f"/sessions/mentor/{session.id}", headers=cast.as_mentor).json,
        *get("/sessions", headers=cast.as_operator).json["items"],
        *get("/sessions/mentee/my-sessions", headers=cast.as_mentee).json["items"],
        *get("/sessions/mentor/my-sessions", headers=cast.as_mentor).json["items"],
        *get("/me/export", headers=cast.as_mentee).json["sessions"],
        world.client.patch(f"{path}/start", headers=cast.as_mentor).json,
        world.client.patch(f"{path}/complete", headers=cast.as_mentor).json,
    ]
    assert [part(each, OF_SESSION) for each in shown] == [expected] * len(shown)


def test_a_group_has_no_listing_and_the_price_of_a_seat(world: World, cast: Cast, offer: Listing) -> None:
    with world.engine.begin() as db:
        group = factories.make_group_session(db, [cast.mentee], listing=offer)
    shown = world.client.get(f"/sessions/{group.id}", headers=cast.as_mentee).json
    assert (shown["kind"], shown["listing"], shown["price"]) == ("group", None, {"amount": 4000, "currency": "USD"})
    seen = world.client.get(f"/group-sessions/{group.booking_id}", headers=cast.as_mentee).json
    assert (seen["session"], seen["listing"]) == ({"id": str(group.id), "status": "scheduled"}, None)


def test_a_paid_session_shows_how_it_was_paid(world: World, cast: Cast, offer: Listing, bundle: Bundle) -> None:
    with world.engine.begin() as db:
        waiting = factories.make_prepaid_booking(db, listing=offer, mentee=cast.mentee)
        assert waiting.payment is not None
        credit = create(db, booking_id=factories.make_paid_booking(db, bundle, listing=offer).id)
    price = {"amount": 4000, "currency": "USD"}
    confirmed = world.client.post(
        f"/payments/{waiting.payment.id}/confirm", headers=cast.as_operator, json={"reference": "pi_1", "amount": price}
    )
    assert confirmed.status_code == 200
    with world.engine.begin() as db:
        session = create(db, booking_id=waiting.id)
    shown = world.client.get(f"/sessions/{session.id}", headers=cast.as_mentee).json
    assert (shown["price"], shown["payment"]) == (price, {"id": str(waiting.payment.id), "status": "paid"})
    by_credit = world.client.get(f"/sessions/{credit.id}", headers=cast.as_mentee).json
    assert (by_credit["bundlePurchaseId"], by_credit["payment"]) == (str(bundle.id), None)
    booked = world.client.get(f"/bookings/{credit.booking_id}", headers=cast.as_mentee).json
    assert booked["bundlePurchaseId"] == str(bundle.id)


def test_a_page_of_either_is_read_by_two_statements(world: World, cast: Cast, offer: Listing) -> None:
    with world.engine.begin() as db:
        for _ in range(3):
            factories.make_session(db, listing=offer, mentee=cast.mentee)
    for path in ("/bookings", "/sessions/mentee/my-sessions"):
        with statements_of(world.engine) as made:
            assert len(world.client.get(path, headers=cast.as_mentee).json["items"]) == 3
        assert len(made.statements) == 2, "the caller, the page"


def test_a_permit_names_both_sides(world: World, cast: Cast) -> None:
    with world.engine.begin() as db:
        factories.make_permit(db, listing=cast.listing, mentee=cast.mentee)
    (permit,) = world.client.get("/reviews/permits", headers=cast.as_mentee).json["items"]
    assert permit["mentee"] == {"id": str(cast.mentee.id), "name": cast.mentee.name}
    assert (permit["mentor"]["id"], permit["mentor"]["headline"]) == (str(cast.mentor.id), cast.mentor.headline)
