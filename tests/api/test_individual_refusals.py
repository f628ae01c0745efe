"""Refusals of individual bookings, each by its code; none leaves anything behind."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from models.catalog import ProductKind
from tests import factories
from tests.api.conftest import HOUR, MONDAY, Tuition, nothing_written


@pytest.fixture
def refused(engine: Engine, tuition: Tuition) -> Any:
    """Ask for a booking that is refused, and get its status, code and details."""

    def ask(headers: dict[str, str] | None = None, **fields: Any) -> tuple[int, str, Any]:
        with nothing_written(engine):
            answer = tuition.book(headers, **fields)
        return answer.status_code, answer.json["code"], answer.json.get("details")

    return ask


def bundle_of(engine: Engine, tuition: Tuition, **bought: Any) -> str:
    """A bundle of five sessions of the course, bought by the mentee unless said otherwise."""
    with engine.begin() as db:
        return str(factories.make_bundle(db, **{"course": tuition.course, "mentee": tuition.cast.mentee, **bought}).id)


def test_unknown_student(tuition: Tuition, refused: Any) -> None:
    assert refused(tuition.cast.as_operator, studentId=str(uuid4())) == (404, "not_found", None)


def test_unknown_course(refused: Any) -> None:
    assert refused(courseId=str(uuid4())) == (404, "not_found", None)


def test_unknown_mentor(refused: Any) -> None:
    assert refused(taId=str(uuid4())) == (404, "not_found", None)


def test_mentor_of_another_course(engine: Engine, tuition: Tuition, refused: Any) -> None:
    with engine.begin() as db:
        factories.make_listing(db, tuition.cast.other_mentor, course_id=factories.make_course(db).id)
    assert refused(taId=str(tuition.cast.other_mentor.id)) == (400, "mentor_does_not_teach", None)
    message = tuition.book(taId=str(tuition.cast.other_mentor.id)).json["message"]
    assert message == "This TA does not teach this course"


def test_listing_of_another_mentor_or_duration(tuition: Tuition, refused: Any) -> None:
    mentor, other = tuition.mentors[:2]
    listing = tuition.book(taId=str(mentor.id)).json["listingId"]
    assert refused(tuition.cast.as_stranger, taId=str(other.id), listingId=listing) == (404, "not_found", None)
    assert refused(tuition.cast.as_stranger, listingId=str(uuid4())) == (404, "not_found", None)
    # A listing names its mentor: no other one is chosen, although others are free.
    assert refused(tuition.cast.as_stranger, listingId=listing)[:2] == (409, "no_mentor_free")


def test_overlapping_session_of_the_mentor(tuition: Tuition, refused: Any) -> None:
    mentor = str(tuition.mentors[0].id)
    assert tuition.book(tuition.cast.as_stranger, taId=mentor).status_code == 202
    for minutes in (-59, 0, 30, 59):
        start = (MONDAY + timedelta(minutes=minutes)).isoformat()
        assert refused(taId=mentor, startTime=start) == (409, "slot_taken", None)


def test_overlapping_session_of_the_student(tuition: Tuition, refused: Any) -> None:
    assert tuition.book(taId=str(tuition.mentors[0].id)).status_code == 202
    for mentor in (str(tuition.mentors[1].id), None):
        status, code, details = refused(taId=mentor, startTime=(MONDAY + HOUR / 2).isoformat())
        assert (status, code, list(details)) == (409, "slot_taken", ["mentee"])


def test_unknown_product(refused: Any) -> None:
    assert refused(productId=str(uuid4())) == (404, "not_found", None)


def test_product_of_another_course(engine: Engine, refused: Any) -> None:
    with engine.begin() as db:
        product = factories.make_product(db, factories.make_course(db))
    assert refused(productId=str(product.id)) == (404, "not_found", None)


def test_product_of_another_kind(engine: Engine, tuition: Tuition, refused: Any) -> None:
    with engine.begin() as db:
        product = factories.make_product(db, tuition.course, ProductKind.GROUP_SEAT)
    assert refused(productId=str(product.id)) == (404, "not_found", None)


def test_unknown_bundle(refused: Any) -> None:
    assert refused(bundlePurchaseId=str(uuid4())) == (404, "not_found", None)


def test_bundle_of_another_person(engine: Engine, tuition: Tuition, refused: Any) -> None:
    bundle = bundle_of(engine, tuition, mentee=tuition.cast.stranger)
    assert refused(bundlePurchaseId=bundle) == (404, "not_found", None)


def test_bundle_of_another_course(engine: Engine, tuition: Tuition, refused: Any) -> None:
    bundle = bundle_of(engine, tuition, course=None)
    assert refused(bundlePurchaseId=bundle) == (409, "bundle_unusable", {"bundlePurchaseId": ["other_course"]})


def test_bundle_of_another_duration(engine: Engine, tuition: Tuition, refused: Any) -> None:
    bundle = bundle_of(engine, tuition, duration_minutes=30)
    assert refused(bundlePurchaseId=bundle) == (409, "bundle_unusable", {"bundlePurchaseId": ["wrong_duration"]})


def test_expired_bundle(engine: Engine, tuition: Tuition, refused: Any) -> None:
    bundle = bundle_of(engine, tuition, valid_days=1, at=datetime.now(UTC) - timedelta(days=2))
    assert refused(bundlePurchaseId=bundle) == (409, "bundle_unusable", {"bundlePurchaseId": ["expired"]})


def test_empty_bundle(engine: Engine, tuition: Tuition, refused: Any) -> None:
    bundle = bundle_of(engine, tuition, session_count=1)
    assert tuition.book(bundlePurchaseId=bundle, startTime=(MONDAY - 24 * HOUR).isoformat()).status_code == 202
    assert refused(bundlePurchaseId=bundle) == (409, "bundle_unusable", {"bundlePurchaseId": ["empty"]})
