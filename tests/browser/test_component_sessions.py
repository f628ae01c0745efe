"""Sessions in the component: joined, started, completed, cancelled and reviewed, by both sides."""

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests import factories
from tests.api.test_after_the_fact import make_past
from tests.browser.live import Stage
from tests.browser.visit import Keyboard, Visit
from tests.eventually import eventually
from workflows.catalog.listings import Listing

TERMS = {"early_start_minutes": None, "price_amount": 8_000, "late_fee_percent": 50}
# So long before the start that it is late already.
LATE = {**TERMS, "cancellation_window_hours": 24 * 60}


def listing(stage: Stage, **terms: Any) -> Listing:
    with stage.live.engine.begin() as db:
        return factories.make_listing(db, stage.mentor, title="Career coaching", **terms)


def status_of(page: Page) -> Locator:
    return page.locator("[part~=status]")


def act(page: Page, action: str) -> None:
    page.locator(f"[data-action={action}]").click()


def confirm(page: Page) -> None:
    """Click the main button of the dialog, and wait until it is closed."""
    page.locator("dialog [part~=primary]").click()
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_a_session_is_joined_started_and_completed(visit: Visit, stage: Stage) -> None:
    place = {"kind": "online", "value": "https://meet.example/room"}
    session, page = stage.session(listing(stage, **TERMS, location=place)), visit.page
    visit.open_session(session.id, stage.mentor)
    expect(status_of(page)).to_have_text("Scheduled")
    expect(page.get_by_role("link", name="Join")).to_have_attribute("href", "https://meet.example/room")
    act(page, "start")
    expect(status_of(page)).to_have_text("In progress")
    assert visit.told("started") == str(session.id)
    act(page, "complete")
    page.locator("dialog [name=notes]").fill("Read chapter three.")
    page.locator("dialog [name=actionItems]").fill("Chapter three\nWrite to HR")
    page.locator("dialog [name=feedback]").fill("Quick to learn.")
    page.locator("dialog [name=rating][value='5']").check()
    confirm(page)
    expect(status_of(page)).to_have_text("Completed")
    assert visit.told("completed") == str(session.id)
    kept = stage.as_mentor.get(f"/sessions/{session.id}")
    assert (kept["status"], kept["notes"], kept["rating"], kept["feedback"], kept["actionItems"]) == (
        "completed",
        "Read chapter three.",
        5,
        "Quick to learn.",
        ["Chapter three", "Write to HR"],
    )
    for text in ("Read chapter three.", "Write to HR", "Quick to learn."):
        expect(page.locator("[part~=session]")).to_contain_text(text)


def test_a_completed_session_is_reviewed(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(), visit.page
    stage.as_mentor.post(f"/sessions/{session.id}/start")
    stage.as_mentor.patch(f"/sessions/{session.id}/complete", {"notes": "Read chapter three.", "feedback": "Private."})
    eventually(lambda: stage.permits() > 0, "the permit to review")
    visit.open_session(session.id)
    expect(page.locator("[part~=session]")).to_contain_text("Read chapter three.")
    expect(page.locator("[part~=session]")).not_to_contain_text("Private.")
    act(page, "review")
    page.locator("dialog [name=rating][value='4']").check()
    page.locator("dialog [name=comment]").fill("Clear and friendly.")
    confirm(page)
    expect(page.locator("[part~=session]")).to_contain_text("Clear and friendly.")
    reviews = stage.as_mentee.get(f"/mentors/{stage.mentor.id}/reviews")["items"]
    assert [(each["rating"], each["comment"]) for each in reviews] == [(4, "Clear and friendly.")]


def test_a_session_is_cancelled_by_its_quote(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(listing(stage, **LATE)), visit.page
    visit.open_session(session.id)
    act(page, "cancel")
    expect(page.locator("dialog [part~=summary]")).to_contain_text("$40")
    page.locator("dialog [part~=primary]").click()
    expect(page.locator("dialog")).to_contain_text("Please give a reason.")
    page.locator("dialog [name=reason]").fill("I am ill.")
    page.get_by_label("Type of cancellation").select_option("emergency")
    confirm(page)
    expect(status_of(page)).to_have_text("Cancelled")
    assert visit.told("cancelled") == str(session.id)
    cancellation = stage.as_mentee.get(f"/sessions/{session.id}")["cancellation"]
    assert (cancellation["reason"], cancellation["fee"]["amount"]) == ("I am ill.", 4_000)
    assert cancellation["type"] == "emergency"
    page.locator("[part~=history] summary").click()
    expect(page.locator("[part~=history]")).to_contain_text("Cancelled by you")


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_mentor_cancels_by_a_type_of_their_own(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(), visit.page
    visit.open_session(session.id, stage.mentor)
    act(page, "cancel")
    types = page.get_by_label("Type of cancellation").locator("option")
    assert types.evaluate_all("all => all.map(({ value }) => value)") == ["coach_request", "emergency", "other"]
    page.locator("dialog [name=reason]").fill("I am away.")
    confirm(page)
    expect(status_of(page)).to_have_text("Cancelled")
    assert stage.as_mentee.get(f"/sessions/{session.id}")["cancellation"]["type"] == "coach_request"


@pytest.mark.parametrize("variant", ["enhanced"])
def test_the_page_may_act_itself(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(), visit.page
    visit.open_session(session.id, stage.mentor)
    expect(status_of(page)).to_have_text("Scheduled")
    page.evaluate(
        "() => { document.querySelector('session-booking').sessionActions ="
        " { onStart: (id) => { told.push(['onStart', id]); } }; }"
    )
    act(page, "start")
    assert visit.told("onStart") == str(session.id)
    assert stage.as_mentor.get(f"/sessions/{session.id}")["status"] == "scheduled"


@pytest.mark.parametrize("variant", ["realtime"])
def test_what_the_other_side_does_is_seen_live(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(), visit.page
    visit.open_session(session.id)
    expect(status_of(page)).to_have_text("Scheduled")
    expect(page.locator("[part~=connection]")).to_contain_text("Live")
    stage.as_mentor.post(f"/sessions/{session.id}/start")
    expect(status_of(page)).to_have_text("In progress")


@pytest.mark.parametrize("variant", ["enhanced"])
def test_what_was_changed_meanwhile_is_told(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(listing(stage, **LATE)), visit.page
    visit.open_session(session.id)
    # Where the dialog's own answer comes after the start, there is nothing left to press.
    with page.expect_response("**/cancellation-quote"):
        act(page, "cancel")
    page.locator("dialog [name=reason]").fill("I am ill.")
    stage.as_mentor.post(f"/sessions/{session.id}/start")
    page.locator("dialog [part~=primary]").click()
    expect(page.locator("[part~=message]").first).to_be_visible()
    assert stage.as_mentee.get(f"/sessions/{session.id}")["status"] == "in_progress"


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_session_that_starts_while_its_cost_is_asked_for_is_not_cancelled(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(listing(stage, **LATE)), visit.page
    visit.open_session(session.id)
    expect(page.locator("[data-action=cancel]")).to_be_visible()

    def start(route: Route) -> None:
        stage.as_mentor.post(f"/sessions/{session.id}/start")
        route.continue_()

    page.route("**/cancellation-quote", start, times=1)
    act(page, "cancel")
    expect(page.locator("dialog")).to_contain_text("This session can no longer be cancelled.")
    assert page.locator("dialog [part~=primary]").count() == 0


def test_a_missing_client_is_reported(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(listing(stage, **TERMS)), visit.page
    make_past(stage.live.engine, session)
    visit.open_session(session.id, stage.mentor)
    act(page, "no-show")
    expect(page.locator("dialog")).to_contain_text("Ada Lovelace")
    confirm(page)
    expect(status_of(page)).to_have_text("Cancelled")
    assert visit.told("cancelled") == str(session.id)
    cancellation = stage.as_mentor.get(f"/sessions/{session.id}")["cancellation"]
    assert (cancellation["type"], cancellation["cancelledBy"]) == ("no_show", "mentee")


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_missing_mentor_is_reported(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(listing(stage, **TERMS)), visit.page
    make_past(stage.live.engine, session)
    visit.open_session(session.id)
    act(page, "no-show")
    confirm(page)
    expect(status_of(page)).to_have_text("Cancelled")
    page.locator("[part~=history] summary").click()
    expect(page.locator("[part~=history]")).to_contain_text("did not come")


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_review_is_answered(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(), visit.page
    stage.as_mentor.post(f"/sessions/{session.id}/start")
    stage.as_mentor.patch(f"/sessions/{session.id}/complete")
    eventually(lambda: stage.permits() > 0, "the permit to review")
    stage.as_mentee.post(f"/sessions/{session.id}/review", {"rating": 4, "comment": "Clear and friendly."})
    visit.open_session(session.id, stage.mentor)
    act(page, "answer")
    page.locator("dialog [name=answer]").fill("Thank you.")
    confirm(page)
    expect(page.locator("[part~=session]")).to_contain_text("Thank you.")
    (review,) = stage.as_mentee.get(f"/mentors/{stage.mentor.id}/reviews")["items"]
    assert review["answer"] == "Thank you."


@pytest.mark.parametrize("variant", ["enhanced"])
def test_steps_are_taken_once(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(), visit.page
    stage.live.host.expired[str(stage.mentor.user_id)] = 1
    visit.open_session(session.id, stage.mentor)
    page.locator("[data-action=start]").dblclick()
    expect(status_of(page)).to_have_text("In progress")
    page.reload()
    expect(status_of(page)).to_have_text("In progress")
    act(page, "complete")
    page.locator("dialog [part~=primary]").dblclick()
    expect(status_of(page)).to_have_text("Completed")
    # The page is another one since the reload.
    assert (visit.times_told("started"), visit.times_told("completed"), visit.times_told("failed")) == (0, 1, 0)


@pytest.mark.parametrize("variant", ["enhanced"])
@pytest.mark.parametrize("asked", ["cancellation-quote", "cancel"])
def test_who_keeps_the_session_while_its_cancellation_waits_keeps_it(visit: Visit, stage: Stage, asked: str) -> None:
    session, page = stage.session(), visit.page
    visit.open_session(session.id)
    act(page, "cancel")
    page.locator("dialog [name=reason]").fill("I am ill.")
    page.route(f"**/{asked}", lambda route: route.fulfill(status=503, json={"code": "unavailable", "message": ""}))
    page.locator("dialog [part~=primary]").click()
    expect(page.locator("dialog [part~=message]")).to_contain_text("Trying again in")
    page.unroute(f"**/{asked}")
    page.get_by_role("button", name="Keep the session").click()
    expect(page.locator("[data-action=cancel]")).to_have_text("Cancel session")
    expect(page.locator("[data-action=cancel]:not([aria-disabled])")).to_be_visible()
    assert stage.as_mentee.get(f"/sessions/{session.id}")["status"] == "scheduled"


@pytest.mark.parametrize("variant", ["enhanced", "realtime"])
def test_a_step_without_connection_is_taken_later(visit: Visit, stage: Stage, context: BrowserContext) -> None:
    session, page = stage.session(), visit.page
    visit.open_session(session.id, stage.mentor)
    act(page, "start")
    act(page, "complete")
    page.locator("dialog [name=notes]").fill("Read chapter three.")
    context.set_offline(True)
    page.locator("dialog [part~=primary]").click()
    expect(page.locator("dialog [part~=message]")).to_contain_text("There is no connection")
    context.set_offline(False)
    assert visit.told("completed") == str(session.id)
    expect(status_of(page)).to_have_text("Completed")
    assert stage.as_mentee.get(f"/sessions/{session.id}")["notes"] == "Read chapter three."


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_session_is_run_by_the_keyboard_alone(visit: Visit, stage: Stage) -> None:
    session, page = stage.session(), visit.page
    keyboard, dialog = Keyboard(page), page.locator("dialog[open]")
    visit.open_session(session.id, stage.mentor)
    keyboard.reach(page.locator("[data-action=start]"))
    keyboard.press("Enter")
    expect(status_of(page)).to_have_text("In progress")
    complete = page.locator("[data-action=complete]")
    keyboard.reach(complete)
    keyboard.press("Enter")
    expect(dialog).to_be_visible()
    keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(complete).to_be_focused()
    keyboard.press("Enter")
    keyboard.reach(dialog.locator("[name=notes]"))
    page.keyboard.type("Read chapter three.")
    keyboard.reach(dialog.locator("[part~=primary]"))
    keyboard.press("Enter")
    expect(status_of(page)).to_have_text("Completed")
    assert stage.as_mentee.get(f"/sessions/{session.id}")["notes"] == "Read chapter three."


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_dialog_opened_while_it_closes_stays_open(visit: Visit, stage: Stage) -> None:
    visit.open_session(stage.session().id)
    act(visit.page, "cancel")
    # The browser tells of the close only after the click.
    visit.page.locator("dialog[open]").evaluate(
        """dialog => new Promise(done => {
            dialog.addEventListener("close", () => requestAnimationFrame(done), { once: true });
            dialog.close();
            dialog.getRootNode().querySelector("[data-action=cancel]").click();
        })"""
    )
    expect(visit.page.locator("dialog[open]")).to_be_visible()


@pytest.mark.parametrize("variant", ["enhanced"])
def test_a_part_that_is_gone_is_told(visit: Visit, stage: Stage) -> None:
    # As after an upgrade, for a page that was open before.
    visit.page.route(re.compile(r"/component/session-(?!booking)"), lambda route: route.fulfill(status=404))
    visit.open_session(stage.session().id)
    expect(visit.messages).to_contain_text("Part of this page is missing.")
