"""Group sessions in the component: places are taken, waited for, paid with a bundle, lost to others and given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Route, expect

from tests import factories
from tests.browser.live import Stage
from tests.browser.visit import Visit
from tests.eventually import eventually
from workflows.accounts.records import User
from workflows.bookings.records import Booking
from workflows.catalog.courses import Course
from workflows.sessions.actions import create
from workflows.sessions.records import Session

TITLE = "Algebra together"


@dataclass(frozen=True)
class Group:
    """A group of the stage's mentor, whose session exists."""

    booking: Booking
    session: Session
    course: Course


@pytest.fixture
def variant() -> str:
    """The variant that has groups; the realtime one has the same part."""
    return "enhanced"


def gather(stage: Stage, *mentees: User, capacity: int, start: datetime | None = None) -> Group:
    """A group of a course with these people in it."""
    with stage.live.engine.begin() as db:
        course = factories.make_course(db)
        terms = {"cancellation_window_hours": 24, "late_fee_percent": 50, "course_id": course.id}
        listing = factories.make_listing(db, stage.mentor, title=TITLE, **terms)
        when = start or factories.this_hour() + timedelta(days=3)
        booking = factories.make_group(db, mentees, listing=listing, start_time=when, capacity=capacity)
        return Group(booking, create(db, booking_id=booking.id), course)


def read(stage: Stage, group: Group) -> dict[str, object]:
    return dict(stage.as_mentor.get(f"/group-sessions/{group.booking.id}"))


def group_of(visit: Visit) -> Locator:
    return visit.page.locator("[part~=groups] li")


def open_action(visit: Visit, name: str) -> Locator:
    """Open what can be done with the group, and find the button that does it."""
    group_of(visit).locator("summary", has_text=name).click()
    return group_of(visit).locator("[part~=primary]")


@pytest.mark.parametrize("variant", ["enhanced", "realtime"])
def test_a_place_is_taken_and_given_up(visit: Visit, stage: Stage) -> None:
    group = gather(stage, stage.rival, capacity=3)
    visit.open(stage.instant)
    expect(group_of(visit)).to_contain_text(TITLE)
    expect(group_of(visit)).to_contain_text("2 places left")
    taking = open_action(visit, "Take a place")
    expect(taking).to_have_text("Take a place: $40")
    taking.dblclick()
    expect(group_of(visit)).to_contain_text("You have a place")
    assert visit.told("booked") == str(group.session.id)
    assert (read(stage, group)["seatsTaken"], visit.times_told("booked")) == (2, 1)
    giving_up = open_action(visit, "Give up your place")
    expect(group_of(visit)).to_contain_text("No fee")
    giving_up.click()
    expect(group_of(visit)).to_contain_text("2 places left")
    assert read(stage, group)["seatsTaken"] == 1


def test_a_bundle_pays_for_a_place(visit: Visit, stage: Stage) -> None:
    group = gather(stage, capacity=2)
    with stage.live.engine.begin() as db:
        bundle = factories.make_bundle(db, course=group.course, mentee=stage.mentee)
    visit.open(stage.instant)
    taking = open_action(visit, "Take a place")
    expect(visit.page.get_by_label("Payment")).to_have_value(str(bundle.id))
    taking.click()
    expect(group_of(visit)).to_contain_text("You have a place")
    assert stage.as_mentee.get(f"/bundles/{bundle.id}")["remainingSessions"] == 4


def test_the_last_place_is_lost_to_another_person(visit: Visit, stage: Stage) -> None:
    group = gather(stage, capacity=1)
    path = f"/group-sessions/{group.booking.id}/join"

    def lose(route: Route) -> None:
        stage.as_rival.post(path)
        route.continue_()

    visit.open(stage.instant)
    taking = open_action(visit, "Take a place")
    expect(group_of(visit)).to_contain_text("1 place left")
    visit.page.route(f"**{path}", lose, times=1)
    taking.click()
    expect(visit.messages).to_contain_text("All places have been taken meanwhile.")
    expect(group_of(visit)).to_contain_text("Full")
    assert read(stage, group)["seatsTaken"] == 1


@pytest.mark.parametrize("variant", ["enhanced", "realtime"])
def test_a_place_is_waited_for(visit: Visit, stage: Stage) -> None:
    group = gather(stage, stage.rival, capacity=1)
    path = f"/group-sessions/{group.booking.id}"
    visit.open(stage.instant)
    expect(group_of(visit)).to_contain_text("Full")
    open_action(visit, "Join the waiting list").click()
    expect(group_of(visit)).to_contain_text("You are number 1 on the waiting list")
    stage.as_rival.post(f"{path}/leave")
    eventually(lambda: read(stage, group)["seatsOffered"] == 1, "the place that is kept")
    visit.page.reload()
    expect(group_of(visit)).to_contain_text("A place is kept for you")
    taking = open_action(visit, "Take the place")
    expect(group_of(visit)).to_contain_text("It is kept for you until")
    taking.click()
    expect(group_of(visit)).to_contain_text("You have a place")
    assert visit.told("booked") == str(group.session.id)
    assert read(stage, group)["seatsTaken"] == 1


@pytest.mark.parametrize("variant", ["realtime"])
def test_places_that_others_take_and_give_up_are_seen_live(visit: Visit, stage: Stage) -> None:
    group = gather(stage, capacity=2)
    path = f"/group-sessions/{group.booking.id}"
    visit.open(stage.instant)
    expect(group_of(visit)).to_contain_text("2 places left")
    expect(visit.page.locator("[part~=connection]")).to_contain_text("Live")
    stage.as_rival.post(f"{path}/join")
    expect(group_of(visit)).to_contain_text("1 place left")
    stage.as_mentor.patch(path, {"capacity": 1})
    expect(group_of(visit)).to_contain_text("Full")
    open_action(visit, "Join the waiting list").click()
    expect(group_of(visit)).to_contain_text("You are number 1 on the waiting list")
    stage.as_rival.post(f"{path}/leave")
    expect(group_of(visit)).to_contain_text("A place is kept for you")
    expect(visit.page.locator("[aria-live=polite]").last).to_contain_text(f"{TITLE}: A place is kept for you")
    open_action(visit, "Take the place").click()
    expect(group_of(visit)).to_contain_text("You have a place")
    stage.as_mentor.post(f"/sessions/{group.session.id}/cancel", {"reason": "I am ill."})
    expect(group_of(visit)).to_have_count(0)


def test_waiting_for_a_place_is_ended(visit: Visit, stage: Stage) -> None:
    group = gather(stage, stage.rival, capacity=1)
    stage.as_mentee.post(f"/group-sessions/{group.booking.id}/waitlist")
    visit.open(stage.instant)
    open_action(visit, "Leave the waiting list").click()
    expect(group_of(visit)).to_contain_text("Full")
    assert stage.as_mentee.get(f"/group-sessions/{group.booking.id}")["waitlistPosition"] is None


def test_leaving_late_costs_what_was_shown(visit: Visit, stage: Stage) -> None:
    soon = factories.this_hour() + timedelta(hours=3)
    group, page = gather(stage, stage.mentee, capacity=2, start=soon), visit.page
    visit.open_session(group.session.id)
    page.locator("[data-action=leave]").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("[part~=summary]")).to_contain_text("$20")
    dialog.locator("[name=reason]").fill("I am ill.")
    dialog.locator("[part~=primary]").click()
    expect(page.locator("[part~=session]")).to_contain_text("You have given up your place.")
    assert visit.told("cancelled") == str(group.session.id)
    assert read(stage, group)["seatsTaken"] == 0


@pytest.mark.parametrize("variant", ["realtime"])
def test_a_group_that_is_cancelled_is_seen_live(visit: Visit, stage: Stage) -> None:
    group, page = gather(stage, stage.mentee, stage.rival, capacity=2), visit.page
    visit.open_session(group.session.id)
    expect(page.locator("[part~=status]")).to_have_text("Scheduled")
    expect(page.locator("[part~=connection]")).to_contain_text("Live")
    stage.as_mentor.post(f"/sessions/{group.session.id}/cancel", {"reason": "I am ill."})
    expect(page.locator("[part~=status]")).to_have_text("Cancelled")
    page.locator("[part~=history] summary").click()
    expect(page.locator("[part~=history]")).to_contain_text("I am ill.")
    visit.open(stage.instant)
    expect(page.locator("[part~=slot]").first).to_be_visible()
    expect(group_of(visit)).to_have_count(0)


def test_the_mentor_cancels_a_group_here(visit: Visit, stage: Stage) -> None:
    group, page = gather(stage, stage.mentee, stage.rival, capacity=2), visit.page
    visit.open_session(group.session.id, stage.mentor)
    page.locator("[data-action=cancel]").click()
    dialog = page.locator("dialog[open]")
    dialog.locator("[name=reason]").fill("I am ill.")
    dialog.locator("[part~=primary]").click()
    expect(page.locator("[part~=status]")).to_have_text("Cancelled")
    cancellation = stage.as_mentee.get(f"/sessions/{group.session.id}")["cancellation"]
    assert (cancellation["cancelledBy"], cancellation["reason"]) == ("mentor", "I am ill.")
