"""Another time for a session in the component: at once, and by a proposal that the other side answers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from models.bookings import bookings
from models.sessions import reschedule_proposals
from models.terms import RescheduleMode
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, crossing, keep_picture, watch
from tests.browser.live import Stage
from tests.browser.visit import Visit, stamp
from tests.integration.harness import without_guards
from workflows.kernel.clock import rfc3339
from workflows.sessions.records import Session


@pytest.fixture
def variant() -> str:
    return "enhanced"


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"viewport": dict(zip(("width", "height"), request.param, strict=True))}


def session_of(stage: Stage, mode: str) -> Session:
    with stage.live.engine.begin() as db:
        listing = factories.make_listing(
            db, stage.mentor, title="Coaching", reschedule_mode=RescheduleMode(mode), cancellation_window_hours=24
        )
    return stage.session(listing)


def other_time(session: Session) -> datetime:
    return session.start_time + timedelta(hours=2)


class Camera:
    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def take(self, page: Page, name: str) -> None:
        assert crossing(page) == []
        if self.folder:
            assert page.viewport_size
            keep_picture(page, self.folder / "moving", f"{name}-{page.viewport_size['width']}")


@pytest.fixture
def camera(pictures: Path | None) -> Camera:
    return Camera(pictures)


def choose(visit: Visit, session: Session, camera: Camera, name: str) -> None:
    page, to = visit.page, other_time(session)
    page.locator("[data-action=move]").click()
    visit.show_day(to.date())
    camera.take(page, f"{name}-calendar")
    visit.slot(to).click()
    page.locator("dialog [name=reason]").fill("A train is late.")
    camera.take(page, f"{name}-form")
    page.locator("dialog [part~=primary]").click()
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_a_session_moves_at_once(visit: Visit, stage: Stage, camera: Camera) -> None:
    session, page = session_of(stage, "free"), visit.page
    visit.open_session(session.id)
    choose(visit, session, camera, "at-once")
    expect(page.locator("[part~=session]")).to_contain_text("The session has been moved.")
    camera.take(page, "at-once-done")
    assert stage.as_mentee.get(f"/sessions/{session.id}")["startTime"] == stamp(other_time(session))
    expect(page.locator("[part~=session]")).to_contain_text("2:00 – 3:00 PM")


@pytest.mark.parametrize("step", ["accept", "decline"])
def test_the_other_side_answers_a_proposal(
    visit: Visit, stage: Stage, camera: Camera, context: BrowserContext, complaints: list[str], step: str
) -> None:
    session, page = session_of(stage, "by_agreement"), visit.page
    visit.open_session(session.id)
    choose(visit, session, camera, f"{step}-proposing")
    own = page.locator("[part~=proposal]")
    expect(own).to_contain_text("You have proposed to move it to")
    expect(own).to_contain_text("A train is late.")
    camera.take(page, f"{step}-proposed")
    other = Visit(watch(context.new_page(), complaints), stage, visit.variant)
    other.open_session(session.id, stage.mentor)
    asked = other.page.locator("[part~=proposal]")
    expect(asked).to_contain_text("Ada Lovelace proposes to move it to")
    expect(other.page.locator("[data-action=move]")).to_have_count(0)
    camera.take(other.page, f"{step}-asked")
    other.page.locator(f"[data-action={step}]").dblclick()
    told = {"accept": "The session has been moved.", "decline": "The session keeps its time."}[step]
    expect(other.page.locator("[part~=session]")).to_contain_text(told)
    expect(asked).to_have_count(0)
    camera.take(other.page, f"{step}-answered")
    time = other_time(session) if step == "accept" else session.start_time
    assert stage.as_mentee.get(f"/sessions/{session.id}")["startTime"] == stamp(time)
    page.reload()
    expect(page.locator("[part~=session]")).to_be_visible()
    expect(page.locator("[part~=proposal]")).to_have_count(0)


def test_a_dialog_that_is_opened_again_begins_with_the_present_times(visit: Visit, stage: Stage) -> None:
    session, page = session_of(stage, "free"), visit.page
    to = other_time(session)
    visit.open_session(session.id)
    page.locator("[data-action=move]").click()
    visit.show_day(to.date())
    visit.slot(to).click()
    page.get_by_role("button", name="Keep the time").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    stage.book(stage.as_rival, to)
    page.locator("[data-action=move]").click()
    visit.show_day(to.date())
    expect(visit.slot(to + timedelta(hours=1))).to_be_visible()
    expect(visit.slot(to)).to_have_count(0)


def test_a_proposal_is_withdrawn(visit: Visit, stage: Stage, camera: Camera) -> None:
    session, page = session_of(stage, "by_agreement"), visit.page
    visit.open_session(session.id)
    choose(visit, session, camera, "withdraw-proposing")
    page.locator("[data-action=withdraw]").click()
    expect(page.locator("[part~=session]")).to_contain_text("Your proposal has been withdrawn.")
    expect(page.locator("[part~=proposal]")).to_have_count(0)


def test_a_proposal_that_expires_on_an_open_page_goes(visit: Visit, stage: Stage) -> None:
    session, page = session_of(stage, "by_agreement"), visit.page
    made = stage.as_mentor.post(f"/sessions/{session.id}/reschedule", {"startTime": rfc3339(other_time(session))})

    def expire(after: timedelta) -> None:
        with stage.live.engine.begin() as db, without_guards(db):
            of_session = reschedule_proposals.c.session_id == session.id
            db.execute(reschedule_proposals.update().where(of_session).values(expires_at=datetime.now(UTC) + after))

    expire(timedelta(minutes=5))
    page.clock.install()
    visit.open_session(session.id)
    expect(page.locator("[data-action=accept]")).to_be_visible()
    # Shown with the quote, the last answer that the page waits for before it looks again at a time.
    expect(page.locator("[data-action=cancel]")).to_be_visible()
    # The moment comes for the server, and then for the page, whose clock is another.
    expire(timedelta())
    page.clock.fast_forward("05:01")
    expect(page.locator("[part~=proposal]")).to_have_count(0)
    assert made["proposal"]["status"] == "open"


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("taken", "Somebody else has just taken this time."),
        ("off", "This session cannot be moved, or not any more."),
        ("proposal_open", "The other side has proposed another time meanwhile."),
    ],
)
def test_a_refusal_is_told(visit: Visit, stage: Stage, camera: Camera, case: str, told: str) -> None:
    session, page = session_of(stage, "by_agreement" if case == "proposal_open" else "free"), visit.page
    visit.open_session(session.id)
    page.locator("[data-action=move]").click()
    to = other_time(session)
    visit.show_day(to.date())
    visit.slot(to).click()
    if case == "taken":
        stage.book(stage.as_rival, to)
    elif case == "proposal_open":
        later = rfc3339(to + timedelta(hours=1))
        stage.as_mentor.post(f"/sessions/{session.id}/reschedule", {"startTime": later})
    else:
        with stage.live.engine.begin() as db, without_guards(db):
            of_booking = bookings.c.id == session.booking_id
            db.execute(bookings.update().where(of_booking).values(reschedule_mode=RescheduleMode.OFF))
    page.locator("dialog [part~=primary]").click()
    expect(page.locator("[part~=session]")).to_contain_text(told)
    camera.take(page, f"refused-{case}")
