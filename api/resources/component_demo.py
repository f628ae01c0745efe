"""Demo pages of the booking component, and the tokens by which they book: for trying it out, and for its tests.

`COMPONENT_DEMO` shows them. Tokens are given to everybody who asks: on loopback, in development, and nowhere else.
"""

from dataclasses import replace
from datetime import UTC, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed

from api import errors
from api.authentication.authenticator import identifier
from api.database import database
from api.pages.component_files import FILES
from api.pages.demo.page import DIRECTIONS, ICON, LANGUAGES, THEMES, DemoPage, Link, web_manifest
from api.pages.demo.people import DemoPeople, Held, find_demo_people
from api.pages.page import HTML, refusal_page
from api.routes.context import this_moment
from api.schemas.component import Variant
from api.schemas.fields import Moment
from api.state import app_state
from workflows.kernel.clock import zone
from workflows.kernel.errors import Invalid, NotFound

component_demo = Blueprint("component_demo", __name__)

OFF, PAGES, TOKENS = "off", "pages", "tokens"
TOKEN_LIFETIME = timedelta(minutes=10)
MENTEE, MENTOR, VISITOR = "mentee", "mentor", "visitor"
_SIDES = (MENTEE, MENTOR, VISITOR)
# Parameters that a page passes on to the element.
_IDS = ("mentor", "listing", "course", "session")
_PAGE_SECONDS = 300
_ABOUT = {
    Variant.BASIC: "Choose a free time, say what the session is about, and book.",
    Variant.ENHANCED: "As basic, with sessions (join, start, complete, cancel), series, and why times are not free.",
    Variant.REALTIME: "As enhanced, live: free times change while you look, and a booking waits for the connection.",
}
_NOT_SEEDED = "There are no people to book yet: run `tutelage seed`, then load this page again."
_NO_TOKENS = "People are not signed in here: this page shows what visitors see."


@component_demo.route("/component/demo")
def show_demo_index() -> Response:
    """The page that leads to the others."""
    _require_pages()
    people = find_demo_people(database())
    links = {
        "Variants": [
            Link(words=f"{variant.value}: {about}", address=_address(variant)) for variant, about in _ABOUT.items()
        ]
    }
    paragraphs = ["One element, <session-booking>, in three variants. docs/component.md tells how a page uses it."]
    paragraphs += [] if people else [_NOT_SEEDED]
    return _response(DemoPage(root=request.script_root, title="Booking component", paragraphs=paragraphs, links=links))


@component_demo.route("/component/demo/<variant>")
def show_demo_page(variant: str) -> Response:
    """The element in one variant, by default with the mentor whom `tutelage seed` has made for it."""
    _require_pages()
    if variant not in list(Variant):
        raise NotFound("There is no such demo page.")
    asked, side = _asked(), _one_of("as", _SIDES)
    page = DemoPage(
        root=request.script_root,
        title=f"Variant {variant}",
        language=_one_of("lang", LANGUAGES),
        direction=_one_of("dir", DIRECTIONS),
        theme=_one_of("theme", THEMES),
    )
    people = find_demo_people(database())
    if people is None and not asked.keys() & set(_IDS):
        return _response(replace(page, paragraphs=[_NOT_SEEDED]))
    with_tokens = app_state().settings.component_demo == TOKENS and side != VISITOR
    return _response(
        replace(
            page,
            paragraphs=[_ABOUT[Variant(variant)], *([] if with_tokens else [_NO_TOKENS])],
            attributes=_attributes(variant, asked, people, side if with_tokens else None),
            links=_links(Variant(variant), asked, people, side),
        )
    )


@component_demo.route("/component/demo/token", methods=["POST"])
def issue_demo_token() -> Response:
    """A token of the demo's mentee, or with `as=mentor` of its mentor: what a site's own endpoint answers."""
    chosen = app_state().settings
    if chosen.component_demo != TOKENS or not _is_asked_from_here():
        raise NotFound("There are no tokens of the demo here.")
    people = find_demo_people(database())
    if people is None:
        raise NotFound(_NOT_SEEDED)
    if _one_of("as", (MENTEE, MENTOR)) == MENTOR:
        claims = {"sub": str(people.mentor_user_id), "mentor_profile_id": str(people.mentor_profile_id)}
    else:
        claims = {"sub": str(people.mentee_id)}
    now = this_moment()
    ends = now + TOKEN_LIFETIME
    expected = {"aud": chosen.jwt_audience, "iss": chosen.jwt_issuer}
    claims |= {name: value for name, value in expected.items() if value}
    signed = jwt.encode({**claims, "iat": now, "exp": ends}, str(chosen.jwt_secret), algorithm="HS256")
    return jsonify(token=signed, expiresAt=Moment.write(ends.replace(microsecond=0)))


@component_demo.route("/component/demo/app.webmanifest")
def get_demo_manifest() -> Response:
    """What makes the demo an application that can be installed."""
    _require_pages()
    answer = jsonify(web_manifest(request.script_root))
    answer.content_type = "application/manifest+json"
    answer.headers["Cache-Control"] = f"public, max-age={_PAGE_SECONDS}"
    return answer


@component_demo.route("/component/demo/icon.svg")
def get_demo_icon() -> Response:
    """Its icon."""
    _require_pages()
    answer = Response(ICON, content_type="image/svg+xml")
    answer.headers["Cache-Control"] = f"public, max-age={_PAGE_SECONDS}"
    return answer


@component_demo.errorhandler(Exception)
def show_refusal(error: Exception) -> Response:
    """A refusal: a page for browsers, JSON for programs that prefer it."""
    # Also of the token's address, which looks like a variant's.
    return errors.answer(error) if isinstance(error, MethodNotAllowed) else refusal_page(error, default=HTML)


def _is_asked_from_here() -> bool:
    """Whether no page of another site asks: one that `CORS_ORIGINS` lets in, or whose name leads here (rebinding)."""
    origin = request.headers.get("Origin")
    try:
        if origin is not None and urlsplit(origin).netloc != request.host:
            return False
        name = urlsplit(f"//{request.host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _require_pages() -> None:
    if app_state().settings.component_demo == OFF:
        raise NotFound("There are no demo pages here.")


def _response(page: DemoPage) -> Response:
    return page.response(FILES, app_state().settings)


def _asked() -> dict[str, str]:
    asked = {name: value for name in (*_IDS, "zone") if (value := request.args.get(name))}
    for name in asked.keys() & set(_IDS):
        if identifier(asked[name]) is None:
            raise Invalid("Name it by its id.", details={name: ["Must be a UUID."]})
    if "zone" in asked:
        zone(asked["zone"])
    return asked


def _one_of(name: str, choices: tuple[str, ...]) -> str:
    value = request.args.get(name, choices[0])
    if value not in choices:
        raise Invalid(f"Choose one of {', '.join(choices)}.", details={name: ["Must be one of the choices."]})
    return value


def _attributes(variant: str, asked: dict[str, str], people: DemoPeople | None, side: str | None) -> dict[str, str]:
    """The attributes of the element. `side`: whose token it gets; None for a visitor."""
    chosen = app_state().settings
    attributes = {"variant": variant, **{name: asked[name] for name in _IDS if name in asked}}
    if people is not None and not asked.keys() & {"mentor", "course", "session"}:
        attributes["mentor"] = str(people.mentor_profile_id)
    if "zone" in asked:
        attributes["time-zone"] = asked["zone"]
    if chosen.publishable_keys:
        attributes["publishable-key"] = chosen.publishable_keys[0]
    if chosen.streams_url:
        attributes["streams-url"] = chosen.streams_url
    if side is not None:
        attributes["token-url"] = f"{request.script_root}/component/demo/token{_query({'as': side})}"
    return attributes


def _links(variant: Variant, asked: dict[str, str], people: DemoPeople | None, side: str) -> dict[str, list[Link]]:
    variants = [
        Link(words=each.value, address=_address(each, asked, side), is_here=each == variant) for each in Variant
    ]
    shown: dict[str, list[Link]] = {"Variants": variants}
    if people is not None:
        offers = [
            ("everything", {}),
            *((_words(offer.title, offer.is_instant), {"listing": str(offer.id)}) for offer in people.offers),
        ]
        if people.course_id is not None:
            offers.append(("any mentor of the course", {"course": str(people.course_id)}))
        kept: dict[str, Any] = {name: value for name, value in asked.items() if name == "zone"}
        shown["What is booked"] = [
            Link(words=words, address=_address(variant, {**kept, **of}, side), is_here=of == _without(asked, "zone"))
            for words, of in offers
        ]
        shown["Sessions of the mentee"] = [
            Link(
                words=_words_of(each),
                address=_address(variant, {"session": str(each.id)}, side),
                is_here=asked.get("session") == str(each.id),
            )
            for each in people.sessions
        ]
    shown["Seen as"] = [
        Link(words=each, address=_address(variant, asked, each), is_here=each == side) for each in _SIDES
    ]
    return shown


def _words(title: str, is_instant: bool) -> str:
    return f"{title} ({'booked at once' if is_instant else 'on request'})"


def _words_of(session: Held) -> str:
    """The title, the hour and the state: two sessions of one day have different words."""
    begins = f"{session.start_time.astimezone(UTC):%A, %d %B, %H:%M} UTC"
    return f"{session.title or 'Session'}, {begins} ({session.status.replace('_', ' ')})"


def _without(asked: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in asked.items() if name not in names}


def _address(variant: Variant, asked: dict[str, str] | None = None, side: str = MENTEE) -> str:
    query = {**(asked or {}), "as": side}
    return f"{request.script_root}/component/demo/{variant.value}{_query(query)}"


def _query(values: dict[str, str]) -> str:
    given = {name: value for name, value in values.items() if (name, value) != ("as", MENTEE)}
    return f"?{urlencode(given)}" if given else ""
