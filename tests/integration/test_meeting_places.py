"""Tests of what mails, invitations and feeds tell about where a session takes place."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar, Event
from sqlalchemy import select

from models.notifications import Channel, notifications
from models.sessions import sessions
from tests.factories import acting_user, make_booking, make_group, make_listing, make_mentor, make_user, mentor_of
from tests.integration.harness import Harness
from tests.mails import as_read
from tests.queries import scalars
from workers.transports.mail import MailIdentity
from workflows.accounts.records import Mentor, User
from workflows.bookings.actions import accept
from workflows.calendar.feed import create_feed_secret, find_feed, render_feed
from workflows.groups.place import read_group
from workflows.groups.seats import join
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.notifications.mails import Mail
from workflows.notifications.preferences import replace_choices
from workflows.sessions.actions import complete, create, start
from workflows.sessions.cancel import cancel
from workflows.sessions.meeting import MeetingService
from workflows.sessions.records import SessionWithTerms, session_with_terms_query

SENDER = "Tutelage <no-reply@tutelage.example>"
JITSI = MeetingService("https://meet.jit.si/{room}")
OWN = {"kind": "online", "value": "https://meet.example/r;1,2?pwd=a&b=c"}
ADDRESS = {"kind": "address", "value": "12 Market St; second bell, 2nd floor"}
PHONE = {"kind": "phone", "value": "+49 30 1234"}
NOWHERE = {"kind": "address"}


class Pair:
    """A mentor, a mentee, and their accepted booking, two hours from now."""

    def __init__(self, harness: Harness, location: dict[str, str] | None) -> None:
        self.harness = harness
        with harness.transactions() as db:
            self.mentee: User = make_user(db, name="Ada")
            self.mentor_user: User = make_user(db, name="Grace")
            self.mentor: Mentor = make_mentor(db, self.mentor_user)
            offer: dict[str, Any] = {"location": location, "early_start_minutes": None, "reminder_minutes": [60]}
            listing = make_listing(db, self.mentor, **offer)
            ahead = datetime.now(UTC) + timedelta(hours=2)
            self.booking = make_booking(db, listing=listing, mentee=self.mentee, start_time=ahead)
            accept(db, actor=mentor_of(self.booking), booking=self.booking, now=datetime.now(UTC))
        harness.deliver("sessions.create")

    @property
    def link(self) -> str:
        return f"https://meet.jit.si/{scalars(self.harness.engine, select(sessions.c.room)).one().hex}"

    def session(self) -> SessionWithTerms:
        with self.harness.engine.connect() as db:
            session_id = db.scalars(select(sessions.c.id)).one()
            return SessionWithTerms.of(db.execute(session_with_terms_query(session_id)).one())

    def mails(self, subject: str) -> list[Mail]:
        """Run all that is due, and return the mails whose subject contains this."""
        self.harness.run_all()
        return [mail for mail in self.harness.mail.received if subject in mail.subject]

    def start(self) -> None:
        with self.harness.transactions() as db:
            actor, now = acting_user(self.mentee), datetime.now(UTC)
            start(db, actor=actor, session=self.session(), early_start_minutes=None, now=now)

    def feed(self, service: MeetingService = JITSI) -> tuple[str, Event]:
        """The tag and the only entry of the mentee's feed."""
        with self.harness.engine.begin() as db:
            secret = create_feed_secret(db, actor=acting_user(self.mentee))
            found = find_feed(db, secret, meetings=service, now=datetime.now(UTC))
            assert found is not None
            (entry,) = Calendar.from_ical(render_feed(db, found, meetings=service)).walk("VEVENT")
        assert isinstance(entry, Event)
        return found.tag, entry


def parts(mail: Mail, service: MeetingService = JITSI) -> dict[str, str]:
    """The parts of a mail by their types."""
    message = as_read(mail, MailIdentity(SENDER, SENDER, meetings=service))
    found = {}
    for part in message.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            found[part.get_content_type()] = content.decode()
    return found


def entry_of(mail: Mail, service: MeetingService = JITSI) -> Event:
    (entry,) = Calendar.from_ical(parts(mail, service)["text/calendar"]).walk("VEVENT")
    assert isinstance(entry, Event)
    return entry


def test_the_confirmation_has_the_link_for_both(harness: Harness) -> None:
    pair = Pair(harness, None)
    mails = pair.mails("is booked")
    assert len(mails) == 2
    for mail in mails:
        text, html = parts(mail)["text/plain"], parts(mail)["text/html"]
        assert pair.link in text.splitlines()
        assert f'<a href="{pair.link}"' in html
        entry = entry_of(mail)
        assert (str(entry["LOCATION"]), str(entry["URL"]), str(entry["CONFERENCE"])) == (pair.link,) * 3
        assert entry["CONFERENCE"].params["FEATURE"] == ["AUDIO", "VIDEO"]
        assert str(entry["DESCRIPTION"]).endswith(f"\nJoin: {pair.link}")


def test_notifications_in_the_application_hold_no_link(harness: Harness) -> None:
    pair = Pair(harness, None)
    pair.mails("is booked")
    bodies = " ".join(scalars(harness.engine, select(notifications.c.body)))
    assert bodies
    assert pair.link not in bodies


def test_reminders_and_the_start_tell_where_to_meet(harness: Harness) -> None:
    pair = Pair(harness, None)
    harness.make_due(harness.key("notifications.session_reminder"))
    reminders = pair.mails("starts in")
    with harness.transactions() as db:
        # Of this kind, mails are sent to those alone who want them.
        wanted = {"session_started": {Channel.EMAIL: True}}
        replace_choices(db, user_id=pair.mentor_user.id, before={}, wanted=wanted)
    pair.start()
    started = pair.mails("has begun")
    assert (len(reminders), len(started)) == (2, 1)
    for mail in (*reminders, *started):
        assert mail.invitation is None
        assert pair.link in parts(mail)["text/plain"].splitlines()


def test_mails_about_an_end_have_no_link(harness: Harness) -> None:
    pair = Pair(harness, None)
    link = pair.link
    pair.mails("is booked")
    with harness.transactions() as db:
        cancel(db, actor=acting_user(pair.mentee), session=pair.session(), reason="Ill", now=datetime.now(UTC))
    cancelled = pair.mails("was cancelled")
    assert len(cancelled) == 2
    for mail in cancelled:
        assert not any(link in part for part in parts(mail).values())
        assert "LOCATION" not in entry_of(mail)


def test_a_late_mail_does_not_ask_to_join_what_is_over(harness: Harness) -> None:
    pair = Pair(harness, None)
    pair.start()
    with harness.transactions() as db:
        complete(db, actor=mentor_of(pair.booking), session=pair.session(), now=datetime.now(UTC))
    for mail in pair.mails(""):
        assert pair.link not in parts(mail)["text/plain"], mail.subject


@pytest.mark.parametrize(
    ("location", "line", "shown"),
    [
        (ADDRESS, f"Where: {ADDRESS['value']}", ADDRESS["value"]),
        (PHONE, f"By phone: {PHONE['value']}", f"Phone: {PHONE['value']}"),
        (OWN, OWN["value"], OWN["value"]),
        ({"kind": "phone"}, None, "Phone"),
        (NOWHERE, None, None),
    ],
)
def test_every_kind_of_place_stands_in_mail_and_calendar(
    harness: Harness, location: dict[str, str], line: str | None, shown: str | None
) -> None:
    pair = Pair(harness, location)
    mail = pair.mails("is booked")[0]
    text = parts(mail)["text/plain"].splitlines()
    assert line is None or line in text
    assert pair.link not in text
    for entry in (entry_of(mail), pair.feed()[1]):
        assert (str(entry["LOCATION"]) if "LOCATION" in entry else None) == shown
        assert ("URL" in entry) == (location is OWN)
        assert location is not OWN or str(entry["URL"]) == OWN["value"]


def test_the_address_is_escaped_in_html(harness: Harness) -> None:
    mail = Pair(harness, {"kind": "address", "value": "<b>12</b> Market & Co"}).mails("is booked")[0]
    assert "&lt;b&gt;12&lt;/b&gt; Market &amp; Co" in parts(mail)["text/html"]


def test_without_a_service_there_is_no_link(harness: Harness) -> None:
    pair = Pair(harness, None)
    mail = pair.mails("is booked")[0]
    assert "Join" not in parts(mail, MeetingService())["text/plain"]
    for entry in (entry_of(mail, MeetingService()), pair.feed(MeetingService())[1]):
        assert not {"LOCATION", "URL", "CONFERENCE"} & set(entry)


def test_feeds_have_the_link_and_change_with_the_service(harness: Harness) -> None:
    pair = Pair(harness, None)
    (tag, entry), (other_tag, other) = pair.feed(), pair.feed(MeetingService("https://video.example/{room}"))
    assert str(entry["URL"]) == pair.link
    assert str(other["URL"]) == pair.link.replace("meet.jit.si", "video.example")
    assert tag != other_tag


def test_a_seat_in_a_group_tells_where_it_meets(harness: Harness) -> None:
    with harness.transactions() as db:
        ada, ben = make_user(db, name="Ada"), make_user(db, name="Ben")
        booking = make_group(db, [ben], listing=make_listing(db, location=OWN), capacity=3)
        create(db, booking_id=booking.id)
    with harness.transactions() as db:
        how: dict[str, Any] = {"bundle_purchase_id": None, "policy": DEFAULT_POLICY}
        group = read_group(db, booking.id)
        join(db, actor=acting_user(ada), group=group, mentee_user_id=ada.id, now=datetime.now(UTC), **how)
    harness.run_all()
    by_address = {mail.to_address: mail for mail in harness.mail.received}
    assert OWN["value"] in parts(by_address.pop(ada.email))["text/plain"].splitlines()
    # The mentor reads that a person has joined, and is not asked to come.
    (to_mentor,) = by_address.values()
    assert OWN["value"] not in parts(to_mentor)["text/plain"]
