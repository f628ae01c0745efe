"""The pages behind the links in mails, in a browser without JavaScript: they fit, and their forms act."""

import json
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect
from sqlalchemy import Engine, select, update

from config.sealing import Sealer
from models.bookings import bookings
from models.catalog import LocationKind
from models.people import users
from models.reviews import reviews
from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast
from tests.api.links import signed
from tests.api.test_email_changes import link_to
from tests.api.test_unsubscribing import link as unsubscribe_link
from tests.application import SECRET, World, as_user
from tests.browser.conftest import Shown, require_fitting
from tests.queries import execute, scalar
from workflows.action_links.link import Action
from workflows.bookings.records import Booking
from workflows.notifications.texts import Framed, MailReader, Quotation, Words, as_html
from workflows.sessions.meeting import Place
from workflows.sessions.records import Session

NOTES = "I would like to talk about my first weeks as a team lead.\n\n- delegating\n- one-on-ones\n" + "long" * 40


def require_heading(page: Page, text: str) -> None:
    expect(page.locator("h1")).to_have_text(text)


# As long as the question of a listing may be.
QUESTION = "Which of the people in your team, or beside it, should the two of us talk about, and since when? " * 2


def request_with_notes(engine: Engine, cast: Cast) -> Booking:
    """A request with a message, and with an answer to a long question."""
    sealer = Sealer([SECRET])
    answers = json.dumps([{"id": "team", "label": QUESTION, "kind": "text", "value": "Ben, for a year."}])
    with engine.begin() as db:
        booking = factories.make_booking(
            db, listing=cast.listing, mentee=cast.mentee, title="Leading a team", notes=sealer.seal(NOTES)
        )
        db.execute(update(bookings).where(bookings.c.id == booking.id).values(answers=sealer.seal(answers)))
    return booking


def test_a_request_is_accepted(sized: Page, site: str, engine: Engine, cast: Cast, keep: Shown) -> None:
    draft = request_with_notes(engine, cast)
    path = signed(Action.ACCEPT, draft.id, cast.mentor.user_id)
    sized.goto(site + path)
    require_heading(sized, "Accept the request from Ada Lovelace?")
    keep("accept")
    sized.locator("button").click()
    require_heading(sized, "You have accepted the request")
    keep("accepted")
    sized.goto(site + path)
    require_heading(sized, "You have already accepted this")
    assert scalar(engine, select(bookings.c.status)) == "accepted"


def test_a_request_is_declined_instead(sized: Page, site: str, engine: Engine, cast: Cast, keep: Shown) -> None:
    draft = request_with_notes(engine, cast)
    sized.goto(site + signed(Action.ACCEPT, draft.id, cast.mentor.user_id))
    sized.locator(".besides a").click()
    require_heading(sized, "Decline the request from Ada Lovelace?")
    sized.locator("textarea").fill("I am on holiday.")
    keep("decline")
    sized.locator("button").click()
    require_heading(sized, "You have declined the request")
    keep("declined")
    assert scalar(engine, select(bookings.c.decline_reason)) == "I am on holiday."


def test_a_session_is_cancelled(
    sized: Page, site: str, engine: Engine, cast: Cast, scheduled: Session, keep: Shown
) -> None:
    sized.goto(site + signed(Action.CANCEL, scheduled.booking_id, cast.mentee.id))
    keep("cancel")
    sized.locator("textarea").fill("I am ill.")
    sized.locator("button").click()
    require_heading(sized, "The session is cancelled")
    keep("cancelled")
    cancellation = execute(engine, select(sessions.c.cancellation)).scalar_one()
    assert (cancellation["reason"], cancellation["refundRequested"]) == ("I am ill.", True)


def test_what_is_wrong_is_said_beside_the_field(
    sized: Page, site: str, cast: Cast, scheduled: Session, keep: Shown, complaints: list[str]
) -> None:
    sized.goto(site + signed(Action.CANCEL, scheduled.booking_id, cast.mentee.id))
    # Blanks alone satisfy the browser.
    sized.locator("textarea").fill("   ")
    sized.locator("input[type=checkbox]").uncheck()
    sized.locator("button").click()
    expect(sized.locator("form")).to_contain_text("Please fill this in.")
    expect(sized.locator("input[type=checkbox]")).not_to_be_checked()
    # The answer is a refusal, which the browser's log tells.
    complaints.clear()
    keep("cancel-wrong")


def test_a_group_is_left(sized: Page, site: str, engine: Engine, cast: Cast, keep: Shown) -> None:
    with engine.begin() as db:
        group = factories.make_group(db, [cast.mentee, cast.stranger], listing=cast.listing)
    sized.goto(site + signed(Action.CANCEL, group.id, cast.mentee.id))
    keep("leave")
    sized.locator("button").click()
    require_heading(sized, "You have left the group session")
    keep("left")


def test_a_session_is_reviewed(
    sized: Page, site: str, engine: Engine, cast: Cast, in_progress: Session, keep: Shown
) -> None:
    with engine.begin() as db:
        factories.unlock_review(db, factories.complete_session(db, in_progress), cast.mentee.id)
    sized.goto(site + signed(Action.REVIEW, in_progress.id, cast.mentee.id))
    keep("review")
    sized.locator('input[value="4"]').check()
    sized.locator("textarea").fill("Clear and friendly.")
    sized.locator("button").click()
    require_heading(sized, "Thank you for your review")
    keep("reviewed")
    assert execute(engine, select(reviews.c.rating, reviews.c.comment)).one() == (4, "Clear and friendly.")


def test_a_session_is_joined(sized: Page, site: str, engine: Engine, cast: Cast, keep: Shown) -> None:
    # Another origin, to which the form leads.
    meeting = f"{site.replace('127.0.0.1', 'localhost')}/health/live"
    with engine.begin() as db:
        place = {"kind": "online", "value": meeting}
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=None, location=place)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee)
    sized.goto(site + signed(Action.JOIN, session.booking_id, cast.mentee.id))
    keep("join")
    sized.locator("button").click()
    expect(sized).to_have_url(meeting)


def test_a_mail_address_is_confirmed(sized: Page, site: str, engine: Engine, cast: Cast, keep: Shown) -> None:
    body = {"email": "a.rather.long.address.of.a.countess@department.university.example.org"}
    assert World.on(engine).client.patch("/me", json=body, headers=as_user(cast.mentee)).status_code == 200
    sized.goto(site + link_to(engine, cast.mentee.id))
    keep("confirm")
    sized.locator("button").click()
    require_heading(sized, "Your mail address is confirmed")
    keep("confirmed")
    assert scalar(engine, select(users.c.email).where(users.c.id == cast.mentee.id)) == body["email"]


def test_a_kept_seat_is_taken(sized: Page, site: str, engine: Engine, cast: Cast, keep: Shown) -> None:
    with engine.begin() as db:
        group = factories.make_group(db, [], listing=cast.listing, capacity=1)
    client, path = World.on(engine).client, f"/group-sessions/{group.id}"
    client.post(f"{path}/join", headers=cast.as_stranger)
    client.post(f"{path}/waitlist", headers=cast.as_mentee)
    client.post(f"{path}/leave", headers=cast.as_stranger)
    sized.goto(site + signed(Action.ACCEPT, group.id, cast.mentee.id))
    keep("seat")
    sized.locator("button").click()
    require_heading(sized, "The seat is yours")
    keep("seated")


def test_one_kind_of_mail_is_stopped(sized: Page, site: str, cast: Cast, keep: Shown) -> None:
    sized.goto(site + unsubscribe_link(cast))
    keep("unsubscribe")
    sized.locator("button").click()
    require_heading(sized, "You have been unsubscribed")
    keep("unsubscribed")


def test_a_mail_fits_around_a_long_word(sized: Page) -> None:
    word = "long" * 60
    place = Place(kind=LocationKind.ADDRESS, link=None, words=word)
    answers = [(QUESTION, Quotation(word))]
    framed = Framed(reader=MailReader(name="Ada", locale="en"), place=place, answers=answers)
    sized.set_content(as_html(Words(word, f"{word}\n\n> {word}"), framed))
    require_fitting(sized)


def test_a_button_has_an_edge_in_forced_colours(sized: Page, site: str, cast: Cast) -> None:
    sized.emulate_media(forced_colors="active")
    sized.goto(site + unsubscribe_link(cast))
    # Backgrounds are the system's own then: without an edge, a button looks like a paragraph.
    expect(sized.locator("button")).not_to_have_css("border-top-width", "0px")


def test_refusals_are_pages(
    sized: Page, site: str, engine: Engine, cast: Cast, keep: Shown, complaints: list[str]
) -> None:
    with engine.begin() as db:
        draft = factories.make_booking(db, listing=cast.listing, mentee=cast.mentee)
        rival = factories.make_booking(db, listing=cast.listing, start_time=draft.start_time)
        factories.accept_booking(db, rival)
    expired = signed(Action.ACCEPT, draft.id, cast.mentor.user_id, expires_at=datetime.now(UTC) - timedelta(hours=1))
    sized.goto(site + expired)
    require_heading(sized, "This link does not work")
    complaints.clear()
    keep("expired")
    sized.goto(site + signed(Action.ACCEPT, draft.id, cast.mentor.user_id))
    sized.locator("button").click()
    require_heading(sized, "This is not possible")
    complaints.clear()
    keep("taken")
    sized.locator(".besides a").click()
    require_heading(sized, "Accept the request from Ada Lovelace?")
