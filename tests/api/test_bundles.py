"""Buying bundles, looking at them, and adjusting them, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select

from models.catalog import ProductKind
from models.events import events
from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiResponse, World
from tests.queries import scalars
from workflows.bundles import adjust as bundle_actions
from workflows.bundles.records import MAX_SHOWN_ENTRIES, Bundle, locked
from workflows.catalog.courses import Course, change_course
from workflows.catalog.products import Product

WHY = "The connection broke down."


@pytest.fixture
def five(engine: Engine, course: Course) -> Product:
    with engine.begin() as db:
        return factories.make_product(db, course, ProductKind.BUNDLE, session_count=5, valid_days=30)


def buy(world: World, product: Product, headers: dict[str, str], **body: Any) -> ApiResponse:
    path = f"/bundles/courses/{product.course_id}/purchase"
    return world.client.post(path, json={"productId": str(product.id), **body}, headers=headers)


def adjust(world: World, cast: Cast, bundle: Bundle, **body: Any) -> ApiResponse:
    return world.client.post(f"/bundles/{bundle.id}/adjust", json={"reason": WHY, **body}, headers=cast.as_operator)


def spend_all(engine: Engine, bundle: Bundle) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, course_id=bundle.course_id)
        for _ in range(bundle.remaining_sessions):
            factories.make_paid_booking(db, bundle, listing=listing)


def moment(shown: str) -> datetime:
    return datetime.fromisoformat(shown)


def test_a_purchase_is_answered_with_its_ledger(world: World, cast: Cast, five: Product) -> None:
    answer = buy(world, five, cast.as_mentee)
    bought = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/bundles/{bought['id']}")
    assert (bought["totalSessions"], bought["remainingSessions"], bought["status"]) == (5, 5, "active")
    assert (bought["courseId"], bought["productId"]) == (str(five.course_id), str(five.id))
    assert (bought["menteeUserId"], bought["price"]) == (str(cast.mentee.id), {"amount": 4000, "currency": "USD"})
    assert moment(bought["validTo"]) - moment(bought["validFrom"]) == timedelta(days=30)
    (entry,) = bought["ledger"]
    assert (entry["kind"], entry["credits"], entry["balance"], entry["bookingId"]) == ("purchase", 5, 5, None)
    assert world.client.get(answer.headers["Location"], headers=cast.as_mentee).json == bought


def test_a_ledger_shows_its_latest_entries(world: World, cast: Cast, five: Product, engine: Engine) -> None:
    bought = buy(world, five, cast.as_mentee).json
    with engine.begin() as db:
        bundle = locked(db, UUID(bought["id"]))
        for number in range(MAX_SHOWN_ENTRIES):
            bundle_actions.adjust(
                db,
                actor=factories.OPERATOR,
                bundle=bundle,
                reason=str(number),
                credits=-1 if number % 2 else 1,
                changes={},
                any_version=True,
                now=datetime.now(UTC),
            )
    shown = world.client.get(f"/bundles/{bought['id']}", headers=cast.as_mentee).json["ledger"]
    # Without the purchase.
    assert [entry["credits"] for entry in shown] == [1, -1] * (MAX_SHOWN_ENTRIES // 2)
    (exported,) = world.client.get("/me/export", headers=cast.as_mentee).json["bundles"]
    assert [entry["kind"] for entry in exported["ledger"]] == ["purchase", *["adjust"] * MAX_SHOWN_ENTRIES]


def test_a_bundle_without_days_has_no_end(world: World, cast: Cast, engine: Engine, course: Course) -> None:
    with engine.begin() as db:
        product = factories.make_product(db, course, ProductKind.BUNDLE, session_count=1)
    assert buy(world, product, cast.as_mentee).json["validTo"] is None


def test_only_active_bundles_of_the_course_are_sold(
    world: World, cast: Cast, engine: Engine, course: Course, five: Product
) -> None:
    with engine.begin() as db:
        others = factories.make_product(db, factories.make_course(db), ProductKind.BUNDLE, session_count=5)
        single = factories.make_product(db, course)
        seat = factories.make_product(db, course, ProductKind.GROUP_SEAT)
        gone = factories.make_product(db, course, ProductKind.BUNDLE, session_count=5, active=False)
    for product_id in (others.id, single.id, seat.id, gone.id, uuid4()):
        assert buy(world, five, cast.as_mentee, productId=str(product_id)).status_code == 404
    unknown = f"/bundles/courses/{uuid4()}/purchase"
    assert world.client.post(unknown, json={"productId": str(five.id)}, headers=cast.as_mentee).status_code == 404
    with engine.begin() as db:
        change_course(db, actor=factories.OPERATOR, course=course, changes={"active": False})
    assert buy(world, five, cast.as_mentee).status_code == 404


def test_an_open_bundle_is_not_bought_twice(world: World, cast: Cast, five: Product) -> None:
    assert buy(world, five, cast.as_mentee).status_code == 201
    again = buy(world, five, cast.as_mentee)
    assert (again.status_code, again.json["code"]) == (409, "already_purchased")
    assert buy(world, five, cast.as_stranger).status_code == 201


def test_a_used_up_bundle_can_be_bought_again(world: World, cast: Cast, engine: Engine, bundle: Bundle) -> None:
    spend_all(engine, bundle)
    answer = world.client.post(
        f"/bundles/courses/{bundle.course_id}/purchase",
        json={"productId": str(bundle.product_id)},
        headers=cast.as_mentee,
    )
    assert answer.status_code == 201


def test_a_purchase_closes_the_expired_one(world: World, cast: Cast, engine: Engine, course: Course) -> None:
    with engine.begin() as db:
        ago = datetime.now(UTC) - timedelta(days=31)
        expired = factories.make_bundle(db, course=course, mentee=cast.mentee, at=ago, valid_days=30)
    path = f"/bundles/courses/{course.id}/purchase"
    answer = world.client.post(path, json={"productId": str(expired.product_id)}, headers=cast.as_mentee)
    assert answer.status_code == 201
    listed = world.client.get("/bundles", headers=cast.as_mentee).json["items"]
    assert [(each["id"], each["status"]) for each in listed] == [
        (answer.json["id"], "active"),
        (str(expired.id), "expired"),
    ]


def test_an_operator_buys_for_any_student(world: World, cast: Cast, five: Product) -> None:
    bought = buy(world, five, cast.as_operator, studentId=str(cast.mentee.id))
    assert (bought.status_code, bought.json["menteeUserId"]) == (201, str(cast.mentee.id))
    assert buy(world, five, cast.as_operator, studentId=str(uuid4())).status_code == 404
    assert buy(world, five, cast.as_operator).json["details"] == {"studentId": ["is required from an operator"]}


def test_a_user_buys_for_themselves_alone(world: World, cast: Cast, five: Product) -> None:
    assert buy(world, five, cast.as_mentee, studentId=str(cast.stranger.id)).status_code == 403
    assert buy(world, five, cast.as_mentee, studentId=str(uuid4())).status_code == 403
    assert buy(world, five, cast.as_mentee, studentId=str(cast.mentee.id)).status_code == 201


def test_a_repeated_purchase_under_one_key_is_one(world: World, cast: Cast, five: Product) -> None:
    key = {"Idempotency-Key": "buy"}
    answers = [buy(world, five, cast.as_mentee | key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json


def test_only_owner_and_operators_find_a_bundle(world: World, cast: Cast, bundle: Bundle) -> None:
    path = f"/bundles/{bundle.id}"
    assert [
        world.client.get(path, headers=headers).status_code
        for headers in (cast.as_mentee, cast.as_operator, cast.as_stranger, cast.as_mentor)
    ] == [200, 200, 404, 404]


def test_each_entry_names_what_it_was_for(world: World, cast: Cast, engine: Engine, bundle: Bundle) -> None:
    with engine.begin() as db:
        booking = factories.make_paid_booking(db, bundle)
    shown = world.client.get(f"/bundles/{bundle.id}", headers=cast.as_mentee).json
    assert [(entry["kind"], entry["credits"], entry["balance"], entry["bookingId"]) for entry in shown["ledger"]] == [
        ("purchase", 5, 5, None),
        ("spend", -1, 4, str(booking.id)),
    ]


def test_bundles_are_listed_newest_first_in_pages(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        own = [str(factories.make_bundle(db, mentee=cast.mentee).id) for _ in range(3)]
        others = str(factories.make_bundle(db, mentee=cast.stranger).id)

    def listed(headers: dict[str, str], **query: Any) -> Any:
        return world.client.get("/bundles", query_string=query, headers=headers).json

    first = listed(cast.as_mentee, limit=2)
    rest = listed(cast.as_mentee, limit=2, cursor=first["nextCursor"])
    assert [each["id"] for each in (*first["items"], *rest["items"])] == own[::-1]
    assert "ledger" not in first["items"][0]
    assert rest["nextCursor"] is None
    assert [each["id"] for each in listed(cast.as_operator)["items"]] == [others, *own[::-1]]
    of_stranger = {"menteeUserId": str(cast.stranger.id)}
    assert [each["id"] for each in listed(cast.as_operator, **of_stranger)["items"]] == [others]
    assert listed(cast.as_mentee, **of_stranger)["code"] == "forbidden"
    assert listed(cast.as_stranger, **of_stranger)["items"][0]["id"] == others
    assert listed(cast.as_other_mentor)["items"] == []


def test_the_tag_of_a_bundle_follows_its_status(world: World, cast: Cast, engine: Engine, bundle: Bundle) -> None:
    path = f"/bundles/{bundle.id}"
    tag = world.client.get(path, headers=cast.as_mentee).headers["ETag"]
    assert world.client.get(path, headers=cast.as_mentee | {"If-None-Match": tag}).status_code == 304
    spend_all(engine, bundle)
    changed = world.client.get(path, headers=cast.as_mentee | {"If-None-Match": tag})
    assert (changed.status_code, changed.json["status"]) == (200, "exhausted")


def test_given_credits_raise_the_total_too(world: World, cast: Cast, engine: Engine, bundle: Bundle) -> None:
    spend_all(engine, bundle)
    adjusted = adjust(world, cast, bundle, credits=2)
    assert adjusted.status_code == 200
    shown = adjusted.json
    assert (shown["totalSessions"], shown["remainingSessions"], shown["status"]) == (7, 2, "active")
    last = shown["ledger"][-1]
    assert (last["kind"], last["credits"], last["balance"], last["reason"]) == ("adjust", 2, 2, WHY)
    with engine.begin() as db:
        factories.make_paid_booking(db, bundle)
    (entry,) = world.client.get(f"/audit?subjectId={bundle.id}", headers=cast.as_operator).json["items"]
    assert (entry["action"], entry["reason"], entry["data"]) == (
        "bundle.adjusted",
        WHY,
        {"menteeUserId": str(cast.mentee.id), "credits": 2},
    )


def test_credits_are_taken_down_to_none(world: World, cast: Cast, engine: Engine, bundle: Bundle) -> None:
    too_many = adjust(world, cast, bundle, credits=-6)
    assert (too_many.status_code, too_many.json["details"]) == (400, {"credits": ["must not be less than -5"]})
    shown = adjust(world, cast, bundle, credits=-5).json
    assert (shown["totalSessions"], shown["remainingSessions"], shown["status"]) == (5, 0, "exhausted")
    happened = scalars(engine, select(events.c.type).where(events.c.subject_id == bundle.id)).all()
    assert happened.count("bundle.exhausted") == 1


def test_an_adjustment_of_nothing_is_refused(world: World, cast: Cast, bundle: Bundle) -> None:
    for body in ({}, {"credits": 0}, {"validTo": bundle.valid_to.isoformat()} if bundle.valid_to else {}):
        assert adjust(world, cast, bundle, **body).status_code == 400
    past = adjust(world, cast, bundle, validTo="2020-01-01T00:00:00Z")
    assert (past.status_code, past.json["details"]) == (400, {"validTo": ["lies in the past"]})


def test_the_validity_is_extended_or_without_end(world: World, cast: Cast, bundle: Bundle) -> None:
    extended = adjust(world, cast, bundle, validTo="2031-01-01T00:00:00Z").json
    assert (extended["validTo"], extended["remainingSessions"]) == ("2031-01-01T00:00:00Z", 5)
    assert (extended["ledger"][-1]["kind"], extended["ledger"][-1]["credits"]) == ("adjust", 0)
    assert adjust(world, cast, bundle, credits=1).json["validTo"] == "2031-01-01T00:00:00Z"
    assert adjust(world, cast, bundle, validTo=None).json["validTo"] is None


def test_an_expired_bundle_is_extended_with_its_credits(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        ago = datetime.now(UTC) - timedelta(days=31)
        expired = factories.make_bundle(db, mentee=cast.mentee, at=ago, valid_days=30)
    refused = adjust(world, cast, expired, credits=1)
    assert (refused.status_code, refused.json["code"]) == (409, "bundle_unusable")
    assert refused.json["details"] == {"bundlePurchaseId": ["expired"]}
    shown = adjust(world, cast, expired, credits=1, validTo="2031-01-01T00:00:00Z").json
    assert (shown["status"], shown["remainingSessions"]) == ("active", 6)


def test_only_operators_adjust_and_on_the_version_they_saw(world: World, cast: Cast, bundle: Bundle) -> None:
    path, body = f"/bundles/{bundle.id}/adjust", {"credits": 1, "reason": WHY}
    assert world.client.post(path, json=body, headers=cast.as_mentee).status_code == 403
    stale = world.client.post(path, json=body, headers=cast.as_operator | {"If-Match": '"7"'})
    assert stale.status_code == 412
    tag = world.client.get(f"/bundles/{bundle.id}", headers=cast.as_operator).headers["ETag"]
    assert world.client.post(path, json=body, headers=cast.as_operator | {"If-Match": tag}).status_code == 200
    for wrong in ({"credits": 1}, {"credits": 1, "reason": " "}, {"credits": 1.5, "reason": WHY}):
        assert world.client.post(path, json=wrong, headers=cast.as_operator).status_code == 400
