"""External ids and metadata: one rule for every kind that the marketplace names."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine

from models.catalog import ProductKind
from tests import factories
from tests.api.conftest import Cast, Headers, Tuition
from tests.api.test_group_templates import body_of as a_group
from tests.application import ApiResponse, World
from workflows.catalog.courses import Course
from workflows.catalog.products import Product

NAMED = {"externalId": "order/1024", "metadata": {"source": "website", "tags": [1, None]}}
PRICE = {"amount": 4000, "currency": "USD"}


@dataclass
class Kind:
    """How one kind is made, listed and changed; `path` of a change takes the id."""

    makes: str
    lists: str
    body: dict[str, Any]
    headers: Headers
    changes: str = ""


@pytest.fixture
def bundle(engine: Engine, course: Course) -> Product:
    with engine.begin() as db:
        return factories.make_product(db, course, ProductKind.BUNDLE, session_count=5)


@pytest.fixture
def kinds(cast: Cast, course: Course, bundle: Product) -> dict[str, Kind]:
    operator, mentor, mentee = cast.as_operator, cast.as_mentor, cast.as_mentee
    products = f"/courses/{course.id}/products"
    listing = {"title": "Advice", "durationMinutes": 45, "price": PRICE}
    template = a_group()
    return {
        "mentor profile": Kind(
            "/mentor-profiles", "/mentors", {"headline": "Teacher"}, cast.as_stranger, "/mentor-profiles/{}"
        ),
        "course": Kind("/courses", "/courses", {"title": "Algebra"}, operator, "/courses/{}"),
        "product": Kind(
            products, products, {"title": "One", "kind": "single", "price": PRICE}, operator, products + "/{}"
        ),
        "listing": Kind("/listings", "/listings", listing, mentor, "/listings/{}"),
        "template": Kind(
            "/group-session-templates", "/group-session-templates", template, mentor, "/group-session-templates/{}"
        ),
        "bundle": Kind(f"/bundles/courses/{course.id}/purchase", "/bundles", {"productId": str(bundle.id)}, mentee),
        "booking": Kind("/bookings", "/bookings", cast.body(), mentee),
        "direct booking": Kind(
            "/sessions/book",
            "/bookings",
            {
                "mentorProfileId": str(cast.mentor.id),
                "durationMinutes": 60,
                "title": "An hour",
                "scheduledAt": factories.next_slot().isoformat(),
            },
            mentee,
        ),
    }


KINDS = ("mentor profile", "course", "product", "listing", "template", "bundle", "booking", "direct booking")


def made(world: World, kind: Kind, **named: Any) -> ApiResponse:
    return world.client.post(kind.makes, json={**kind.body, **named}, headers=kind.headers)


def shown(answer: ApiResponse) -> dict[str, Any]:
    found: dict[str, Any] = answer.json.get("booking") or answer.json
    return found


@pytest.mark.parametrize("name", KINDS)
def test_what_is_named_is_shown_and_found_by_its_name(world: World, kinds: dict[str, Kind], name: str) -> None:
    kind = kinds[name]
    answer = made(world, kind, **NAMED)
    assert answer.status_code == 201, answer.json
    found = shown(answer)
    assert {field: found[field] for field in NAMED} == NAMED
    for query, ids in (("order/1024", [found["id"]]), ("order/1", [])):
        listed = world.client.get(kind.lists, query_string={"externalId": query}, headers=kind.headers)
        assert (listed.status_code, [each["id"] for each in listed.json["items"]]) == (200, ids)


@pytest.mark.parametrize("name", KINDS)
def test_a_name_is_unique_within_its_kind(
    world: World, cast: Cast, engine: Engine, kinds: dict[str, Kind], name: str
) -> None:
    kind = kinds[name]
    assert made(world, kind, **NAMED).status_code == 201
    with engine.begin() as db:
        another = factories.make_product(db, factories.make_course(db), ProductKind.BUNDLE, session_count=2)
    # Nothing else is in the way of the second one.
    other: dict[str, dict[str, Any]] = {
        "mentor profile": {"userId": str(cast.mentee.id)},
        "listing": {"durationMinutes": 30},
        "bundle": {"productId": str(another.id)},
        "booking": cast.body(),
        "direct booking": {"scheduledAt": factories.next_slot().isoformat()},
    }
    kind.body |= other.get(name, {})
    kind.headers = cast.as_operator if name == "mentor profile" else kind.headers
    kind.makes = f"/bundles/courses/{another.course_id}/purchase" if name == "bundle" else kind.makes
    refused = made(world, kind, externalId="order/1024")
    assert (refused.status_code, refused.json["code"]) == (409, "external_id_taken"), refused.json
    assert list(refused.json["details"]) == ["externalId"]
    assert made(world, kind, externalId="order/1025").status_code == 201


@pytest.mark.parametrize("name", ["mentor profile", "course", "product", "listing", "template"])
def test_a_name_is_changed_and_taken_away(world: World, kinds: dict[str, Kind], name: str) -> None:
    kind = kinds[name]
    path = kind.changes.format(made(world, kind, **NAMED).json["id"])
    for changes in ({"externalId": "b", "metadata": {"a": 1}}, {"externalId": None, "metadata": None}):
        changed = world.client.patch(path, json=changes, headers=kind.headers)
        assert changed.status_code == 200
        assert {field: changed.json[field] for field in changes} == changes


def test_a_user_is_named_by_an_operator(world: World, cast: Cast) -> None:
    body = {"email": "ada@example.org", "name": "Ada", **NAMED}
    answer = world.client.post("/users", json=body, headers=cast.as_operator)
    assert (answer.status_code, {field: answer.json[field] for field in NAMED}) == (201, NAMED)
    again = world.client.post("/users", json={**body, "email": "b@example.org"}, headers=cast.as_operator)
    assert (again.status_code, again.json["code"]) == (409, "external_id_taken")
    # Of a person's own: it decides whose token is whose.
    own = world.client.patch("/me", json={"externalId": "x"}, headers=cast.as_mentee)
    assert (own.status_code, list(own.json["details"])) == (400, ["externalId"])


def test_a_session_shows_its_bookings_name(world: World, cast: Cast) -> None:
    booked = world.client.post("/bookings", json=cast.body(**NAMED), headers=cast.as_mentee)
    other = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee)
    for answer in (booked, other):
        world.client.post(f"/bookings/{answer.json['id']}/accept", headers=cast.as_mentor)
    world.run_session_effects()
    for path, headers in (("/sessions/mentee", cast.as_mentee), ("/sessions/mentor", cast.as_mentor)):
        listed = world.client.get(f"{path}/my-sessions?externalId=order/1024", headers=headers)
        (found,) = listed.json["items"]
        assert {field: found[field] for field in NAMED} == NAMED
        assert found["bookingId"] == booked.json["id"]
        assert world.client.get(f"/sessions/{found['id']}", headers=headers).json["externalId"] == "order/1024"


def test_a_mentor_who_is_also_a_mentee_finds_a_booking_by_its_name(world: World, cast: Cast) -> None:
    named = world.client.post("/bookings", json=cast.body(**NAMED), headers=cast.as_mentee)
    for _ in range(3):
        world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee)
    listed = world.client.get("/bookings?externalId=order/1024&limit=1", headers=cast.as_mentor)
    assert [each["id"] for each in listed.json["items"]] == [named.json["id"]]
    assert listed.json["nextCursor"] is None


def test_a_series_has_no_one_name(tuition: Tuition) -> None:
    refused = tuition.book(externalId="a", recurrence={"count": 2})
    assert (refused.status_code, list(refused.json["details"])) == (400, ["externalId"])
    booked = tuition.book(externalId="a")
    assert (booked.status_code, booked.json["externalId"]) == (202, "a")


@pytest.mark.parametrize("value", ["", " ", "x" * 201, "a\nb", 17])
def test_a_name_is_one_line_of_at_most_200_characters(world: World, cast: Cast, value: Any) -> None:
    refused = world.client.post("/courses", json={"title": "A", "externalId": value}, headers=cast.as_operator)
    assert (refused.status_code, list(refused.json["details"])) == (400, ["externalId"])
