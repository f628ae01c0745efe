"""Unsubscribe links in mails: they stop one kind of mail without signing in."""

from __future__ import annotations

from html import escape
from typing import Any

from flask import Response, request

from api.blueprints import Area, refuses
from api.database import database
from api.errors import answer_domain_error
from api.state import app_state
from config.signed_links import Forged, Signer
from workflows.errors import NotFound
from workflows.notifications.kinds import KINDS
from workflows.notifications.preferences import NOTHING_TO_UNSUBSCRIBE, UNSUBSCRIBE_PURPOSE, Choice, switch_off

unsubscribing = Area("Unsubscribing", "The unsubscribe links in mails, with one-click unsubscription (RFC 8058).")

JSON = "application/json"
HTML = "text/html"
# No scripts, no external resources and no framing, which clickjacking would need.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
body {{ font: 18px/1.5 system-ui, sans-serif; max-width: 34em; margin: 15vh auto; padding: 0 1em; color: #222 }}
button {{ font: inherit; padding: .5em 1em }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{words}</p>
{form}</body>
</html>
"""
_FORM = """<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button type="submit">Unsubscribe</button>
</form>
"""


@unsubscribing.route("/unsubscribe/<signed>")
@refuses("not_found", "internal_error")
@unsubscribing.response(200, {"type": "string"}, content_type=HTML, description="A confirmation page.")
def get_unsubscribe_page(signed: str) -> Any:
    """Show a confirmation page.

    GET changes nothing, since virus scanners follow every link in a mail.
    """
    sentence = KINDS[_choice(signed).kind].sentence
    return _page("Unsubscribe?", f"You get these mails: “{sentence}”", _FORM)


@unsubscribing.route("/unsubscribe/<signed>", methods=["POST"])
@refuses("not_found", "internal_error", "unavailable")
@unsubscribing.response(200, {"type": "string"}, content_type=HTML, description="A page that confirms it.")
def unsubscribe(signed: str) -> Any:
    """Unsubscribe from that kind of mail.

    The body may be that of RFC 8058, `List-Unsubscribe=One-Click`; it is ignored.
    """
    choice = _choice(signed)
    switch_off(database(), choice)
    sentence = KINDS[choice.kind].sentence
    return _page(
        "You have been unsubscribed",
        f"You will no longer get these mails: “{sentence}” To get them again, change your notification preferences in"
        " the application.",
    )


@unsubscribing.errorhandler(NotFound)
def show_refusal(error: NotFound) -> Response:
    """An invalid link: HTML for browsers, JSON for API clients."""
    answer = answer_domain_error(error)
    if request.accept_mimetypes.best_match([JSON, HTML], default=JSON) == HTML:
        status = answer.status_code
        answer = _page("This link does not work", f"{error.message} Copy the whole address from the mail.")
        answer.status_code = status
    answer.vary.add("Accept")
    return answer


def _choice(signed: str) -> Choice:
    signer = Signer(app_state().settings.signing_keys, UNSUBSCRIBE_PURPOSE)
    try:
        return Choice.from_text(signer.verify(signed))
    except Forged as error:
        raise NotFound(NOTHING_TO_UNSUBSCRIBE) from error


def _page(title: str, words: str, form: str = "") -> Response:
    page = Response(
        _PAGE.format(title=escape(title), words=escape(words), form=form), content_type=f"{HTML}; charset=utf-8"
    )
    page.headers["Content-Security-Policy"] = POLICY
    page.headers["Referrer-Policy"] = "no-referrer"
    page.headers["Cache-Control"] = "no-store"
    return page
