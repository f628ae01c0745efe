"""Tests of the enhanced variant's booking: series, reasons, and whether the mentor can be booked."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.live import Stage
from tests.browser.visit import Visit

WEEK = timedelta(weeks=1)


@pytest.fixture
def variant() -> str:
    """The variant that has it; the realtime one has the same part."""
    return "enhanced"


def repeat(visit: Visit, count: str) -> None:
    visit.page.get_by_label("Repeat").select_option("1")
    visit.replace(visit.page.get_by_label("Number of sessions"), count)


def test_a_series_is_booked_and_leaves_out_what_is_taken(visit: Visit, stage: Stage) -> None:
    start, page = stage.slots()[0], visit.page
    stage.book(stage.as_rival, start + WEEK)
    visit.open(stage.instant)
    visit.choose(start)
    repeat(visit, "3")
    expect(page.locator("[part~=series]")).to_contain_text("not free: already taken")
    page.get_by_label("Leave out dates that are not free").check()
    visit.primary.click()
    visit.expect_booked()
    expect(page.locator("[part~=series]")).to_contain_text("Booked: 2 sessions")
    # As the form has said it.
    expect(page.locator("[part~=series]")).to_contain_text("not free: already taken")
    assert [begin for _id, _status, begin in stage.bookings_of(stage.mentee)] == [start, start + 2 * WEEK]


def test_a_series_of_any_listing_says_its_whole_price(visit: Visit, stage: Stage) -> None:
    start, page = stage.slots()[0], visit.page
    terms = {"title": "Longer advice", "durationMinutes": 60, "price": {"amount": 9_000, "currency": "USD"}}
    dearer = stage.as_mentor.post("/listings", terms)["id"]
    visit.open()
    page.get_by_role("radio", name="Longer advice").check()
    visit.choose(start)
    expect(visit.primary).to_have_text("Send the request")
    repeat(visit, "3")
    expect(page.locator("[part~=summary]")).to_contain_text("$270 in all, $90 per session")
    visit.primary.click()
    expect(visit.heading).to_have_text("Your request has been sent")
    expect(page.locator("[part~=summary]")).to_contain_text("$270 in all, $90 per session")
    booked = stage.as_mentee.get("/bookings")["items"]
    assert [each["listingId"] for each in booked] == [dearer] * 3
    one = page.get_by_role("button", name="Withdraw only the request for")
    every = page.get_by_role("button", name="Withdraw all 3 requests")
    expect(one).to_be_visible()
    every.click()
    expect(visit.heading).to_have_text("Your request has been withdrawn")
    assert {each["status"] for each in stage.as_mentee.get("/bookings")["items"]} == {"cancelled"}


def test_a_series_is_booked_whole_or_not_at_all(visit: Visit, stage: Stage) -> None:
    start, page = stage.slots()[0], visit.page
    stage.book(stage.as_rival, start + WEEK)
    visit.open(stage.instant)
    visit.choose(start)
    repeat(visit, "3")
    page.get_by_label("Leave out dates that are not free").uncheck()
    visit.primary.click()
    expect(page.get_by_role("alert").first).to_be_visible()
    assert stage.bookings_of(stage.mentee) == []


def test_the_reasons_of_refused_times_are_shown(visit: Visit, stage: Stage) -> None:
    start = stage.slots()[1]
    stage.book(stage.as_rival, start)
    visit.open(stage.instant)
    visit.show_day(start.date())
    visit.page.get_by_text("Why are other times not offered?").click()
    refused = visit.page.locator("[part~=refused]")
    expect(refused).to_contain_text("already taken")
    expect(refused).to_contain_text("outside the coach's hours")


def test_the_card_shows_whether_the_mentor_can_be_booked(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant)
    expect(visit.page.locator("[part~=availability]")).to_contain_text("free time")
