"""Tests of one event for readers of two languages: notifications, mails, pushes, invitations, feeds and pages."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import select, update

from config.signed_links import Signer
from models.events import deliveries
from models.notifications import notifications
from models.people import users
from tests.application import SECRET, settings_for
from tests.factories import accept_booking, acting_user, make_booking, make_listing, make_mentor, make_user
from tests.integration.harness import Harness, routes
from tests.integration.test_notifications import Parties
from tests.mails import as_read
from workers.routes import routes_of
from workers.runner import DeliveryRunner
from workers.transports.mail import MailIdentity
from workflows.accounts.records import User
from workflows.action_links.link import LINK_PURPOSE
from workflows.calendar.feed import create_feed_secret, find_feed, render_feed
from workflows.events.subscriptions import load
from workflows.kernel.language import language_of, use_languages
from workflows.notifications.mails import Mail
from workflows.notifications.preferences import UNSUBSCRIBE_PURPOSE
from workflows.notifications.texts import Brand
from workflows.sessions.meeting import NO_LINKS

IDENTITY = MailIdentity(
    "Tutelage <no-reply@tutelage.example>",
    "operators@tutelage.example",
    "https://t.example",
    Signer([SECRET], UNSUBSCRIBE_PURPOSE),
    link_signer=Signer([SECRET], LINK_PURPOSE),
    brand=Brand(
        name="Lernhaus & Co", logo_url="https://cdn.example.org/logo.png", colour="#ffcc00", text_colour="#000"
    ),
    reply_to="Help <help@example.org>",
)


@pytest.fixture
def parties(harness: Harness) -> Parties:
    """Grace, who reads Austrian German, and Ada, who reads British English."""
    with harness.transactions() as db:
        grace = make_user(db, name="Grace", time_zone="Europe/Berlin")
        ada = make_user(db, name="Ada", time_zone="Europe/London")
        for user, locale in ((grace, "de-AT"), (ada, "en-GB")):
            db.execute(update(users).where(users.c.id == user.id).values(locale=locale))
        return Parties(harness, make_mentor(db, grace), grace, ada)


def booked(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        listing = make_listing(db, parties.mentor, price_amount=123456, price_currency="EUR")
        booking = make_booking(db, listing=listing, mentee=parties.ada)
        accept_booking(db, booking)
    parties.harness.run_all()


def mail_to(parties: Parties, user_id: object, subject: str) -> Any:
    mails: list[Mail] = parties.harness.mail.received
    (found,) = [mail for mail in mails if mail.to_address == address_of(parties, user_id) and subject in mail.subject]
    return as_read(found, IDENTITY)


def address_of(parties: Parties, user_id: Any) -> str:
    with parties.harness.engine.connect() as db:
        return str(db.execute(User.by_id(user_id)).one().email)


def part_of(mail: Any, kind: str) -> str:
    return str(mail.get_body((kind,)).get_content())


def test_one_event_is_told_in_the_language_of_each_reader(parties: Parties) -> None:
    booked(parties)
    found = parties.of("session_created")
    grace, ada = found["Grace", "in_app"], found["Ada", "in_app"]
    assert (grace.title, ada.title) == ("Ihre Sitzung mit Ada ist gebucht", "Your session with Grace is booked")
    assert re.search(r"am (\w+tag|Mittwoch), \d+\. \w+ \d{4}, \d\d:\d\d \(Europe/Berlin\)", grace.body)
    assert re.search(r"on \w+day,? \d+ \w+ \d{4}, \d\d:\d\d \(Europe/London\)", ada.body)


def test_a_mail_is_whole_in_the_language_of_its_reader(parties: Parties) -> None:
    booked(parties)
    german = mail_to(parties, parties.grace.id, "Ihre Sitzung mit Ada ist gebucht")
    english = mail_to(parties, parties.ada.id, "Your session with Grace is booked")
    for kind in ("plain", "html"):
        assert "Sitzung absagen" in part_of(german, kind)
        assert "nur für Sie" in part_of(german, kind)
        assert "Sie bekommen diese E-Mail wegen Ihrer Einstellungen: „Eine Sitzung ist gebucht.“" in part_of(
            german, kind
        )
        assert "You receive this mail" in part_of(english, kind)
    assert '<html lang="de-AT">' in part_of(german, "html")
    assert '<html lang="en-GB">' in part_of(english, "html")
    (event,) = Calendar.from_ical(_calendar(german)).walk("VEVENT")
    description = str(event["DESCRIPTION"])
    assert re.match(
        r"Sie haben eine Sitzung mit Ada\.\nVon \S+, \d+\. \S+ \d{4}.*\(Europe/Berlin\)\nbis .*\(Europe/Berlin\)",
        description,
    )
    assert not re.search(r"\b(From|to|meet|Join)\b", f"{event['SUMMARY']} {description}")


def _calendar(mail: Any) -> bytes:
    (part,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_a_mail_has_the_brand_and_the_address_for_answers(parties: Parties) -> None:
    booked(parties)
    mail = mail_to(parties, parties.ada.id, "is booked")
    assert mail["Reply-To"] == "Help <help@example.org>"
    html = part_of(mail, "html")
    assert '<img src="https://cdn.example.org/logo.png" alt="Lernhaus &amp; Co"' in html
    assert "background:#ffcc00;color:#000" in html
    # Yellow words on white could not be read.
    two_buttons = mail_to(parties, parties.grace.id, "Ada fragt eine Sitzung mit Ihnen an")
    assert "background:#fff;color:#222" in part_of(two_buttons, "html")


def test_a_feed_is_in_the_language_of_its_reader(parties: Parties) -> None:
    booked(parties)
    with parties.harness.transactions() as db:
        actor, now = acting_user(parties.grace), datetime.now(UTC)
        feed = find_feed(db, create_feed_secret(db, actor=actor), meetings=NO_LINKS, now=now)
        assert feed is not None
        calendar = Calendar.from_ical(render_feed(db, feed, meetings=NO_LINKS))
    assert str(calendar["NAME"]) == "Sitzungen"
    (event,) = calendar.walk("VEVENT")
    assert "Sie haben eine Sitzung mit Ada." in str(event["DESCRIPTION"])


@pytest.fixture
def german_by_default() -> Iterator[None]:
    use_languages("de")
    yield
    use_languages()


@pytest.mark.usefixtures("german_by_default")
def test_a_reader_of_an_unknown_language_gets_the_default_one(parties: Parties) -> None:
    with parties.harness.transactions() as db:
        db.execute(update(users).where(users.c.id == parties.ada.id).values(locale="tlh"))
    booked(parties)
    assert parties.of("session_created")["Ada", "in_app"].title == "Ihre Sitzung mit Grace ist gebucht"
    assert language_of("en-GB").gettext("Sessions") == "Sessions"


def test_a_notification_that_is_written_stays_as_it_is(parties: Parties) -> None:
    booked(parties)
    with parties.harness.transactions() as db:
        db.execute(update(users).where(users.c.id == parties.grace.id).values(locale="en"))
        bodies = db.scalars(select(notifications.c.body).where(notifications.c.user_id == parties.grace.id)).all()
    assert any("Sitzung" in body for body in bodies)


def test_mails_that_are_switched_off_are_cancelled_with_the_reason(parties: Parties) -> None:
    chosen = settings_for("postgresql://tutelage@127.0.0.1:1/nothing", mail="off")
    off = routes_of(["notifications"], chosen, load())["mail"].transport
    parties.harness.deliverer = DeliveryRunner(parties.harness.transactions, load(), routes(mail=off))
    booked(parties)
    with parties.harness.engine.connect() as db:
        rows = db.execute(select(deliveries.c.state, deliveries.c.last_error).where(deliveries.c.effect == "mail.send"))
        assert {tuple(map(str, row)) for row in rows} == {("cancelled", "Mails are switched off: MAIL=off.")}
    assert ("Ada", "in_app") in parties.of("session_created")
