"""Pages of links in the language and with the brand of the marketplace, and the locale of new accounts."""

import re
from typing import Any

import pytest
from sqlalchemy import Engine, update

from models.people import users
from tests.api.conftest import Cast
from tests.api.links import heading, shown, signed
from tests.api.test_email_changes import change, link_to
from tests.api.test_unsubscribing import link
from tests.application import ApiClient, World
from workflows.action_links.link import Action
from workflows.bookings.records import Booking
from workflows.sessions.records import Session

LOGO = "https://cdn.example.org/logo.png"


@pytest.fixture
def german(engine: Engine, cast: Cast) -> Cast:
    """The cast, all of whom read German."""
    with engine.begin() as db:
        db.execute(update(users).values(locale="de"))
    return cast


def test_a_request_is_accepted_in_german(client: ApiClient, german: Cast, draft: Booking) -> None:
    path = signed(Action.ACCEPT, draft.id, german.mentor.user_id)
    page = client.get(path, headers={"Accept-Language": "en"})
    assert heading(page) == "Die Anfrage von Ada Lovelace annehmen?"
    assert page.headers["Content-Language"] == "de"
    assert '<html lang="de">' in page.text
    assert re.search(r"60 Minuten.*40,00\xa0\$", page.text, re.DOTALL)
    assert heading(client.post(path)) == "Sie haben die Anfrage angenommen"
    assert heading(client.get(path), 410) == "Sie haben bereits zugesagt"


def test_a_session_is_cancelled_in_german(client: ApiClient, german: Cast, scheduled: Session) -> None:
    path = signed(Action.CANCEL, scheduled.booking_id, german.mentor.user_id)
    refused = client.post(path, data={"reason": " "})
    assert "Bitte prüfen Sie Ihre Angaben." in shown(refused, refused.status_code)
    assert 400 <= refused.status_code < 500
    assert "<title>Bitte prüfen: " in refused.text


def test_mails_are_unsubscribed_in_german(client: ApiClient, german: Cast) -> None:
    page = client.get(link(german))
    assert heading(page) == "Abbestellen?"
    assert "„Eine Sitzung ist gebucht.“" in page.text
    assert heading(client.post(link(german))) == "Die E-Mails sind abbestellt"


def test_an_address_is_confirmed_in_german(client: ApiClient, german: Cast, engine: Engine) -> None:
    change(client, german)
    path = link_to(engine, german.mentee.id)
    assert heading(client.get(path)) == "Diese E-Mail-Adresse für Ihr Konto verwenden?"
    assert heading(client.post(path)) == "Ihre E-Mail-Adresse ist bestätigt"


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("de-CH,de;q=0.9,en;q=0.8", "Dieser Link funktioniert nicht"),
        ("en", "This link does not work"),
        ("fr", "This link does not work"),
    ],
)
def test_a_page_without_a_reader_is_in_the_browsers_language(client: ApiClient, asked: str, title: str) -> None:
    answer = client.get("/act/forged", headers={"Accept-Language": asked, "Accept": "text/html"})
    assert heading(answer, 404) == title
    assert "Accept-Language" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("chosen", "images", "head"),
    [
        ({"brand_name": "Lern & Co"}, "data:", "Lern &amp; Co"),
        (
            {"brand_name": "Lern & Co", "brand_logo_url": LOGO, "brand_colour": "#ffcc00"},
            "data: https://cdn.example.org",
            f'<img src="{LOGO}" alt="Lern &amp; Co"',
        ),
    ],
)
def test_pages_have_the_brand(
    engine: Engine, cast: Cast, draft: Booking, chosen: dict[str, Any], images: str, head: str
) -> None:
    page = World.on(engine, **chosen).client.get(signed(Action.ACCEPT, draft.id, cast.mentor.user_id))
    assert head in shown(page)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["img-src"] == images
    assert ("--main: #ffcc00; --on-main: #000" in page.text) == ("brand_colour" in chosen)


@pytest.mark.parametrize(("said", "locale"), [({}, "de-AT"), ({"locale": "en-GB"}, "en-GB")])
def test_a_new_account_has_the_default_locale(engine: Engine, cast: Cast, said: dict[str, str], locale: str) -> None:
    client = World.on(engine, default_locale="de-AT").client
    body = {"email": "neu@example.org", "name": "Neu", "timeZone": "Europe/Vienna", **said}
    answer = client.post("/users", json=body, headers=cast.as_operator)
    assert (answer.status_code, answer.json["locale"]) == (201, locale)
