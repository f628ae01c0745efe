"""The price and the cancellation policy that a person was shown, on every route that books, joins, holds or buys."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from models.catalog import ProductKind
from tests import factories
from tests.api.conftest import Cast, Tuition, counts, refusal
from tests.application import ApiResponse, World

START = factories.this_hour() + timedelta(days=3)
PRICE = {"amount": 4000, "currency": "USD"}
POLICY = {"windowHours": 24, "lateFeePercent": 50}
OTHER_PRICES = [{"amount": 3999, "currency": "USD"}, {"amount": 4001, "currency": "USD"}]
OTHER_PRICES += [{"amount": 4000, "currency": "EUR"}, {"amount": 0, "currency": "USD"}]


class Scene:
    """A listing of 40 dollars, a course, a group and a bundle of it at the same price; the mentee is the caller."""

    def __init__(self, world: World, cast: Cast) -> None:
        self.world, self.cast, self.client, self.headers = world, cast, world.client, cast.as_mentee
        with world.engine.begin() as db:
            self.course = factories.make_course(db)
            self.product = factories.make_product(db, self.course)
            self.bundle = factories.make_product(db, self.course, ProductKind.BUNDLE, session_count=5)
            self.of_course = factories.make_listing(db, cast.mentor, course_id=self.course.id, duration_minutes=30)

    def post(self, path: str, body: dict[str, Any]) -> ApiResponse:
        self.rows_before = counts(self.world.engine)
        return self.client.post(path, json=body, headers=self.headers)

    def book(self, **shown: Any) -> ApiResponse:
        return self.post("/bookings", self.cast.body(**shown))

    def book_directly(self, **shown: Any) -> ApiResponse:
        body = {"coachId": str(self.cast.mentor.id), "scheduledAt": START.isoformat(), "title": "Growing"}
        return self.post("/sessions/book", {**body, "durationMinutes": 60, **shown})

    def book_series(self, **shown: Any) -> ApiResponse:
        return self.book_directly(recurrence={"count": 3, "onConflict": "skip"}, **shown)

    def book_individually(self, **shown: Any) -> ApiResponse:
        body = {"courseId": str(self.course.id), "startTime": START.isoformat(), "durationMinutes": 30}
        return self.post("/bookings/individual", body | shown)

    def book_individual_series(self, **shown: Any) -> ApiResponse:
        return self.book_individually(recurrence={"count": 3, "onConflict": "skip"}, **shown)

    def hold(self, **shown: Any) -> ApiResponse:
        body = {"startTime": START.isoformat(), "listingId": str(self.cast.listing.id)}
        return self.post(f"/mentors/{self.cast.mentor.id}/holds", body | shown)

    def join(self, **shown: Any) -> ApiResponse:
        return self.post(f"/group-sessions/{self._group()}/join", shown)

    def accept_offer(self, **shown: Any) -> ApiResponse:
        group = self._group(full=True)
        return self.post(f"/group-sessions/{group}/waitlist/accept-offer", shown)

    def buy(self, **shown: Any) -> ApiResponse:
        return self.post(f"/bundles/courses/{self.course.id}/purchase", {"productId": str(self.bundle.id), **shown})

    def _group(self, *, full: bool = False) -> str:
        """A group session; where it is full, a seat is then kept for the mentee."""
        with self.world.engine.begin() as db:
            people = [self.cast.stranger] if full else []
            group = factories.make_group(db, people, listing=self.cast.listing, start_time=START, capacity=1)
        if full:
            path = f"/group-sessions/{group.id}"
            assert self.post(f"{path}/waitlist", {}).status_code == 201
            assert self.client.post(f"{path}/leave", headers=self.cast.as_stranger).status_code == 200
        return str(group.id)


Way = Callable[..., ApiResponse]
BOOKS: dict[str, Way] = {
    "booking": Scene.book,
    "direct booking": Scene.book_directly,
    "series": Scene.book_series,
    "individual booking": Scene.book_individually,
    "individual series": Scene.book_individual_series,
    "hold": Scene.hold,
    "joining": Scene.join,
    "offer": Scene.accept_offer,
}
PAYS: dict[str, Way] = {**BOOKS, "bundle": Scene.buy}


@pytest.fixture
def scene(world: World, cast: Cast) -> Scene:
    return Scene(world, cast)


@pytest.mark.parametrize("way", PAYS.values(), ids=PAYS)
def test_the_shown_price_is_what_is_paid(scene: Scene, way: Way) -> None:
    answer = way(scene, expectedPrice=PRICE)
    assert answer.status_code in (200, 201, 202), answer.json
    booked = answer.json.get("booking", answer.json)
    assert booked.get("price", PRICE) == PRICE


@pytest.mark.parametrize("price", OTHER_PRICES, ids=str)
@pytest.mark.parametrize("way", PAYS.values(), ids=PAYS)
def test_another_price_is_refused_with_the_present_one(scene: Scene, way: Way, price: dict[str, Any]) -> None:
    answer = way(scene, expectedPrice=price)
    assert refusal(answer) == (409, "price_changed")
    assert answer.json["details"] == {"price": PRICE}
    assert counts(scene.world.engine) == scene.rows_before, "nothing was made"


@pytest.mark.parametrize("way", BOOKS.values(), ids=BOOKS)
@pytest.mark.parametrize(
    "shown",
    [None, POLICY, {"windowHours": 12, "lateFeePercent": 60}, {"windowHours": 0, "lateFeePercent": 50}],
    ids=["not named", "the same", "a lower fee for longer", "a shorter window"],
)
def test_worse_terms_than_the_shown_ones_are_refused(scene: Scene, way: Way, shown: dict[str, int] | None) -> None:
    answer = way(scene, expectedCancellation=shown)
    if shown in (None, POLICY):
        assert answer.status_code in (200, 201, 202), answer.json
    else:
        assert refusal(answer) == (409, "terms_changed")
        assert answer.json["details"] == {"cancellation": POLICY}


@pytest.mark.parametrize(
    ("shown", "present", "is_refused"),
    [
        ({"windowHours": 48, "lateFeePercent": 50}, POLICY, False),
        ({"windowHours": 24, "lateFeePercent": 51}, POLICY, False),
        ({"windowHours": 24, "lateFeePercent": 49}, POLICY, True),
        ({"windowHours": 23, "lateFeePercent": 50}, POLICY, True),
        ({"windowHours": 8784, "lateFeePercent": 100}, None, True),
        (None, None, False),
        ({"windowHours": 1, "lateFeePercent": 0}, {"windowHours": 48, "lateFeePercent": 0}, False),
    ],
)
def test_policies_are_compared_as_the_mentee_would(
    scene: Scene, shown: dict[str, int] | None, present: dict[str, int] | None, is_refused: bool
) -> None:
    path = f"/listings/{scene.cast.listing.id}"
    changed = scene.client.patch(path, json={"cancellation": present}, headers=scene.cast.as_mentor)
    assert changed.status_code == 200
    answer = scene.book(expectedCancellation=shown)
    if is_refused:
        assert (*refusal(answer), answer.json["details"]) == (409, "terms_changed", {"cancellation": present})
    else:
        assert answer.status_code == 201, answer.json


def test_a_price_that_a_mentor_changes_is_refused(scene: Scene) -> None:
    dearer = {"amount": 18_500, "currency": "EUR"}
    path = f"/listings/{scene.cast.listing.id}"
    scene.client.patch(path, json={"price": dearer}, headers=scene.cast.as_mentor)
    answer = scene.book(expectedPrice=PRICE)
    assert (*refusal(answer), answer.json["details"]) == (409, "price_changed", {"price": dearer})
    assert scene.book(expectedPrice=dearer).json["price"] == dearer


def test_a_credit_costs_nothing_in_any_currency(scene: Scene) -> None:
    credit = {"bundlePurchaseId": scene.buy().json["id"]}
    assert refusal(scene.book_individually(expectedPrice=PRICE, **credit)) == (409, "price_changed")
    booked = scene.book_individually(expectedPrice={"amount": 0, "currency": "EUR"}, **credit)
    assert (booked.status_code, booked.json["price"]) == (202, {"amount": 0, "currency": "USD"})
    with scene.world.engine.begin() as db:
        group = factories.make_group(db, [], listing=scene.of_course, start_time=START + timedelta(days=1))
    path = f"/group-sessions/{group.id}/join"
    refused = scene.post(path, {"expectedPrice": PRICE, **credit})
    assert (*refusal(refused), refused.json["details"]) == (409, "price_changed", {"price": booked.json["price"]})
    assert scene.post(path, {"expectedPrice": booked.json["price"], **credit}).status_code == 200
    ledger = scene.client.get(f"/bundles/{credit['bundlePurchaseId']}", headers=scene.headers).json["ledger"]
    assert [entry["kind"] for entry in ledger] == ["purchase", "spend", "spend"]


def test_a_mentor_with_worse_terms_is_not_chosen(tuition: Tuition, engine: Engine) -> None:
    first, *_others = tuition.mentors
    with engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE listings SET cancellation_window_hours = NULL WHERE mentor_profile_id = %(id)s", {"id": first.id}
        )
    assert tuition.book().json["mentorProfileId"] == str(first.id)
    unwilling = tuition.book(startTime="2030-05-13T09:00:00Z", expectedCancellation=POLICY)
    assert unwilling.json["mentorProfileId"] != str(first.id)
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE listings SET cancellation_window_hours = NULL")
    for of in ({}, {"taId": str(first.id)}, {"recurrence": {"count": 2}}):
        answer = tuition.book(startTime="2030-05-20T09:00:00Z", expectedCancellation=POLICY, **of)
        assert (*refusal(answer), answer.json["details"]) == (409, "terms_changed", {"cancellation": None})


def test_a_listing_is_booked_and_held_by_its_id(scene: Scene) -> None:
    with scene.world.engine.begin() as db:
        dearer = factories.make_listing(db, scene.cast.mentor, price_amount=9000)
        of_another = factories.make_listing(db, scene.cast.other_mentor)
    listing_id = str(dearer.id)
    for body in ({}, {"durationMinutes": None}):
        booked = scene.book_directly(listingId=listing_id, recurrence={"count": 2}, **body).json["booking"]
        assert (booked["listingId"], booked["price"]["amount"]) == (listing_id, 9000)
        scene.headers = scene.cast.as_stranger
    for book in (scene.book_directly, scene.hold):
        assert refusal(book(listingId=str(of_another.id))) == (404, "not_found")
        other = book(listingId=listing_id, durationMinutes=30)
        assert (*refusal(other), list(other.json["details"])) == (400, "invalid_request", ["durationMinutes"])
        neither = book(listingId=None, durationMinutes=None)
        assert (*refusal(neither), list(neither.json["details"])) == (400, "invalid_request", ["durationMinutes"])
    shown = {"expectedPrice": {"amount": 9000, "currency": "USD"}}
    assert scene.hold(listingId=listing_id, **shown).status_code == 201
    assert refusal(scene.hold(**shown)) == (409, "price_changed")
    scene.client.patch(f"/listings/{listing_id}", json={"active": False}, headers=scene.cast.as_mentor)
    assert refusal(scene.hold(listingId=listing_id)) == (404, "not_found")


def test_no_expectation_but_a_whole_one_is_accepted(scene: Scene) -> None:
    for shown in (
        {"expectedPrice": {"amount": 1}},
        {"expectedPrice": {"amount": -1, "currency": "USD"}},
        {"expectedPrice": {**PRICE, "vat": 19}},
        {"expectedCancellation": {"windowHours": 24}},
        {"expectedCancellation": {**POLICY, "lateFeePercent": 101}},
    ):
        assert refusal(scene.book(**shown)) == (400, "invalid_request")
    assert scene.book(expectedPrice=None, expectedCancellation=None).status_code == 201
