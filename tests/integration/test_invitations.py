"""Tests of invitations: a REQUEST in the mail of a booked session, a CANCEL in the mail of its cancellation."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage, Message
from functools import partial

import pytest
from icalendar import Calendar, Event
from sqlalchemy import select

from models.events import deliveries
from models.events import events as EVENTS
from models.sessions import sessions
from tests.factories import acting_user, make_booking, make_group, make_listing, make_mentor, make_user, mentor_of
from tests.integration.harness import Harness, counted_statements, prepared_message
from tests.mails import as_read
from workers.transports.mail import MailIdentity
from workflows.accounts.records import Mentor, User
from workflows.bookings.actions import accept
from workflows.events.delivery import Delivery
from workflows.events.event_types import event_types
from workflows.groups.place import read_group
from workflows.groups.seats import join, leave
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.notifications.mails import SEND_MAIL, Mail
from workflows.sessions.actions import complete, create, start
from workflows.sessions.cancel import cancel
from workflows.sessions.meeting import MeetingService
from workflows.sessions.records import Session, SessionWithTerms, session_query, session_with_terms_query

IDENTITY = MailIdentity("Tutelage <no-reply@tutelage.example>", "operators@tutelage.example")
NAME = 'Grace "Amazing" Hopper, Zoë; 👩‍💻'
TITLE = "Compilers, and more; 你好"
# The Saturday before the last Sunday of March: New York has put its clocks forward already, Berlin does so on the next
# day.
SPRING = date(datetime.now(UTC).year + 1, 3, 31)
START = datetime.combine(SPRING - timedelta(days=SPRING.isoweekday() % 7 + 1), time(9), UTC)
DAY = f"{START:%A, %B %-d, %Y}"


class Pair:
    """A mentor in Berlin, a mentee in New York, and their booking."""

    def __init__(self, harness: Harness, title: str | None = TITLE) -> None:
        self.harness = harness
        with harness.transactions() as db:
            self.mentee: User = make_user(db, name="Ada Lovelace", time_zone="America/New_York")
            self.mentor_user: User = make_user(db, name=NAME, time_zone="Europe/Berlin")
            self.mentor: Mentor = make_mentor(db, self.mentor_user)
            listing = make_listing(db, self.mentor, early_start_minutes=None)
            self.booking = make_booking(db, listing=listing, mentee=self.mentee, title=title, start_time=START)

    def accept(self) -> None:
        """Accept the booking and create its session; its mails are not sent yet."""
        with self.harness.transactions() as db:
            accept(db, actor=mentor_of(self.booking), booking=self.booking, now=datetime.now(UTC))
        self.harness.deliver("sessions.create")
        self.harness.deliver("notifications.session_created")

    def cancel(self) -> None:
        with self.harness.transactions() as db:
            session = SessionWithTerms.of(db.execute(session_with_terms_query(self.session().id)).one())
            cancel(db, actor=acting_user(self.mentee), session=session, reason="I am ill.", now=datetime.now(UTC))

    def session(self) -> Session:
        with self.harness.engine.connect() as db:
            session_id = db.scalars(select(sessions.c.id)).one()
            return Session.of(db.execute(session_query(session_id)).one())

    def mails(self, subject: str) -> dict[str, Mail]:
        """Run all deliveries, and return the mails whose subject contains this, by address."""
        self.harness.run_all()
        return {mail.to_address: mail for mail in self.harness.mail.received if subject in mail.subject}


@pytest.fixture
def pair(harness: Harness) -> Pair:
    return Pair(harness)


def sent(mail: Mail, identity: MailIdentity = IDENTITY) -> EmailMessage:
    return as_read(mail, identity)


def content_of(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def calendar_of(mail: Mail, identity: MailIdentity = IDENTITY) -> Calendar:
    (part,) = [part for part in sent(mail, identity).walk() if part.get_content_type() == "text/calendar"]
    found = Calendar.from_ical(content_of(part))
    assert isinstance(found, Calendar)
    return found


def event_of(mail: Mail, identity: MailIdentity = IDENTITY) -> Event:
    (found,) = calendar_of(mail, identity).walk("VEVENT")
    assert isinstance(found, Event)
    return found


def test_each_party_gets_an_invitation_of_their_own(pair: Pair) -> None:
    pair.accept()
    mails = pair.mails("is booked")
    assert set(mails) == {pair.mentee.email, pair.mentor_user.email}
    for address, mail in mails.items():
        (other_address,) = set(mails) - {address}
        calendar = calendar_of(mail)
        assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
        assert calendar["PRODID"]
        event = event_of(mail)
        # One attendee (RFC 5546), so that no address is disclosed; no reply is requested.
        assert str(event["ATTENDEE"]) == f"mailto:{address}"
        parameters = [event["ATTENDEE"].params[name] for name in ("RSVP", "PARTSTAT", "ROLE")]
        assert parameters == ["FALSE", "ACCEPTED", "REQ-PARTICIPANT"]
        assert str(event["ORGANIZER"]) == "mailto:no-reply@tutelage.example"
        assert event["ORGANIZER"].params["CN"] == "Tutelage"
        assert other_address not in str(sent(mail))
        assert (event["SEQUENCE"], event["STATUS"], event["TRANSP"]) == (0, "CONFIRMED", "OPAQUE")
        assert event["UID"] == str(pair.booking.id)
        assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (START, START + timedelta(hours=1))
        assert event.decoded("DTSTAMP") <= datetime.now(UTC)
        assert event.decoded("LAST-MODIFIED") == event.decoded("DTSTAMP")
        # UTC needs no VTIMEZONE.
        assert b"TZID" not in calendar.to_ical()
    assert event_of(mails[pair.mentor_user.email])["ATTENDEE"].params["CN"] == NAME.replace('"', "'")


def test_entries_name_the_other_party_and_local_times(pair: Pair) -> None:
    pair.accept()
    mails = pair.mails("is booked")
    to_mentee, to_mentor = event_of(mails[pair.mentee.email]), event_of(mails[pair.mentor_user.email])
    assert str(to_mentee["SUMMARY"]) == f"{TITLE}, with {NAME}"
    assert str(to_mentor["SUMMARY"]) == f"{TITLE}, with Ada Lovelace"
    assert str(to_mentee["DESCRIPTION"]) == (
        f"You meet {NAME}.\nFrom {DAY}, 5:00 AM (America/New_York)\nto {DAY}, 6:00 AM (America/New_York)"
    )
    assert f"From {DAY}, 10:00 AM (Europe/Berlin)" in str(to_mentor["DESCRIPTION"])


def test_a_session_without_a_title_has_a_summary(harness: Harness) -> None:
    pair = Pair(harness, title=None)
    pair.accept()
    assert str(event_of(pair.mails("is booked")[pair.mentor_user.email])["SUMMARY"]) == "Session with Ada Lovelace"


def test_an_invitation_is_an_alternative_and_a_file(pair: Pair) -> None:
    pair.accept()
    mail = sent(pair.mails("is booked")[pair.mentee.email])
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == [
        *("multipart/mixed", "multipart/alternative"),
        *("text/plain", "text/html", "text/calendar", "application/ics"),
    ]
    alternative, file = (
        part for part in mail.walk() if part.get_content_type() in ("text/calendar", "application/ics")
    )
    assert dict(alternative["Content-Type"].params) == {"method": "REQUEST", "charset": "UTF-8"}
    assert (file.get_content_disposition(), file.get_filename()) == ("attachment", "invite.ics")
    raw = content_of(file)
    assert raw == content_of(alternative)
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 75
    (plain,) = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
    assert plain.get_content().startswith(f"“{TITLE}”: You meet")


def test_a_cancellation_cancels_the_same_entry(pair: Pair) -> None:
    pair.accept()
    invited = {address: event_of(mail) for address, mail in pair.mails("is booked").items()}
    pair.cancel()
    mails = pair.mails("cancelled")
    assert set(mails) == set(invited) == {pair.mentee.email, pair.mentor_user.email}
    for address, mail in mails.items():
        assert calendar_of(mail)["METHOD"] == "CANCEL"
        event, before = event_of(mail), invited[address]
        for same in ("UID", "ORGANIZER", "ATTENDEE", "DTSTART", "DTEND", "SUMMARY"):
            assert event[same] == before[same]
        # In whichever order they arrive, the cancellation has the higher sequence.
        assert (before["SEQUENCE"], event["SEQUENCE"]) == (0, 1)
        assert event.decoded("DTSTAMP") >= before.decoded("DTSTAMP")
        assert event["STATUS"] == "CANCELLED"
        assert str(event["DESCRIPTION"]).startswith("This session has been cancelled.")
        (alternative,) = [part for part in sent(mail).walk() if part.get_content_type() == "text/calendar"]
        assert alternative["Content-Type"].params["method"] == "CANCEL"


def test_no_invitation_is_sent_after_the_cancellation(pair: Pair) -> None:
    pair.accept()
    pair.cancel()
    assert pair.mails("is booked") == {}
    with pair.harness.engine.connect() as db:
        ended = select(deliveries.c.last_error).where(
            deliveries.c.effect == "mail.send", deliveries.c.state == "cancelled"
        )
        assert db.scalars(ended).all() == ["The session was cancelled before this mail left."] * 2


def test_a_completed_session_has_no_invitation(pair: Pair) -> None:
    pair.accept()
    now = datetime.now(UTC)
    with pair.harness.transactions() as db:
        actor = mentor_of(pair.booking)
        started = start(db, actor=actor, session=pair.session(), early_start_minutes=None, now=now)
        complete(db, actor=actor, session=started, now=now)
    mails = pair.mails("is booked")
    assert [mail.invitation for mail in mails.values()] == [None, None]


def test_other_mails_have_no_invitation(pair: Pair) -> None:
    (mail,) = pair.mails("requested a session").values()
    assert mail.invitation is None
    kinds = [part.get_content_type() for part in sent(mail).walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]


def prepared(pair: Pair) -> Mail:
    """The mail of the booked session to its mentee, prepared as for an attempt."""
    harness = pair.harness
    mails = select(deliveries.c.event_id).where(deliveries.c.effect == "mail.send")
    with harness.engine.connect() as db:
        event_id = db.scalars(mails.where(deliveries.c.target == str(pair.mentee.id)).limit(1)).one()
        found = db.execute(select(EVENTS).where(EVENTS.c.id == event_id)).one()
    key = harness.key("mail.send", event_id, str(pair.mentee.id))
    row = harness.row(key)
    delivery = Delivery(
        key=key,
        id=row.id,
        event=event_types()[found.type].read(
            id=found.id, actor=found.actor, occurred_at=found.occurred_at, sequence=found.sequence, data=found.data
        ),
        nudges=0,
        attempt=1,
        fence=0,
        attempts_reset=0,
        now=row.now,
    )
    with harness.engine.connect() as db, counted_statements(db) as statements:
        mail = prepared_message(SEND_MAIL, db, delivery)
    # One for the text and the address, one for the calendar entry.
    assert len(statements) == 2
    assert isinstance(mail, Mail)
    return mail


def test_every_attempt_sends_the_same_bytes(pair: Pair) -> None:
    pair.accept()
    first, second = (prepared(pair).invitation for _ in range(2))
    assert first
    assert second
    sender = {"organizer": "T", "address": "t@t.example"}
    meetings = MeetingService("https://meet.example/{room}")
    assert first.rendered(**sender, meetings=meetings) == second.rendered(**sender, meetings=meetings)


@pytest.mark.parametrize("sender", ["no-reply@tutelage.example", '"Büro, T; Ltd" <no-reply@tutelage.example>'])
def test_the_sender_is_the_organizer(pair: Pair, sender: str) -> None:
    pair.accept()
    mail = replace(prepared(pair), to_name="Ada\r\nBcc: eve@example.org")
    event = event_of(mail, MailIdentity(sender, sender))
    assert str(event["ORGANIZER"]) == "mailto:no-reply@tutelage.example"
    assert event["ORGANIZER"].params["CN"]
    assert "ATTENDEE" in event


class SeatTaken:
    """A group of Grace's whose session exists, and two people who take seats of it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        with harness.transactions() as db:
            self.ada, self.ben = make_user(db, name="Ada"), make_user(db, name="Ben")
            self.booking = make_group(db, [self.ben], capacity=3)
            create(db, booking_id=self.booking.id)

    def take(self) -> None:
        with self.harness.transactions() as db:
            take = partial(join, bundle_purchase_id=None, policy=DEFAULT_POLICY, now=datetime.now(UTC))
            group = read_group(db, self.booking.id)
            take(db, actor=acting_user(self.ada), group=group, mentee_user_id=self.ada.id)

    def leave(self) -> None:
        with self.harness.transactions() as db:
            give_up = partial(leave, reason=None, policy=DEFAULT_POLICY, now=datetime.now(UTC))
            group = read_group(db, self.booking.id)
            give_up(db, actor=acting_user(self.ada), group=group, mentee_user_id=self.ada.id)

    def mail(self) -> Mail:
        self.harness.run_all()
        last: Mail = [mail for mail in self.harness.mail.received if mail.to_address == self.ada.email][-1]
        return last


def test_who_joins_a_group_gets_an_invitation(harness: Harness) -> None:
    seat = SeatTaken(harness)
    seat.take()
    mail = seat.mail()
    assert calendar_of(mail)["METHOD"] == "REQUEST"
    event = event_of(mail)
    assert (event["UID"], event["STATUS"]) == (str(seat.booking.id), "CONFIRMED")
    assert str(event["ATTENDEE"]) == f"mailto:{seat.ada.email}"
    assert "Ben" not in sent(mail).as_string()
    mentors = [each for each in harness.mail.received if each.to_address not in (seat.ada.email, seat.ben.email)]
    assert [each.invitation for each in mentors] == [None]


def test_who_leaves_a_group_has_it_cancelled(harness: Harness) -> None:
    seat = SeatTaken(harness)
    seat.take()
    seat.mail()
    seat.leave()
    mail = seat.mail()
    assert calendar_of(mail)["METHOD"] == "CANCEL"
    event = event_of(mail)
    assert (event["UID"], event["STATUS"]) == (str(seat.booking.id), "CANCELLED")
    assert "You have left this group session" in str(event["DESCRIPTION"])
    seat.take()
    assert calendar_of(seat.mail())["METHOD"] == "REQUEST"
    assert event_of(seat.mail()).decoded("DTSTAMP") >= event.decoded("DTSTAMP")


def test_who_joins_before_the_session_is_there_gets_one_invitation(harness: Harness) -> None:
    with harness.transactions() as db:
        ada, booking = make_user(db, name="Ada"), make_group(db, [], capacity=3)
        take = partial(join, bundle_purchase_id=None, policy=DEFAULT_POLICY, now=datetime.now(UTC))
        take(db, actor=acting_user(ada), group=read_group(db, booking.id), mentee_user_id=ada.id)
    harness.run_all()
    assert [mail for mail in harness.mail.received if mail.to_address == ada.email] == []
    with harness.transactions() as db:
        create(db, booking_id=booking.id)
    harness.run_all()
    with harness.engine.connect() as db:
        mails = select(deliveries.c.event_id).where(deliveries.c.effect == "mail.send", deliveries.c.state == "pending")
        waiting = [harness.key("mail.send", event_id, str(ada.id)) for event_id in db.scalars(mails)]
    for key in waiting:
        harness.make_due(key)
    harness.run_all()
    mails_to_ada = [mail for mail in harness.mail.received if mail.to_address == ada.email]
    assert [mail.invitation.method for mail in mails_to_ada if mail.invitation] == ["REQUEST"]
    assert ["You have a seat" in mail.subject for mail in mails_to_ada] == [True]
