"""Courses in the component: credits of bundles are used before money, counted down, and never spent twice."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests import factories
from tests.browser.live import Stage
from tests.browser.visit import BOOKS, Visit
from workflows.bundles.records import Bundle
from workflows.catalog.courses import Course


@dataclass(frozen=True)
class Taught:
    """A course that the stage's mentor teaches, and a bundle of the mentee's for it, with two sessions."""

    course: Course
    bundle: Bundle


@pytest.fixture
def taught(stage: Stage) -> Taught:
    """The course with a session on sale, and a bundle that was bought."""
    with stage.live.engine.begin() as db:
        course = factories.make_course(db, title="Interviews")
        factories.make_product(db, course, title="One session", duration_minutes=60)
        factories.make_listing(db, stage.mentor, title="Interviews alone", booking_mode="instant", course_id=course.id)
        sold: dict[str, Any] = {"title": "Two sessions", "session_count": 2, "duration_minutes": 60}
        return Taught(course, factories.make_bundle(db, course=course, mentee=stage.mentee, **sold))


def remaining(stage: Stage, bundle: Bundle) -> int:
    return int(stage.as_mentee.get(f"/bundles/{bundle.id}")["remainingSessions"])


def test_a_bundle_pays_until_it_is_used_up(visit: Visit, stage: Stage, taught: Taught) -> None:
    page, starts = visit.page, list(stage.slots()[:3])
    visit.open(course=str(taught.course.id))
    for left in ("2 sessions left", "1 session left"):
        visit.choose(starts.pop(0))
        expect(page.get_by_role("radio", name=left)).to_be_checked()
        expect(page.locator("[part~=summary]")).to_contain_text("Paid with a session of your bundle")
        visit.primary.click()
        visit.expect_booked()
        page.get_by_role("button", name="Book another time").click()
    assert remaining(stage, taught.bundle) == 0
    visit.choose(starts.pop(0))
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(visit.primary).to_have_text("Book for $40")
    visit.primary.click()
    visit.expect_booked()
    assert [status for _id, status, _start in stage.bookings_of(stage.mentee)] == ["accepted"] * 3


@pytest.mark.parametrize("variant", ["basic"])
def test_nothing_is_booked_before_its_payment_is_shown(visit: Visit, stage: Stage, taught: Taught) -> None:
    page, asked = visit.page, list[Route]()
    page.route(re.compile(r"/bundles\?"), lambda route: asked.append(route))
    visit.open(course=str(taught.course.id))
    visit.choose(stage.slots()[0])
    expect(visit.primary).to_be_disabled()
    # The enter key in a field sends a form whose button can be pressed.
    page.get_by_role("textbox", name="Subject").press("Enter")
    expect(page.locator("[part~=summary]")).not_to_contain_text("bundle")
    asked[0].continue_()
    expect(page.locator("[part~=summary]")).to_contain_text("Paid with a session of your bundle")
    visit.primary.click()
    visit.expect_booked()
    assert remaining(stage, taught.bundle) == 1


@pytest.mark.parametrize("variant", ["basic"])
def test_a_session_is_paid_although_there_is_a_bundle(visit: Visit, stage: Stage, taught: Taught) -> None:
    visit.open(course=str(taught.course.id))
    visit.choose(stage.slots()[0])
    visit.page.get_by_role("radio", name="One session").check()
    expect(visit.primary).to_have_text("Book for $40")
    visit.primary.click()
    visit.expect_booked()
    assert remaining(stage, taught.bundle) == 2


@pytest.mark.parametrize("variant", ["basic"])
def test_a_credit_that_was_spent_elsewhere_is_told(visit: Visit, stage: Stage, taught: Taught) -> None:
    start, other, third = stage.slots()[:3]
    visit.open(course=str(taught.course.id))
    visit.choose(start)

    def spend(route: Route) -> None:
        for spent in (other, third):
            paid = {"courseId": str(taught.course.id), "bundlePurchaseId": str(taught.bundle.id)}
            what = {"mentorProfileId": str(stage.mentor.id), "startTime": spent.isoformat(), "durationMinutes": 60}
            stage.as_mentee.post("/bookings/individual", {**paid, **what, "title": "Interviews"})
        route.continue_()

    visit.page.route(BOOKS, spend, times=1)
    visit.primary.click()
    expect(visit.messages).to_be_visible()
    assert visit.told("failed") in {"bundle_unusable", "bundle_exhausted"}
    # The way on.
    visit.page.get_by_role("radio", name="One session").check()
    visit.primary.click()
    visit.expect_booked()
    assert stage.count_bookings() == 3
