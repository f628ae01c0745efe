"""Links in mails end with the address that they were mailed to, and when their user ends them."""

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update

from config.signed_links import Signer
from models.people import users
from tests import factories
from tests.api.conftest import Cast, nothing_written
from tests.api.links import SIGNER, heading, shown
from tests.api.test_action_links import status_of
from tests.api.test_audit import entries
from tests.api.test_email_changes import NEW, change, link_to
from tests.api.test_notifications import preferences
from tests.application import SECRET, ApiClient, World
from tests.integration.harness import Harness
from tests.mails import as_read
from workers.transports.mail import MailIdentity
from workflows.bookings.records import Booking
from workflows.notifications.preferences import UNSUBSCRIBE_PURPOSE
from workflows.sessions.meeting import MeetingService

IDENTITY = MailIdentity(
    "no-reply@tutelage.example",
    "o@x.example",
    "https://t.example",
    Signer([SECRET], UNSUBSCRIBE_PURPOSE),
    MeetingService("https://meet.example/{room}"),
    SIGNER,
)
REVOKE = "/me/revoke-links"
JSON = {"Accept": "application/json"}


def mailed(engine: Engine) -> dict[str, dict[str, str]]:
    """The paths in each mail that is sent now: of actions by the words on their buttons, and `unsubscribe`."""
    harness = Harness(engine)
    harness.run_all()
    return {str(mail.to_address): _paths(mail) for mail in harness.mail.received}


def _paths(mail: Any) -> dict[str, str]:
    read: Any = as_read(mail, IDENTITY)
    text = read.get_body(("plain",)).get_content()
    found = {words: urlsplit(url).path for words, url in re.findall(r"(.+):\n(https://t\.example/act/\S+)", text)}
    if header := read["List-Unsubscribe"]:
        found["unsubscribe"] = urlsplit(header[1:-1]).path
    return found


def confirm(client: ApiClient, cast: Cast, engine: Engine, headers: dict[str, str], user_id: UUID) -> None:
    change(client, cast, NEW, headers)
    assert client.post(link_to(engine, user_id)).status_code == 200


@pytest.fixture
def booked(engine: Engine, draft: Booking) -> Booking:
    with engine.begin() as db:
        return factories.accept_booking(db, draft)


@pytest.mark.parametrize("words", ["Accept request", "Decline request"])
def test_a_former_address_decides_nothing(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine, words: str
) -> None:
    (paths,) = mailed(engine).values()
    confirm(client, cast, engine, cast.as_mentor, cast.mentor.user_id)
    with nothing_written(engine):
        for method in ("GET", "POST"):
            assert "not valid" in shown(client.open(paths[words], method=method), 404)
            assert client.open(paths[words], method=method, headers=JSON).json["code"] == "not_found"
        assert status_of(engine, draft) == "draft"


def test_a_former_address_neither_joins_nor_cancels(
    client: ApiClient, cast: Cast, booked: Booking, engine: Engine
) -> None:
    paths = mailed(engine)[cast.mentee.email]
    assert client.get(paths["Join session"]).status_code == 200
    confirm(client, cast, engine, cast.as_mentee, cast.mentee.id)
    for words in ("Join session", "Cancel session"):
        assert client.get(paths[words]).status_code == 404
        assert client.post(paths[words], data={"reason": "Ill"}).status_code == 404
    assert client.get(f"/sessions/{booked.session_id}", headers=cast.as_mentee).json["status"] == "scheduled"


def test_a_mail_to_the_new_address_has_links_that_work(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine
) -> None:
    confirm(client, cast, engine, cast.as_mentor, cast.mentor.user_id)
    paths = mailed(engine)[NEW]
    assert heading(client.post(paths["Accept request"])) == "You have accepted the request"
    assert client.post(paths["unsubscribe"]).status_code == 200
    assert status_of(engine, draft) == "accepted"


@pytest.mark.parametrize("ended_by", ["address", "user"])
def test_an_ended_unsubscribe_link_changes_nothing(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine, ended_by: str
) -> None:
    as_owner = cast.as_mentor
    (paths,) = mailed(engine).values()
    if ended_by == "address":
        confirm(client, cast, engine, as_owner, cast.mentor.user_id)
    else:
        client.post(REVOKE, headers=as_owner)
    before = preferences(client, as_owner)
    for method in ("GET", "POST"):
        answer = client.open(paths["unsubscribe"], method=method)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        page = client.open(paths["unsubscribe"], method=method, headers={"Accept": "text/html"})
        assert "There is nothing to unsubscribe from" in page.text
    assert preferences(client, as_owner) == before
    assert draft


def test_a_user_ends_all_links_at_once(client: ApiClient, cast: Cast, booked: Booking, engine: Engine) -> None:
    sent = mailed(engine)
    (mentors,) = [paths for address, paths in sent.items() if address != cast.mentee.email]
    change(client, cast)
    confirming = link_to(engine, cast.mentee.id)
    for _ in range(2):
        assert client.post(REVOKE, headers=cast.as_mentee).status_code == 204
    for path in (*sent[cast.mentee.email].values(), confirming):
        for method in ("GET", "POST"):
            assert client.open(path, method=method).status_code == 404
    me = client.get("/me", headers=cast.as_mentee).json
    assert (me["email"], me["pendingEmail"]) == (cast.mentee.email, None)
    # The other side's are none of theirs.
    assert client.get(mentors["Cancel session"]).status_code == 200
    assert booked


def test_mails_after_the_end_have_links_that_work(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine
) -> None:
    client.post(REVOKE, headers=cast.as_mentor)
    (paths,) = mailed(engine).values()
    assert client.post(paths["Decline request"]).status_code == 200
    assert status_of(engine, draft) == "declined"


def test_ending_links_is_audited(world: World, cast: Cast) -> None:
    assert world.client.post(REVOKE, headers=cast.as_mentee).status_code == 204
    (entry,) = entries(world)
    assert (entry["actor"], entry["action"]) == (f"user:{cast.mentee.id}", "links.revoked")
    assert (entry["subjectType"], entry["subjectId"]) == ("user", str(cast.mentee.id))


def test_an_operator_has_no_links(client: ApiClient, cast: Cast) -> None:
    assert client.post(REVOKE, headers=cast.as_operator).status_code == 403


def test_a_link_to_confirm_survives_another_change_of_the_address(
    client: ApiClient, cast: Cast, engine: Engine
) -> None:
    change(client, cast)
    path = link_to(engine, cast.mentee.id)
    with engine.begin() as db:
        # As an identity provider would change it.
        db.execute(update(users).where(users.c.id == cast.mentee.id).values(email="between@example.org"))
        assert db.scalar(select(users.c.links_version).where(users.c.id == cast.mentee.id)) == 1
    assert client.post(path).status_code == 200
    assert client.get("/me", headers=cast.as_mentee).json["email"] == NEW


def test_a_used_link_to_confirm_tells_so(client: ApiClient, cast: Cast, engine: Engine) -> None:
    change(client, cast)
    path = link_to(engine, cast.mentee.id)
    assert client.post(path).status_code == 200
    assert heading(client.get(path), 410) == "You have already confirmed this address"


def test_a_link_does_not_show_its_address(draft: Booking, engine: Engine) -> None:
    ((address, paths),) = mailed(engine).items()
    for path in paths.values():
        payload = SIGNER.verify(path.rpartition("/")[2]) if path.startswith("/act/") else path
        assert address not in str(payload)
    assert draft
