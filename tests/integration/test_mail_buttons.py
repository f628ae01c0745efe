"""Buttons of mails: where each mail leads, in HTML and in plain text."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select

from config.signed_links import Signer
from models.events import events
from tests import factories
from tests.application import SECRET, World, as_user
from tests.integration.harness import Harness
from tests.integration.test_mail_transport import a_mail
from tests.mails import as_read
from tests.queries import execute
from workers.transports.mail import MailIdentity, compose
from workflows.action_links.buttons import AppPage, MailActions, Reader, actions_of
from workflows.action_links.link import LINK_PURPOSE, Action, ActionLink
from workflows.events.event_types import BookingRequested
from workflows.notifications.mails import Mail
from workflows.sessions.actions import create
from workflows.sessions.meeting import MeetingService

SIGNER = Signer([SECRET], LINK_PURPOSE)
PAGES = {page: f"https://app.example/{page}s/{{id}}" for page in AppPage}
IDENTITY = MailIdentity(
    "Tutelage <no-reply@tutelage.example>",
    "o@x.example",
    "https://api.example/api",
    meetings=MeetingService("https://meet.example/{room}"),
    link_signer=SIGNER,
)
TO_APP = replace(IDENTITY, app_urls=PAGES)
REQUESTED = select(*(events.c[name] for name in ("id", "actor", "occurred_at", "sequence", "data")))
BUTTON = re.compile(r'<a href="([^"]+)" style="display:inline-block[^"]*">([^<]+)</a>')


def parts(mail: Mail, identity: MailIdentity = IDENTITY) -> tuple[str, str]:
    read: Any = as_read(mail, identity)
    return read.get_body(("plain",)).get_content(), read.get_body(("html",)).get_content()


def buttons(mail: Mail, identity: MailIdentity = IDENTITY) -> dict[str, str]:
    """The addresses behind the buttons of a mail by their words, which plain text has too."""
    text, html = parts(mail, identity)
    found = {words: url for url, words in BUTTON.findall(html)}
    for words, url in found.items():
        assert f"{words}:\n{url}\n" in text
    assert ("do not forward" in text) == ("do not forward" in html) == any("/act/" in url for url in found.values())
    return found


def action_of(url: str) -> ActionLink:
    base, _, signed = url.rpartition("/")
    assert base == "https://api.example/api/act"
    return ActionLink.from_text(SIGNER.verify(signed), now=datetime.now(UTC))


def a_link() -> ActionLink:
    names: dict[str, Any] = {"subject_id": uuid4(), "user_id": uuid4(), "links_version": 0}
    return ActionLink(action=Action.ACCEPT, expires_at=datetime.now(UTC), **names)


@pytest.fixture
def harness(engine: Engine) -> Harness:
    return Harness(engine)


def sent(harness: Harness, title: str) -> dict[str, Mail]:
    """The mails of that title that are sent now, by their addresses."""
    harness.run_all()
    return {str(mail.to_address): mail for mail in harness.mail.received if title in mail.subject}


def test_a_request_can_be_answered(engine: Engine, harness: Harness) -> None:
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        draft = factories.make_booking(db, listing=factories.make_listing(db, mentor))
    (mail,) = sent(harness, "requested a session").values()
    found = buttons(mail)
    assert list(found) == ["Accept request", "Decline request"]
    for url, action in zip(found.values(), (Action.ACCEPT, Action.DECLINE), strict=True):
        link = action_of(url)
        assert (link.action, link.subject_id, link.user_id) == (action, draft.id, mentor.user_id)
        assert link.expires_at <= draft.start_time
    assert buttons(mail, TO_APP) == {"Answer the request": f"https://app.example/bookings/{draft.id}"}
    gathered = replace(mail, actions=MailActions(), gathered=(mail,))
    assert ["do not forward" in parts(gathered, identity)[0] for identity in (IDENTITY, TO_APP)] == [True, False]


def test_both_parties_can_join_and_cancel_a_session(engine: Engine, harness: Harness) -> None:
    with engine.begin() as db:
        mentor, mentee = factories.make_mentor(db), factories.make_user(db)
        draft = factories.make_booking(db, listing=factories.make_listing(db, mentor), mentee=mentee)
        booking = factories.accept_booking(db, draft)
    mails = sent(harness, "is booked")
    assert len(mails) == 2
    users = {mentor.user_id, mentee.id}
    for mail in mails.values():
        found = buttons(mail)
        assert list(found) == ["Join session", "Cancel session"]
        join, cancel = map(action_of, found.values())
        assert (join.action, join.subject_id, join.expires_at) == (Action.JOIN, booking.id, booking.end_time)
        assert (cancel.action, cancel.expires_at) == (Action.CANCEL, booking.start_time)
        assert join.user_id == cancel.user_id
        users.discard(join.user_id)
        assert list(buttons(mail, replace(IDENTITY, meetings=MeetingService()))) == ["Cancel session"]
        assert buttons(mail, TO_APP) == {"View the session": f"https://app.example/sessions/{booking.session_id}"}
    assert not users


def test_a_mentee_has_no_button_for_what_the_policy_excludes(engine: Engine, harness: Harness) -> None:
    with engine.begin() as db:
        mentor, mentee = factories.make_mentor(db), factories.make_user(db)
        listing = factories.make_listing(db, mentor, cancellation_window_hours=None)
        factories.accept_booking(db, factories.make_booking(db, listing=listing, mentee=mentee))
    found = {address: list(buttons(mail)) for address, mail in sent(harness, "is booked").items()}
    assert found.pop(mentee.email) == ["Join session"]
    assert list(found.values()) == [["Join session", "Cancel session"]]


def test_only_a_present_mentee_can_review(engine: Engine, harness: Harness) -> None:
    with engine.begin() as db:
        mentor, mentee = factories.make_mentor(db), factories.make_user(db)
        session = factories.make_session(db, listing=factories.make_listing(db, mentor), mentee=mentee)
        factories.complete_session(db, session)
    mails = sent(harness, "is completed")
    (found,) = [buttons(mail) for mail in mails.values() if mail.to_address == mentee.email]
    link = action_of(found["Write a review"])
    assert (link.action, link.subject_id, link.user_id) == (Action.REVIEW, session.id, mentee.id)
    assert timedelta(days=29) < link.expires_at - datetime.now(UTC) <= timedelta(days=30)
    (to_mentor,) = [mail for mail in mails.values() if mail.to_address != mentee.email]
    assert buttons(to_mentor) == {}
    assert buttons(to_mentor, TO_APP) == {"View the session": f"https://app.example/sessions/{session.id}"}
    assert buttons(mails[mentee.email], TO_APP) == {"Write a review": f"https://app.example/reviews/{session.id}"}


def test_a_participant_can_leave_a_group(engine: Engine, harness: Harness) -> None:
    with engine.begin() as db:
        mentee = factories.make_user(db)
        group = factories.make_group(db, [])
        # The mail has the invitation, and so follows the session.
        create(db, booking_id=group.id)
    World.on(engine).client.post(f"/group-sessions/{group.id}/join", headers=as_user(mentee))
    found = {address: buttons(mail) for address, mail in sent(harness, "seat in").items()}
    assert action_of(found[mentee.email]["Leave group session"]).subject_id == group.id


def test_the_first_in_line_can_take_the_seat(engine: Engine, harness: Harness) -> None:
    with engine.begin() as db:
        first, mentee = (factories.make_user(db) for _ in range(2))
        group = factories.make_group(db, [], capacity=1)
    client, path = World.on(engine).client, f"/group-sessions/{group.id}"
    client.post(f"{path}/join", headers=as_user(first))
    client.post(f"{path}/waitlist", headers=as_user(mentee))
    client.post(f"{path}/leave", headers=as_user(first))
    (mail,) = sent(harness, "is kept for you").values()
    link = action_of(buttons(mail)["Take the seat"])
    assert (link.action, link.subject_id, link.user_id) == (Action.ACCEPT, group.id, mentee.id)
    assert buttons(mail, TO_APP) == {"Take the seat": f"https://app.example/bookings/{group.id}"}


def test_a_late_mail_has_no_link_whose_time_has_passed(engine: Engine, harness: Harness) -> None:
    with engine.begin() as db:
        factories.make_booking(db)
    (mail,) = sent(harness, "requested a session").values()
    (accept, *_decline) = mail.actions.links.values()
    event = BookingRequested.read(**execute(engine, REQUESTED).one()._mapping)
    reader = Reader(user_id=accept.user_id, links_version=0, is_mentor=True)
    before, after = (accept.expires_at + timedelta(seconds=seconds) for seconds in (-1, 0))
    assert len(actions_of(event, reader, now=before).links) == 2
    late = actions_of(event, reader, now=after)
    assert (dict(late.links), late.page) == ({}, AppPage.BOOKING)
    assert "forward" not in parts(replace(mail, actions=late))[0]


def test_without_a_public_address_there_are_no_links() -> None:
    link = a_link()
    identity = MailIdentity("no-reply@tutelage.example", "o@x.example")
    assert buttons(a_mail(actions=MailActions(links={"Accept request": link})), identity) == {}


def test_a_mail_that_is_sent_twice_has_the_same_buttons() -> None:
    link = a_link()
    mail = a_mail(actions=MailActions(links={"Accept request": link}))
    assert bytes(compose(mail, IDENTITY)) == bytes(compose(mail, IDENTITY))
