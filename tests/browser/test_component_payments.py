"""Bookings that are paid before they are given, in the component: on the way to the payment page and back."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests import factories
from tests.application import as_operator
from tests.browser.live import Stage
from tests.browser.visit import Visit
from workflows.catalog.listings import Listing
from workflows.payments.records import PAYMENT, Payment
from workflows.settlements.actions import lapse

AWAITED = "Your booking awaits its payment"


@pytest.fixture
def variant() -> str:
    """The smallest variant: the others have the same."""
    return "basic"


@pytest.fixture
def prepaid(stage: Stage) -> Listing:
    """An instant listing that is paid before it is given."""
    with stage.live.engine.begin() as db:
        terms = {"title": "Mock interview", "booking_mode": "instant", "payment_mode": "before"}
        return factories.make_listing(db, stage.mentor, **terms)


def awaited(stage: Stage) -> dict[str, Any]:
    """The mentee's payment."""
    return dict(stage.as_mentee.get("/payments")["items"][0])


def confirm(stage: Stage) -> None:
    """Tell the API that the money has arrived, as the site's own server does."""
    payment = awaited(stage)
    body = {"reference": f"pi_{payment['id']}", "amount": payment["amount"]}
    stage.live.caller(as_operator()).post(f"/payments/{payment['id']}/confirm", body)


def until_the_next_look(visit: Visit) -> None:
    visit.page.clock.run_for(11_000)


def pay_button(visit: Visit) -> Locator:
    return visit.page.locator("[data-action=pay]")


def book(visit: Visit, prepaid: Listing, **attributes: str) -> datetime:
    start = visit.stage.slots()[1]
    visit.page.clock.install()
    visit.open(prepaid, **attributes)
    visit.book(start)
    expect(visit.heading).to_have_text(AWAITED)
    return start


@pytest.mark.parametrize("variant", ["basic", "realtime"])
def test_a_booking_is_paid_on_the_page_of_the_site(visit: Visit, stage: Stage, prepaid: Listing) -> None:
    start, page = book(visit, prepaid, pay_url="/elsewhere"), visit.page
    expect(visit.heading).to_be_focused()
    expect(page.locator("[part~=result]")).to_contain_text("Please pay $40 by")
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"\d+:\d\d left to pay"))
    visit.told("unpaid")
    assert [(status, begin) for _id, status, begin in stage.bookings_of(stage.mentee)] == [("awaiting_payment", start)]
    pay_button(visit).dblclick()
    page.wait_for_url(f"**/elsewhere?payment={awaited(stage)['id']}")
    confirm(stage)
    page.go_back()
    visit.expect_booked()
    expect(page.locator("[part~=result]")).to_contain_text("Your payment has arrived.")
    assert stage.count_bookings() == 1


@pytest.mark.parametrize("variant", ["basic"])
def test_a_booking_is_paid_by_a_visitor_whose_clock_is_wrong(visit: Visit, stage: Stage, prepaid: Listing) -> None:
    visit.page.clock.install(time=datetime.now(UTC) + timedelta(hours=1))
    visit.open(prepaid, pay_url="/elsewhere")
    visit.book(stage.slots()[1])
    expect(visit.page.get_by_role("timer")).to_contain_text(re.compile(r"^(30:0|2\d:\d)\d left to pay"))
    pay_button(visit).click()
    visit.page.wait_for_url("**/elsewhere?payment=*")


def test_a_closed_tab_is_taken_up_in_another(
    visit: Visit, stage: Stage, prepaid: Listing, context: BrowserContext
) -> None:
    book(visit, prepaid)
    visit.page.close()
    other = Visit(context.new_page(), stage, visit.variant)
    other.page.clock.install()
    other.open(prepaid)
    expect(other.heading).to_have_text(AWAITED)
    confirm(stage)
    until_the_next_look(other)
    other.expect_booked()
    assert stage.count_bookings() == 1


def test_the_pages_own_way_to_pay_is_shown_with_its_outcome(visit: Visit, stage: Stage, prepaid: Listing) -> None:
    book(visit, prepaid)
    visit.page.evaluate("""() => {
      window.paid = [];
      document.querySelector("session-booking").onPay = async ({ id, amount }) => {
        paid.push([id, amount.amount]);
        if (paid.length === 1) throw new Error("The card was declined.");
      };
    }""")
    pay_button(visit).click()
    expect(visit.messages).to_have_text("The card was declined.")
    pay_button(visit).click()
    expect(visit.messages).to_have_count(0)
    assert visit.page.evaluate("paid") == [[awaited(stage)["id"], 4_000]] * 2
    confirm(stage)
    until_the_next_look(visit)
    visit.expect_booked()


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_payment_that_arrives_without_a_connection_is_seen_later(
    visit: Visit, stage: Stage, prepaid: Listing, context: BrowserContext
) -> None:
    book(visit, prepaid)
    context.set_offline(True)
    confirm(stage)
    context.set_offline(False)
    until_the_next_look(visit)
    visit.expect_booked()


def test_a_booking_that_is_not_paid_is_cancelled_by_either_side(visit: Visit, stage: Stage, prepaid: Listing) -> None:
    start, page = book(visit, prepaid), visit.page
    page.get_by_role("button", name="Cancel the booking").click()
    expect(visit.heading).to_have_text("Your booking has been cancelled")
    page.get_by_role("button", name="Book another time").click()
    visit.book(start)
    expect(visit.heading).to_have_text(AWAITED)
    booking_id = next(each for each, status, _ in stage.bookings_of(stage.mentee) if status == "awaiting_payment")
    stage.as_mentor.post(f"/bookings/{booking_id}/cancel")
    until_the_next_look(visit)
    expect(visit.heading).to_have_text("Your booking has been cancelled")
    assert stage.slots()[1] == start


def test_a_booking_that_nobody_pays_is_shown_as_ended(visit: Visit, stage: Stage, prepaid: Listing) -> None:
    start, page = book(visit, prepaid), visit.page
    with stage.live.engine.begin() as db:
        due = Payment.of(db.execute(PAYMENT, {"id": awaited(stage)["id"]}).one())
        # The timer does this when it is due.
        lapse(db, payment=due, now=due.due_at)
    until_the_next_look(visit)
    expect(visit.heading).to_have_text("Your payment did not arrive in time")
    expect(pay_button(visit)).to_have_count(0)
    page.get_by_role("button", name="Book another time").click()
    visit.show_day(start.date())
    expect(visit.slot(start)).to_be_visible()
