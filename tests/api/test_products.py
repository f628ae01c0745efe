"""Products over HTTP: put on sale and taken off by operators, read by all."""

from typing import Any
from uuid import uuid4

import pytest

from tests import factories
from tests.api.conftest import Cast, version_of
from tests.application import World
from workflows.catalog.courses import Course
from workflows.catalog.products import Product

PRICE = {"amount": 4000, "currency": "USD"}
SINGLE = {"kind": "single", "title": "An hour", "price": PRICE}
BUNDLE = {**SINGLE, "kind": "bundle", "title": "Five hours", "sessionCount": 5, "durationMinutes": 60, "validDays": 180}
SEAT = {**SINGLE, "kind": "group_seat", "title": "A seat"}
DEFAULTS = {"sessionCount": 1, "durationMinutes": None, "validDays": None, "active": True, "payment": "none"}


@pytest.mark.parametrize("body", [SINGLE, BUNDLE, SEAT], ids=lambda body: body["kind"])
def test_an_operator_puts_a_product_on_sale(world: World, cast: Cast, course: Course, body: dict[str, Any]) -> None:
    sold = world.client.post(f"/courses/{course.id}/products", json=body, headers=cast.as_operator)
    assert (sold.status_code, version_of(sold)) == (201, 1)
    named = {"externalId": None, "metadata": None}
    assert sold.json == DEFAULTS | named | {"id": sold.json["id"], "courseId": str(course.id)} | body
    for headers in (cast.as_mentee, cast.as_mentor, cast.as_operator):
        assert world.client.get(sold.headers["Location"], headers=headers).json == sold.json
        listed = world.client.get(f"/courses/{course.id}/products", headers=headers).json
        assert listed == {"items": [sold.json], "nextCursor": None}


@pytest.mark.parametrize("who", ["mentee", "mentor"])
def test_only_operators_change_products(world: World, cast: Cast, course: Course, product: Product, who: str) -> None:
    headers, path = getattr(cast, f"as_{who}"), f"/courses/{course.id}/products"
    assert world.client.post(path, json=SINGLE, headers=headers).status_code == 403
    assert world.client.patch(f"{path}/{product.id}", json={"active": False}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**SINGLE, "kind": "gift"}, "kind"),
        ({"title": "x", "price": PRICE}, "kind"),
        ({**BUNDLE, "sessionCount": None}, "sessionCount"),
        ({**SINGLE, "kind": "bundle"}, "sessionCount"),
        ({**BUNDLE, "sessionCount": 0}, "sessionCount"),
        ({**BUNDLE, "sessionCount": 1001}, "sessionCount"),
        ({**SINGLE, "sessionCount": 2}, "sessionCount"),
        ({**SEAT, "validDays": 10}, "validDays"),
        ({**BUNDLE, "validDays": 0}, "validDays"),
        ({**BUNDLE, "durationMinutes": 4}, "durationMinutes"),
        ({**SINGLE, "price": {"amount": -1, "currency": "USD"}}, "price.amount"),
        ({**SINGLE, "price": {"amount": 1, "currency": "usd"}}, "price.currency"),
        ({**SINGLE, "active": False}, "active"),
        ({**SINGLE, "title": " "}, "title"),
    ],
)
def test_a_product_that_does_not_fit_is_refused(
    world: World, cast: Cast, course: Course, body: dict[str, Any], field: str
) -> None:
    answer = world.client.post(f"/courses/{course.id}/products", json=body, headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert field in answer.json["details"], answer.json


def test_a_product_off_sale_exists_for_operators_alone(
    world: World, cast: Cast, course: Course, product: Product
) -> None:
    products = f"/courses/{course.id}/products"
    path = f"{products}/{product.id}"
    changed = world.client.patch(path, json={"active": False}, headers=cast.as_operator | {"If-Match": '"1"'})
    assert (changed.status_code, changed.json["active"], version_of(changed)) == (200, False, 2)
    for headers in (cast.as_mentee, cast.as_mentor):
        answer = world.client.get(path, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        assert world.client.get(products, headers=headers).json["items"] == []
    assert world.client.get(path, headers=cast.as_operator).json == changed.json
    assert world.client.get(products, headers=cast.as_operator).json["items"] == [changed.json]
    stale = world.client.patch(path, json={"active": True}, headers=cast.as_operator | {"If-Match": '"1"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")


def test_title_price_and_validity_can_be_changed(world: World, cast: Cast, course: Course) -> None:
    path = world.client.post(f"/courses/{course.id}/products", json=BUNDLE, headers=cast.as_operator).headers[
        "Location"
    ]
    changes = {"title": "Five", "price": {"amount": 0, "currency": "JPY"}, "validDays": None}
    changed = world.client.patch(path, json=changes, headers=cast.as_operator)
    assert (changed.status_code, changed.json | changes) == (200, changed.json)
    for fixed in ({"kind": "single"}, {"sessionCount": 6}, {"durationMinutes": 30}):
        assert world.client.patch(path, json=fixed, headers=cast.as_operator).status_code == 400


def test_only_a_bundle_gets_a_validity(world: World, cast: Cast, course: Course, product: Product) -> None:
    path = f"/courses/{course.id}/products/{product.id}"
    refused = world.client.patch(path, json={"validDays": 10}, headers=cast.as_operator)
    assert (refused.status_code, "validDays" in refused.json["details"]) == (400, True)
    assert world.client.patch(path, json={"validDays": None}, headers=cast.as_operator).status_code == 200


def test_a_product_is_found_under_its_own_course_alone(world: World, cast: Cast, product: Product) -> None:
    with world.engine.begin() as db:
        other = factories.make_course(db)
    for path in (
        f"/courses/{other.id}/products/{product.id}",
        f"/courses/{uuid4()}/products/{product.id}",
        f"/courses/no-id/products/{product.id}",
        f"/courses/{product.course_id}/products/{uuid4()}",
        f"/courses/{product.course_id}/products/no-id",
    ):
        for method in ("GET", "PATCH"):
            answer = world.client.open(path, method=method, json={}, headers=cast.as_operator)
            assert (answer.status_code, answer.json["code"]) == (404, "not_found"), (method, path)
    for course_id in (uuid4(), "no-id"):
        for method in ("GET", "POST"):
            path = f"/courses/{course_id}/products"
            assert world.client.open(path, method=method, json=SINGLE, headers=cast.as_operator).status_code == 404


def test_products_come_in_pages_the_newest_first(world: World, cast: Cast, course: Course) -> None:
    with world.engine.begin() as db:
        made = [factories.make_product(db, course, title=f"Product {number}") for number in range(3)]
        factories.make_product(db, course, active=False)
    path, found, cursor = f"/courses/{course.id}/products?limit=1", [], ""
    for _ in made:
        page = world.client.get(path + cursor, headers=cast.as_mentee).json
        found += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert (found, page["nextCursor"]) == ([str(product.id) for product in reversed(made)], None)
