"""Unsubscribe links in mails: they stop one kind of mail without signing in."""

from flask import Response, g

from api.audit.entries import expect_entry
from api.database import database
from api.http.requests import name_actor
from api.pages.page import HTML, JSON, Form, Page, gettext, html_page, refusal_page
from api.routes.blueprints import Area, refuses
from api.routes.declaration import Declaration
from api.routes.loaders import declares
from api.state import app_state
from config.signed_links import Forged, Signer
from workflows.accounts.records import locale_of
from workflows.kernel.errors import NotFound
from workflows.notifications.kinds import KINDS
from workflows.notifications.preferences import (
    NOTHING_TO_UNSUBSCRIBE,
    UNSUBSCRIBE_PURPOSE,
    Choice,
    UnsubscribeLink,
    require_valid_link,
    switch_off,
)

unsubscribing = Area("Unsubscribing", "The unsubscribe links in mails, with one-click unsubscription (RFC 8058).")


EXAMPLE = "<!doctype html>\n<title>Unsubscribe?</title>\n"


@unsubscribing.route("/unsubscribe/<signed>")
@refuses("blocked", "not_found", "internal_error", "unavailable")
@unsubscribing.response(200, {"type": "string"}, content_type=HTML, description="It asks.", example=EXAMPLE)
def get_unsubscribe_page(signed: str) -> Response:
    """Show a confirmation page.

    GET changes nothing, since virus scanners follow every link in a mail.
    """
    sentence = gettext(KINDS[_choice(signed, acts=False).kind].sentence)
    form = Form(submit=gettext("Unsubscribe"), hidden={"List-Unsubscribe": "One-Click"})
    mails = gettext("You get these mails: “%(sentence)s”", sentence=sentence)
    return html_page(Page(title=gettext("Unsubscribe?"), paragraphs=[mails], form=form))


@unsubscribing.route("/unsubscribe/<signed>", methods=["POST"])
@refuses("blocked", "not_found", "internal_error", "unavailable")
@declares(Declaration(action="notification_preferences.changed", about="user"))
@unsubscribing.response(200, {"type": "string"}, content_type=HTML, description="It confirms.", example=EXAMPLE)
def unsubscribe(signed: str) -> Response:
    """Unsubscribe from that kind of mail.

    The body may be `List-Unsubscribe=One-Click` (RFC 8058); it is ignored.
    """
    choice = _choice(signed, acts=True)
    name_actor(f"user:{choice.user_id}")
    expect_entry(database(), subject=("user", choice.user_id), data={choice.kind: {choice.channel: False}})
    switch_off(database(), choice)
    words = gettext(
        "You will no longer get these mails: “%(sentence)s” To get them again, change your notification preferences in"
        " the application.",
        sentence=gettext(KINDS[choice.kind].sentence),
    )
    return html_page(Page(title=gettext("You have been unsubscribed"), paragraphs=[words]))


@unsubscribing.errorhandler(NotFound)
def show_refusal(error: NotFound) -> Response:
    """An invalid link: HTML for browsers, JSON for API clients."""
    advice = f"{gettext(error.message)} {gettext('Copy the whole address from the mail.')}"
    return refusal_page(error, default=JSON, advice=advice)


def _choice(signed: str, *, acts: bool) -> Choice:
    signer = Signer(app_state().settings.signing_keys, UNSUBSCRIBE_PURPOSE)
    try:
        link = UnsubscribeLink.from_text(signer.verify(signed))
    except Forged as error:
        raise NotFound(NOTHING_TO_UNSUBSCRIBE) from error
    g.page_locale = locale_of(database(), link.choice.user_id)
    require_valid_link(database(), link, lock=acts)
    return link.choice
