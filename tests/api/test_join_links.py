"""Links of mails that lead to a session's meeting."""

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import Cast, nothing_written
from tests.api.links import heading, signed
from tests.application import ApiClient
from workflows.action_links.link import Action
from workflows.sessions.records import Session


@pytest.fixture
def online(engine: Engine, cast: Cast) -> Session:
    """A session with a link of its listing, which can be joined at any time."""
    place = {"kind": "online", "value": "https://meet.example/grace?x=1"}
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=None, location=place)
        return factories.make_session(db, listing=listing, mentee=cast.mentee)


def test_joining_leads_to_the_meeting_as_often_as_wanted(
    client: ApiClient, cast: Cast, online: Session, engine: Engine
) -> None:
    with nothing_written(engine):
        for user_id in (cast.mentee.id, cast.mentor.user_id):
            path = signed(Action.JOIN, online.booking_id, user_id)
            page = client.get(path)
            assert heading(page).startswith("Join your session with ")
            assert "form-action 'self' https://meet.example;" in page.headers["Content-Security-Policy"]
            for _ in range(2):
                answer = client.post(path)
                assert (answer.status_code, answer.headers["Location"]) == (303, "https://meet.example/grace?x=1")
                assert answer.headers["Cache-Control"] == "no-store"


def test_a_session_is_joined_from_its_early_start_on(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=1)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee)
    path = signed(Action.JOIN, session.booking_id, cast.mentee.id)
    for method, status in (("GET", 200), ("POST", 400)):
        page = client.open(path, method=method)
        assert heading(page, status) == "This session is not open yet"
        assert "meet.jit.si" not in page.text


def test_what_cannot_be_joined_is_told(client: ApiClient, cast: Cast, online: Session, engine: Engine) -> None:
    with engine.begin() as db:
        place = {"kind": "address", "value": "1 Main Street"}
        listing = factories.make_listing(db, cast.mentor, early_start_minutes=None, location=place)
        there = factories.make_session(db, listing=listing, mentee=cast.mentee)
    client.patch(f"/sessions/{online.id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentor)
    for session, user, title in (
        (online, cast.mentee, "This session is cancelled"),
        (there, cast.mentee, "This session is not online"),
        (there, cast.stranger, "You do not take part in this session"),
    ):
        assert heading(client.get(signed(Action.JOIN, session.booking_id, user.id))) == title
