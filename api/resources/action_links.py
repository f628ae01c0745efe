"""Links in mails that act for their reader: a page that asks, and a form that does it once."""

from collections.abc import Callable

import marshmallow as ma
from flask import g, redirect, request
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response

from api.audit.entries import expect_entry
from api.database import READ_METHODS, database
from api.http.requests import name_actor
from api.pages.act.action_page import ActionPage, Closed, Redirect, Visit, errors_by_field
from api.pages.act.cancelling import cancel_page
from api.pages.act.confirming import ConfirmMailPage
from api.pages.act.decisions import DeclinePage
from api.pages.act.joining import JoinPage
from api.pages.act.moving import AcceptTimePage, DeclineTimePage
from api.pages.act.reviewing import ReviewPage
from api.pages.act.seats import accept_page
from api.pages.page import HTML, gettext, html_page, refusal_page
from api.routes.blueprints import Area, refuses
from api.routes.context import this_moment
from api.routes.declaration import Declaration
from api.routes.loaders import declares
from api.state import app_state
from config.signed_links import Forged, Signer
from workflows.accounts.records import locale_of
from workflows.action_links.link import (
    LINK_PURPOSE,
    NO_SUCH_LINK,
    Action,
    ActionLink,
    require_unspent,
    require_valid,
    spend,
)
from workflows.kernel.errors import Conflict, DomainError, Gone, NotFound
from workflows.kernel.language import gettext_noop

action_links = Area(
    "Links in mails",
    "Pages behind the buttons in mails: accept or decline a request or another time, join, cancel, review, confirm an"
    " address.",
)

PAGES: dict[Action, Callable[[Visit], ActionPage]] = {
    Action.ACCEPT: accept_page,
    Action.DECLINE: DeclinePage,
    Action.CANCEL: cancel_page,
    Action.JOIN: JoinPage,
    Action.REVIEW: ReviewPage,
    Action.CONFIRM_MAIL: ConfirmMailPage,
    Action.ACCEPT_TIME: AcceptTimePage,
    Action.DECLINE_TIME: DeclineTimePage,
}
# The names that the audit has for the action of a link and for the kind of its subject.
AUDITED_AS = {
    Action.ACCEPT: ("booking.accepted", "booking"),
    Action.DECLINE: ("booking.declined", "booking"),
    Action.CANCEL: ("booking.cancelled", "booking"),
    Action.JOIN: ("session.joined", "booking"),
    Action.REVIEW: ("review.submitted", "session"),
    Action.CONFIRM_MAIL: ("user.email_confirmed", "user"),
    Action.ACCEPT_TIME: ("session.reschedule_accepted", "proposal"),
    Action.DECLINE_TIME: ("session.reschedule_declined", "proposal"),
}
# The titles of pages whose link has been used.
USED = {
    Action.ACCEPT: gettext_noop("You have already accepted this"),
    Action.DECLINE: gettext_noop("You have already declined this"),
    Action.CANCEL: gettext_noop("You have already cancelled this"),
    Action.REVIEW: gettext_noop("You have already sent your review"),
    Action.CONFIRM_MAIL: gettext_noop("You have already confirmed this address"),
    Action.ACCEPT_TIME: gettext_noop("You have already accepted this time"),
    Action.DECLINE_TIME: gettext_noop("You have already declined this time"),
}
_EXAMPLE = "<!doctype html>\n<title>Accept this request?</title>\n"
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_FILLED_IN = {"schema": {"type": "object"}, "example": {"reason": "I am travelling that week."}}
_HAS_CHANGED = gettext_noop("This has just been changed. Look at it again to see its present state.")
_PENDING = gettext_noop("The session is being booked. Look at it again in a moment.")
_FORM = {
    "requestBody": {
        "description": "The fields of the page's form: `reason`, `refundRequested`, `rating`, `comment`, `quoted`.",
        "required": False,
        "content": {"application/x-www-form-urlencoded": _FILLED_IN},
    }
}


@action_links.route("/act/<signed>")
@refuses(
    *("not_found", "gone", "forbidden", "blocked", "invalid_transition", "already_reviewed", "review_not_open"),
    *("session_pending", "internal_error", "unavailable"),
)
@action_links.response(
    200, {"type": "string"}, content_type=HTML, description="A page that asks, or tells why not.", example=_EXAMPLE
)
def get_action_page(signed: str) -> Response:
    """Show what a link in a mail is for, and ask.

    GET changes nothing, since virus scanners follow every link in a mail. A link works once and for some time: an
    invalid or expired one is 404, a used one 410. Refusals are pages too, or JSON where the request prefers it.
    """
    link = _link(signed)
    visit = Visit(db=database(), link=link, now=this_moment())
    require_unspent(visit.db, link)
    require_valid(visit.db, link, lock=False)
    return html_page(PAGES[link.action](visit).asking())


@action_links.route("/act/<signed>", methods=["POST"])
@declares(Declaration(action="link.used", about="booking"))
@action_links.doc(**_FORM)
@refuses(
    *("not_found", "gone", "forbidden", "blocked", "invalid_request", "invalid_transition", "not_cancellable"),
    *("slot_taken", "outside_hours", "too_soon", "beyond_horizon", "booking_limit", "group_full", "no_offer"),
    *("already_reviewed", "review_not_open", "email_taken"),
    *("session_pending", "too_large", "unsupported_media_type", "internal_error", "unavailable"),
)
@action_links.response(
    200, {"type": "string"}, content_type=HTML, description="A page that tells what has been done.", example=_EXAMPLE
)
@action_links.alt_response(303, description="To the meeting.")
def act_by_link(signed: str) -> Response:
    """Do what the link is for, with the answers of its form, and use the link up.

    Its holder acts as the user that it was sent to, for this one action: no cookie and no other credential is
    involved. Refusals are the same as of the route for programs.
    """
    link = _link(signed)
    _require_form()
    visit = Visit(db=database(), link=link, now=this_moment())
    if link.action is not Action.JOIN:
        # First, so that the second of two forms of one link waits, and finds it used.
        spend(visit.db, link)
    require_valid(visit.db, link, lock=True)
    action, subject_type = AUDITED_AS[link.action]
    subject_id = link.user_id if subject_type == "user" else link.subject_id
    expect_entry(visit.db, action=action, subject=(subject_type, subject_id))
    page = PAGES[link.action](visit)
    g.advice = page.advice
    asking = page.asking()
    try:
        answers = page.read(request.form)
    except ma.ValidationError as error:
        return html_page(asking.with_errors(errors_by_field(error), request.form), 400)
    done = page.act(answers)
    return redirect(done.url, 303) if isinstance(done, Redirect) else html_page(done)


@action_links.errorhandler(Exception)
def show_refusal(error: Exception) -> Response:
    """A refusal: a page for browsers, JSON for programs that prefer it."""
    title, advice, can_look_again = None, "", False
    if isinstance(error, Closed):
        title, advice, can_look_again = error.title, error.message, error.has_changed
    elif isinstance(error, Gone):
        title = g.get("used_up")
    elif isinstance(error, NotFound) and error.message == NO_SUCH_LINK:
        advice = " ".join(
            (
                gettext(NO_SUCH_LINK),
                gettext("If you have copied it, check that it is whole; else sign in to the application."),
            )
        )
    elif isinstance(error, DomainError):
        known = {"invalid_transition": _HAS_CHANGED, "session_pending": _PENDING, **g.get("advice", {})}
        advice = gettext(known[error.code]) if error.code in known else ""
        title = gettext_noop("Please try again in a moment") if error.code == "session_pending" else None
        can_look_again = bool(advice)
    besides = (gettext("Look at it again"), "") if can_look_again else None
    answer = refusal_page(error, default=HTML, title=title, advice=advice, besides=besides)
    if isinstance(error, Closed | Conflict) and request.method in READ_METHODS and answer.mimetype == HTML:
        # The page is there; it tells where things stand.
        answer.status_code = 200
    return answer


def _require_form() -> None:
    """Refuse a body that is no form, whose answers would be lost; none at all is a form without answers.

    Raises:
        UnsupportedMediaType: it is declared as something else.
    """
    if request.mimetype not in _FORM_TYPES and request.get_data():
        raise UnsupportedMediaType("Send the answers as a form: Content-Type: application/x-www-form-urlencoded.")


def _link(signed: str) -> ActionLink:
    signer = Signer(app_state().settings.signing_keys, LINK_PURPOSE)
    try:
        link = ActionLink.from_text(signer.verify(signed), now=this_moment())
    except Forged as error:
        raise NotFound(NO_SUCH_LINK) from error
    if link.action not in PAGES:
        raise NotFound(NO_SUCH_LINK)
    g.used_up = USED.get(link.action)
    g.page_locale = locale_of(database(), link.user_id)
    name_actor(f"user:{link.user_id}")
    return link
