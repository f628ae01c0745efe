"""What the enhanced variant adds to booking: series, reasons, and whether the mentor can be booked."""

from __future__ import annotations

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


def test_a_series_is_booked_and_leaves_out_what_is_taken(visit: Visit, stage: Stage) -> None:
    start, page = stage.slots()[0], visit.page
    stage.book(stage.as_rival, start + WEEK)
    visit.open(stage.instant)
    visit.choose(start)
    page.get_by_label("Repeat").select_option("1")
    visit.replace(page.get_by_label("Number of sessions"), "3")
    expect(page.locator("[part~=series]")).to_contain_text("not free: already taken")
    page.get_by_label("Leave out dates that are not free").check()
    visit.primary.click()
    visit.expect_booked()
    expect(page.locator("[part~=series]")).to_contain_text("Booked: 2 sessions")
    assert [begin for _id, _status, begin in stage.bookings_of(stage.mentee)] == [start, start + 2 * WEEK]


def test_a_series_is_booked_whole_or_not_at_all(visit: Visit, stage: Stage) -> None:
    start, page = stage.slots()[0], visit.page
    stage.book(stage.as_rival, start + WEEK)
    visit.open(stage.instant)
    visit.choose(start)
    page.get_by_label("Repeat").select_option("1")
    visit.replace(page.get_by_label("Number of sessions"), "3")
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
