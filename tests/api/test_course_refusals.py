"""Students' commonest mistakes with courses, bundles and groups: each has its answer, and writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from models.catalog import ProductKind
from tests import factories
from tests.api.conftest import HOUR, MONDAY, Tuition, nothing_written, refusal
from tests.application import ApiResponse
from workflows.accounts.records import User


@dataclass
class Desk:
    """The course of the test, and what its mentee may ask for."""

    engine: Engine
    tuition: Tuition

    @property
    def mentee(self) -> User:
        return self.tuition.cast.mentee

    def bundle(self, *, of_course: bool = True, owner: User | None = None, **columns: Any) -> str:
        """The id of a bundle of the mentee's, for the course unless said otherwise."""
        with self.engine.begin() as db:
            course = self.tuition.course if of_course else factories.make_course(db)
            return str(factories.make_bundle(db, course=course, mentee=owner or self.mentee, **columns).id)

    def group(self, *people: User, capacity: int = 2) -> UUID:
        """The id of a group of the course with these people."""
        with self.engine.begin() as db:
            listing = factories.make_listing(db, course_id=self.tuition.course.id)
            return factories.make_group(db, people, listing=listing, capacity=capacity).id

    def join(self, group_id: UUID | str, **body: Any) -> ApiResponse:
        headers = self.tuition.cast.as_mentee
        return self.tuition.client.post(f"/group-sessions/{group_id}/join", json=body, headers=headers)

    def buy(self, *, product_id: UUID | None = None, course_id: UUID | None = None, **body: Any) -> ApiResponse:
        path = f"/bundles/courses/{course_id or self.tuition.course.id}/purchase"
        asked = {"productId": str(product_id or uuid4()), **body}
        return self.tuition.client.post(path, json=asked, headers=self.tuition.cast.as_mentee)


@pytest.fixture
def desk(engine: Engine, tuition: Tuition) -> Desk:
    return Desk(engine, tuition)


def require_refused(
    desk: Desk, ask: Callable[[], ApiResponse], status: int, code: str, reason: str | None = None
) -> ApiResponse:
    """The answer in the one shape, with the reason that its details give for the bundle; nothing was written."""
    with nothing_written(desk.engine):
        answer = ask()
        assert refusal(answer) == (status, code)
        assert answer.json["statusCode"] == status
        assert answer.json["message"][-1] == "." or code == "mentor_does_not_teach"
        assert (answer.json.get("details") or {}).get("bundlePurchaseId") == (None if reason is None else [reason])
    return answer


def test_unknown_student(desk: Desk) -> None:
    operator, unknown = desk.tuition.cast.as_operator, str(uuid4())
    require_refused(desk, lambda: desk.tuition.book(operator, studentId=unknown), 404, "not_found")
    path = f"/group-sessions/{desk.group()}/join"
    joining = {"json": {"studentId": unknown}, "headers": operator}
    require_refused(desk, lambda: desk.tuition.client.post(path, **joining), 404, "not_found")


def test_unknown_course(desk: Desk) -> None:
    require_refused(desk, lambda: desk.tuition.book(courseId=str(uuid4())), 404, "not_found")
    require_refused(desk, lambda: desk.buy(course_id=uuid4()), 404, "not_found")
    path = f"/courses/{uuid4()}/support-options"
    mentee = desk.tuition.cast.as_mentee
    require_refused(desk, lambda: desk.tuition.client.get(path, headers=mentee), 404, "not_found")


def test_mentor_of_another_course(desk: Desk) -> None:
    with desk.engine.begin() as db:
        listing = factories.make_listing(db, course_id=factories.make_course(db).id)
    mentor = str(listing.mentor_profile_id)
    answer = require_refused(desk, lambda: desk.tuition.book(taId=mentor), 400, "mentor_does_not_teach")
    assert answer.json["message"] == "This TA does not teach this course"


@pytest.mark.parametrize("minutes", [-59, -30, 0, 30, 59])
def test_overlapping(desk: Desk, minutes: int) -> None:
    mentor = str(desk.tuition.mentors[2].id)
    assert desk.tuition.book(taId=mentor).status_code == 202
    start = (MONDAY + timedelta(minutes=minutes)).isoformat()
    stranger = desk.tuition.cast.as_stranger
    require_refused(desk, lambda: desk.tuition.book(stranger, taId=mentor, startTime=start), 409, "slot_taken")
    of_mentee = require_refused(desk, lambda: desk.tuition.book(startTime=start), 409, "slot_taken")
    assert list(of_mentee.json["details"]) == ["mentee"]


def pay(desk: Desk, bundle_id: str) -> list[Callable[[], ApiResponse]]:
    """The two ways to spend a credit."""
    group_id = desk.group()
    return [
        lambda: desk.tuition.book(bundlePurchaseId=bundle_id),
        lambda: desk.join(group_id, bundlePurchaseId=bundle_id),
    ]


def test_bundle_of_another_course(desk: Desk) -> None:
    for ask in pay(desk, desk.bundle(of_course=False)):
        require_refused(desk, ask, 409, "bundle_unusable", "other_course")


def test_expired_bundle(desk: Desk) -> None:
    for ask in pay(desk, desk.bundle(valid_days=1, at=datetime.now(UTC) - timedelta(days=1))):
        require_refused(desk, ask, 409, "bundle_unusable", "expired")


def test_empty_bundle(desk: Desk) -> None:
    bundle_id = desk.bundle(session_count=1)
    later = (MONDAY + 3 * HOUR).isoformat()
    assert desk.tuition.book(bundlePurchaseId=bundle_id, startTime=later).status_code == 202
    for ask in pay(desk, bundle_id):
        require_refused(desk, ask, 409, "bundle_unusable", "empty")


def test_bundle_of_another_person(desk: Desk) -> None:
    for ask in pay(desk, desk.bundle(owner=desk.tuition.cast.stranger)):
        require_refused(desk, ask, 404, "not_found")


def test_not_a_group(desk: Desk) -> None:
    booking_id = desk.tuition.book().json["id"]
    require_refused(desk, lambda: desk.join(booking_id), 400, "not_a_group")
    require_refused(desk, lambda: desk.join(uuid4()), 404, "not_found")


def test_full_group(desk: Desk) -> None:
    group_id = desk.group(desk.tuition.cast.stranger, capacity=1)
    require_refused(desk, lambda: desk.join(group_id), 409, "group_full")


def test_joined_twice(desk: Desk) -> None:
    group_id = desk.group()
    assert desk.join(group_id).status_code == 200
    require_refused(desk, lambda: desk.join(group_id), 409, "already_joined")


def test_unknown_product(desk: Desk) -> None:
    require_refused(desk, lambda: desk.tuition.book(productId=str(uuid4())), 404, "not_found")
    require_refused(desk, desk.buy, 404, "not_found")
    # A single session is no bundle, and another course's bundle is not sold here.
    require_refused(desk, lambda: desk.buy(product_id=desk.tuition.product.id), 404, "not_found")
    with desk.engine.begin() as db:
        other = factories.make_product(db, factories.make_course(db), ProductKind.BUNDLE, session_count=5)
    require_refused(desk, lambda: desk.buy(product_id=other.id), 404, "not_found")


def test_bundle_bought_twice(desk: Desk) -> None:
    with desk.engine.begin() as db:
        product = factories.make_product(db, desk.tuition.course, ProductKind.BUNDLE, session_count=5)
    assert desk.buy(product_id=product.id).status_code == 201
    require_refused(desk, lambda: desk.buy(product_id=product.id), 409, "already_purchased")
