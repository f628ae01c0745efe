"""The realtime variant: what changes is seen at once, and what cannot be sent waits."""

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.live import Stage
from tests.browser.visit import Visit


@pytest.fixture
def variant() -> str:
    return "realtime"


@pytest.fixture
def connection(visit: Visit) -> Locator:
    return visit.page.locator("[part~=connection]")


def test_what_is_freed_is_offered_again(visit: Visit, stage: Stage, connection: Locator) -> None:
    start = stage.slots()[0]
    taken = stage.book(stage.as_rival, start, stage.instant)
    visit.open(stage.instant)
    visit.show_day(start.date())
    expect(connection).to_contain_text("Live")
    expect(visit.slot(start)).to_have_count(0)
    session = stage.as_rival.get(f"/bookings/{taken['id']}")["sessionId"]
    stage.as_mentor.post(f"/sessions/{session}/cancel", {"reason": "I am ill."})
    expect(visit.slot(start)).to_be_visible()


def test_changes_during_a_lost_connection_are_caught_up(
    visit: Visit, stage: Stage, context: BrowserContext, connection: Locator
) -> None:
    start, other = stage.slots()[:2]
    visit.open(stage.instant)
    visit.show_day(start.date())
    expect(connection).to_contain_text("Live")
    context.set_offline(True)
    expect(connection).to_contain_text("Offline")
    expect(connection).to_contain_text("as of")
    stage.book(stage.as_rival, start)
    # The known times are still shown.
    expect(visit.slot(other)).to_be_visible()
    context.set_offline(False)
    expect(connection).to_contain_text("Live")
    expect(visit.slot(start)).to_have_count(0)


def queue(visit: Visit, stage: Stage, context: BrowserContext) -> None:
    """Book while there is no connection."""
    visit.open(stage.instant)
    visit.choose(stage.slots()[0])
    context.set_offline(True)
    visit.primary.click()
    expect(visit.heading).to_have_text("Your booking waits for a connection")


def test_a_waiting_booking_can_be_withdrawn(visit: Visit, stage: Stage, context: BrowserContext) -> None:
    queue(visit, stage, context)
    visit.page.get_by_role("button", name="Do not send it").click()
    expect(visit.heading).not_to_have_text("Your booking waits for a connection")
    context.set_offline(False)
    expect(visit.page.locator("[part~=connection]")).to_contain_text("Live")
    assert stage.count_bookings() == 0


def test_a_waiting_booking_survives_the_page(visit: Visit, stage: Stage, context: BrowserContext) -> None:
    queue(visit, stage, context)
    expect(visit.page.locator("[part~=result]")).to_contain_text("You can close this page")
    visit.page.close()
    context.set_offline(False)
    again = Visit(context.new_page(), stage, visit.variant)
    again.open(stage.instant)
    again.expect_booked()
    assert stage.count_bookings() == 1


def test_a_waiting_booking_is_not_made_for_another_price(visit: Visit, stage: Stage, context: BrowserContext) -> None:
    queue(visit, stage, context)
    # A hold would keep the price and the terms.
    stage.expire_holds()
    stage.as_mentor.patch(f"/listings/{stage.instant.id}", {"price": {"amount": 18_500, "currency": "USD"}})
    context.set_offline(False)
    expect(visit.messages.locator("b")).to_have_text("$185")
    assert stage.count_bookings() == 0
    visit.primary.click()
    visit.expect_booked()
    assert stage.as_mentee.get("/bookings")["items"][0]["price"]["amount"] == 18_500


def test_a_waiting_booking_that_lost_its_time_is_told(visit: Visit, stage: Stage, context: BrowserContext) -> None:
    start = stage.slots()[0]
    queue(visit, stage, context)
    stage.expire_holds()
    stage.book(stage.as_rival, start)
    context.set_offline(False)
    expect(visit.messages.first).to_contain_text("no longer free")
    assert stage.bookings_of(stage.mentee) == []
