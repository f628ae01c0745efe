"""A change of one's mail address: confirmed by a link that is sent to the new one."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, update

from models.people import email_changes, users
from tests.api.conftest import Cast, nothing_written, refusal
from tests.api.links import SIGNER, heading, shown, signed
from tests.application import ApiClient, ApiResponse, World, as_user
from tests.integration.harness import Harness
from tests.mails import as_read
from tests.queries import execute, scalar
from workers.transports.mail import MailIdentity
from workflows.accounts.email_change import forget_email_changes
from workflows.action_links.link import Action
from workflows.notifications.mails import Mail

NEW = "countess@example.org"
IDENTITY = MailIdentity("no-reply@tutelage.example", "o@x.example", "https://t.example", link_signer=SIGNER)


def change(client: ApiClient, cast: Cast, email: str = NEW, headers: dict[str, str] | None = None) -> ApiResponse:
    return client.patch("/me", json={"email": email}, headers=headers or cast.as_mentee)


def mails(engine: Engine) -> dict[str, Mail]:
    harness = Harness(engine)
    harness.run_all()
    return {str(mail.to_address): mail for mail in harness.mail.received}


def link_in(mail: Mail) -> str:
    body = as_read(mail, IDENTITY).get_body(("plain",))
    assert body is not None
    (link,) = set(re.findall(r"https://t\.example/act/\S+", body.get_content()))
    return str(urlsplit(link).path)


def link_to(engine: Engine, user_id: UUID) -> str:
    """The link to confirm what the user has entered last."""
    row = execute(engine, select(email_changes).where(email_changes.c.user_id == user_id, email_changes.c.open)).one()
    return signed(Action.CONFIRM_MAIL, row.id, user_id, expires_at=row.expires_at)


def test_a_new_address_is_used_once_it_is_confirmed(client: ApiClient, cast: Cast, engine: Engine) -> None:
    answer = change(client, cast)
    assert answer.status_code == 200
    assert (answer.json["email"], answer.json["pendingEmail"]) == (cast.mentee.email, NEW)
    sent = mails(engine)
    assert set(sent) == {NEW, cast.mentee.email}
    assert NEW in sent[cast.mentee.email].text
    assert not sent[cast.mentee.email].actions.links
    path = link_in(sent[NEW])
    assert NEW in shown(client.get(path))
    assert client.get("/me", headers=cast.as_mentee).json["email"] == cast.mentee.email
    assert heading(client.post(path)) == "Your mail address is confirmed"
    after = client.get("/me", headers=cast.as_mentee)
    assert (after.json["email"], after.json["pendingEmail"]) == (NEW, None)
    assert heading(client.post(path), 410) == "You have already confirmed this address"


def test_the_tag_follows_a_new_address(client: ApiClient, cast: Cast, engine: Engine) -> None:
    tags = [client.get("/me", headers=cast.as_mentee).headers["ETag"]]
    for email in (NEW, f"x{NEW}"):
        tags.append(change(client, cast, email).headers["ETag"])
        assert client.get("/me", headers=cast.as_mentee).headers["ETag"] == tags[-1]
    client.post(link_to(engine, cast.mentee.id))
    tags.append(client.get("/me", headers=cast.as_mentee).headers["ETag"])
    assert len(set(tags)) == 4


def test_an_account_is_changed_on_the_version_that_was_read(client: ApiClient, cast: Cast) -> None:
    tag = client.get("/me", headers=cast.as_mentee).headers["ETag"]
    guarded = cast.as_mentee | {"If-Match": tag}
    assert client.patch("/me", json={"name": "Ada King"}, headers=guarded).status_code == 200
    refused = client.patch("/me", json={"name": "Ada Byron", "email": NEW}, headers=guarded)
    assert (refused.status_code, refused.json["code"]) == (412, "stale")
    read = client.get("/me", headers=cast.as_mentee).json
    assert (read["name"], read["pendingEmail"]) == ("Ada King", None)


def test_other_changes_leave_the_address_alone(client: ApiClient, cast: Cast) -> None:
    change(client, cast)
    answer = client.patch("/me", json={"name": "Ada King"}, headers=cast.as_mentee)
    assert (answer.json["name"], answer.json["pendingEmail"]) == ("Ada King", NEW)


@pytest.mark.parametrize("email", ["", "x", "a@b@example.org", "a@example.org\n", None, 7])
def test_an_address_that_is_none_is_refused(client: ApiClient, cast: Cast, email: Any) -> None:
    assert refusal(change(client, cast, email)) == (400, "invalid_request")


def test_a_taken_address_cannot_be_confirmed(client: ApiClient, cast: Cast, engine: Engine) -> None:
    for email in (cast.stranger.email, cast.stranger.email.upper()):
        # As of an address that is free: it does not show who has an account.
        answer = change(client, cast, email)
        assert (answer.status_code, answer.json["pendingEmail"].lower()) == (200, cast.stranger.email)
        page = client.post(link_to(engine, cast.mentee.id))
        assert "already an account with this email address" in shown(page, 409)
    assert client.get("/me", headers=cast.as_mentee).json["email"] == cast.mentee.email


def test_ones_own_address_can_be_written_differently(client: ApiClient, cast: Cast, engine: Engine) -> None:
    other = cast.mentee.email.replace("@", "@").upper()
    local, _, domain = other.rpartition("@")
    other = f"{local}@{domain.lower()}"
    assert change(client, cast, other).json["pendingEmail"] == other
    assert client.post(link_to(engine, cast.mentee.id)).status_code == 200
    assert client.get("/me", headers=cast.as_mentee).json["email"] == other


def test_the_present_address_withdraws_the_change(client: ApiClient, cast: Cast, engine: Engine) -> None:
    change(client, cast)
    path = link_to(engine, cast.mentee.id)
    assert change(client, cast, cast.mentee.email).json["pendingEmail"] is None
    for method in ("GET", "POST"):
        page = client.open(path, method=method)
        assert "can no longer be confirmed" in shown(page, 404)
    assert set(mails(engine)) == {cast.mentee.email}


def test_the_last_of_several_addresses_counts(client: ApiClient, cast: Cast, engine: Engine) -> None:
    change(client, cast, "first@example.org")
    path = link_to(engine, cast.mentee.id)
    change(client, cast)
    assert client.post(path).status_code == 404
    assert client.post(link_to(engine, cast.mentee.id)).status_code == 200
    assert client.get("/me", headers=cast.as_mentee).json["email"] == NEW


def test_the_sixth_address_of_a_day_is_refused(client: ApiClient, cast: Cast, engine: Engine) -> None:
    answers = [change(client, cast, f"ada{number}@example.org") for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].json["code"] == "rate_limited"
    assert 0 < int(answers[5].headers["Retry-After"]) <= 86_400
    assert change(client, cast, NEW, cast.as_stranger).status_code == 200
    # To withdraw it is always possible.
    assert change(client, cast, cast.mentee.email).status_code == 200
    execute(engine, update(email_changes).values(expires_at=func.now() - timedelta(seconds=1)))
    assert change(client, cast).status_code == 200


def test_an_address_expires_after_a_day(client: ApiClient, cast: Cast, engine: Engine) -> None:
    change(client, cast)
    with engine.begin() as db:
        row = db.execute(select(email_changes)).one()
        assert timedelta(hours=23) < row.expires_at - datetime.now(UTC) <= timedelta(hours=24)
        db.execute(update(email_changes).values(expires_at=func.now() - timedelta(seconds=1)))
    path = signed(Action.CONFIRM_MAIL, row.id, cast.mentee.id)
    assert client.post(path).status_code == 404
    assert client.get("/me", headers=cast.as_mentee).json["pendingEmail"] is None
    # A notice of what was entered goes out all the same.
    assert set(mails(engine)) == {cast.mentee.email}
    with engine.begin() as db:
        assert forget_email_changes(db, limit=1) is True
        assert db.scalar(select(func.count()).select_from(email_changes)) == 0


def test_the_second_of_two_users_is_refused(client: ApiClient, cast: Cast, engine: Engine) -> None:
    for headers in (cast.as_mentee, cast.as_stranger):
        assert change(client, cast, NEW, headers).status_code == 200
    paths = [link_to(engine, user.id) for user in (cast.mentee, cast.stranger)]
    assert client.post(paths[0]).status_code == 200
    assert "already an account with this email address" in shown(client.post(paths[1]), 409)
    assert scalar(engine, select(users.c.email).where(users.c.id == cast.stranger.id)) == cast.stranger.email


def test_a_link_confirms_for_its_own_user_alone(client: ApiClient, cast: Cast, engine: Engine) -> None:
    change(client, cast)
    row = execute(engine, select(email_changes)).one()
    with nothing_written(engine):
        path = signed(Action.CONFIRM_MAIL, row.id, cast.stranger.id, expires_at=row.expires_at)
        for method in ("GET", "POST"):
            assert client.open(path, method=method).status_code == 404


def test_a_blocked_person_confirms_no_address(client: ApiClient, cast: Cast, engine: Engine) -> None:
    change(client, cast)
    link = link_to(engine, cast.mentee.id)
    blocked = client.patch(f"/users/{cast.mentee.id}", json={"state": "blocked"}, headers=cast.as_operator)
    assert (blocked.status_code, blocked.json["pendingEmail"]) == (200, NEW)
    assert [client.open(link, method=method).status_code for method in ("GET", "POST")] == [403, 403]
    active = client.patch(f"/users/{cast.mentee.id}", json={"state": "active"}, headers=cast.as_operator)
    assert active.json["email"] == cast.mentee.email
    assert client.post(link).status_code == 200


def test_an_operator_sees_a_pending_address(world: World, cast: Cast) -> None:
    change(world.client, cast)
    path = f"/users/{cast.mentee.id}"
    assert world.client.get(path, headers=cast.as_operator).json["pendingEmail"] == NEW
    assert world.client.get(path, headers=as_user(cast.stranger)).status_code == 403
