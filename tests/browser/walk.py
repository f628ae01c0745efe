"""Walks through what people see, state by state: no words are looked for, so that every look and language can."""

from collections.abc import Iterator

from playwright.sync_api import expect

from tests.browser.visit import Visit
from tests.eventually import eventually


def booking_states(visit: Visit, **attributes: str) -> Iterator[str]:
    """The names of the states of booking, each while the page shows it."""
    stage, page = visit.stage, visit.page
    start, lost, other = stage.slots()[:3]
    visit.open(stage.on_request, **attributes)
    visit.show_day(start.date())
    expect(visit.slot(lost)).to_be_visible()
    yield "calendar"
    visit.slot(start).click()
    expect(page.locator(".hold[role=timer]")).to_be_visible()
    yield "form"
    page.locator("input[name=title]").fill("")
    visit.primary.click()
    expect(page.locator("[aria-invalid=true]")).to_be_focused()
    yield "invalid"
    page.locator("input[name=title]").fill("The first hundred days")
    page.locator("textarea[name=notes]").fill("What should I ask in one-on-ones?")
    # A hold keeps the price.
    stage.expire_holds()
    stage.as_mentor.patch(f"/listings/{stage.on_request.id}", {"price": {"amount": 18_500, "currency": "USD"}})
    visit.primary.click()
    expect(visit.messages.locator("b")).to_be_visible()
    yield "price-changed"
    visit.primary.click()
    expect(page.locator("[part~=result]")).to_be_visible()
    booking_id = visit.told("requested")
    yield "requested"
    stage.as_mentor.patch(f"/bookings/{booking_id}/decline", {"reason": "I am on holiday until then."})
    page.clock.fast_forward("01:10")
    expect(page.locator(".outcome.closed")).to_be_visible()
    yield "declined"
    page.locator("[part~=result] [part~=button]").click()
    visit.show_day(start.date())
    # Declined times are free again; until then, the times below them have not found their places.
    expect(visit.slot(start)).to_be_visible()
    # Taken by another person while this page still offers it.
    page.route("**/holds", lambda route: (stage.book(stage.as_rival, lost), route.continue_()), times=1)
    visit.slot(lost).click()
    expect(visit.messages).to_be_visible()
    yield "lost"
    visit.show_day(other.date())
    visit.slot(other).click()
    expect(page.locator(".hold[role=timer]")).to_be_visible()
    page.clock.fast_forward("05:05")
    expect(visit.messages).to_be_visible()
    yield "expired"
    visit.primary.click()
    stage.as_mentor.patch(f"/bookings/{visit.told('requested', 2)}/accept")
    page.clock.fast_forward("01:10")
    expect(page.locator(".outcome.success")).to_be_visible()
    visit.told("onSuccess")
    yield "booked"
    stage.as_mentor.patch(f"/listings/{stage.instant.id}", {"payment": "before"})
    visit.open(stage.instant, **attributes)
    visit.show_day(other.date())
    visit.slot(stage.slots()[2]).click()
    expect(page.locator(".hold[role=timer]")).to_be_visible()
    visit.primary.click()
    expect(page.locator("[data-action=pay]")).to_be_visible()
    yield "unpaid"


def session_states(visit: Visit, **attributes: str) -> Iterator[str]:
    """The names of the states of sessions, each while the page shows it."""
    stage, page = visit.stage, visit.page
    status, dialog = page.locator("[part~=status]"), page.locator("dialog[open]")
    session = stage.session()
    visit.open_session(session.id, stage.mentee, **attributes)
    expect(status).to_be_visible()
    yield "session-scheduled"
    page.locator("[data-action=cancel]").click()
    expect(dialog.locator("[name=reason]")).to_be_visible()
    yield "session-cancelling"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    visit.open_session(session.id, stage.mentor, **attributes)
    page.locator("[data-action=start]").click()
    page.locator("[data-action=complete]").click()
    dialog.locator("[name=notes]").fill("Read chapter three.")
    dialog.locator("[name=actionItems]").fill("Chapter three\nWrite to HR")
    dialog.locator("[name=rating][value='5']").check()
    yield "session-completing"
    dialog.locator("[part~=primary]").click()
    expect(dialog).to_have_count(0)
    page.locator("[part~=history] summary").click()
    yield "session-completed"
    eventually(lambda: stage.permits() > 0, "the permit to review")
    visit.open_session(session.id, stage.mentee, **attributes)
    page.locator("[data-action=review]").click()
    dialog.locator("[name=rating][value='4']").check()
    yield "session-reviewing"
    dialog.locator("[part~=primary]").click()
    expect(page.locator(".review")).to_be_visible()
    yield "session-reviewed"
