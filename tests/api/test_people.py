"""Users and mentor profiles."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.api.conftest import Cast
from tests.application import ApiClient
from workers.transports.mail import MailIdentity, compose
from workflows.notifications.mails import Mail
from workflows.notifications.texts import Words

ADA = {"email": "Ada@Example.org", "name": "Ada", "timeZone": "Europe/London"}


def test_an_operator_registers_a_user(client: ApiClient, cast: Cast) -> None:
    answer = client.post("/users", json=ADA, headers=cast.as_operator)
    assert answer.status_code == 201
    assert set(answer.json) == {
        *("id", "email", "pendingEmail", "name", "timeZone", "locale", "mentorProfileId", "hasHours", "createdAt"),
        *("externalId", "metadata", "state"),
    }
    assert answer.headers["Location"] == f"/users/{answer.json['id']}"
    assert client.get(answer.headers["Location"], headers=cast.as_operator).json == answer.json
    assert client.post("/users", json=ADA, headers=cast.as_mentee).status_code == 403


def test_a_mail_address_is_unique_however_it_is_written(client: ApiClient, cast: Cast) -> None:
    client.post("/users", json=ADA, headers=cast.as_operator)
    answer = client.post("/users", json={**ADA, "email": "aDA@example.ORG"}, headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (409, "email_taken")


@pytest.mark.parametrize(
    "email",
    [
        # Letters that no mailbox's name may have without SMTPUTF8.
        "ü@example.org",
        "a\u200b@example.org",
        # Control characters, blanks and other dress for the same mailbox.
        '"\u0001"@example.org',
        '"a b"@example.org',
        '"a"@example.org',
        "a\u0001@example.org",
        "a@example.org ",
        " a@example.org",
        # The trailing separators of lines, paragraphs and labels.
        "a@example.org\n",
        "a@example.org\u2028",
        "a@example.org\u2029",
        "a@example.org\u0085",
        "a@example.org\u200b",
        "a@example.org.",
        "a@example.org。",
        # Domains that DNS cannot hold, or that are none.
        "a@exam ple.org",
        "a@" + "ü" * 64 + ".org",
        "a@☃☃.ﷺ",
        "a@[127.0.0.1]",
        "a@example..org",
        # Too long a local part.
        "a" * 65 + "@example.org",
        "a.@example.org",
        ".a@example.org",
        "a(comment)@example.org",
        "a@b@example.org",
    ],
    ids=ascii,
)
def test_an_address_that_no_mail_reaches_is_refused(client: ApiClient, cast: Cast, email: str) -> None:
    answer = client.post("/users", json={**ADA, "email": email}, headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"], set(answer.json["details"])) == (400, "invalid_request", {"email"})


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("Ada.Lovelace+books@Example.org", "Ada.Lovelace+books@Example.org"),
        ("o'hara_#!$%&*/=?^`{|}~-@example.org", "o'hara_#!$%&*/=?^`{|}~-@example.org"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        # A domain in other letters is kept as it goes over the wire, so that it is one address in every spelling.
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_kept_as_mails_can_go_there(client: ApiClient, cast: Cast, email: str, kept: str) -> None:
    answer = client.post("/users", json={**ADA, "email": email}, headers=cast.as_operator)
    assert (answer.status_code, answer.json["email"]) == (201, kept)
    mail = Mail(
        delivery_id=uuid4(),
        to_name="Ada",
        to_address=kept,
        words=Words("Hi", "Hi"),
        written_at=datetime.now(UTC),
        prepared_at=datetime.now(UTC),
    )
    identity = MailIdentity("no-reply@tutelage.example", "operators@tutelage.example")
    assert bytes(compose(mail, identity)).isascii()


def test_a_name_is_one_line(client: ApiClient, cast: Cast) -> None:
    for name in ("Eve\n\nYour account is suspended", "Eve\u2028x", "Eve\x85x", "Eve\x1b[2J", "Eve\u202egpj.exe"):
        answer = client.post("/users", json={**ADA, "name": name}, headers=cast.as_operator)
        assert (answer.status_code, set(answer.json["details"])) == (400, {"name"})
    for name in ("Åsa Ó Briain-Łęcka", "نور\u200f الدين", "می\u200cخواهم"):
        body = {"email": f"{uuid4().hex}@example.org", "name": name}
        assert client.post("/users", json=body, headers=cast.as_operator).json["name"] == name


def test_an_account_is_for_its_person_and_operators(client: ApiClient, cast: Cast) -> None:
    path = f"/users/{cast.mentee.id}"
    assert client.get(path, headers=cast.as_mentee).json["email"] == cast.mentee.email
    assert client.get(path, headers=cast.as_operator).status_code == 200
    assert client.get(path, headers=cast.as_stranger).status_code == 403
    assert client.get(f"/users/{uuid4()}", headers=cast.as_stranger).status_code == 404


def test_a_user_publishes_one_mentor_profile(client: ApiClient, cast: Cast) -> None:
    avatar = "https://a.example/x.png"
    body = {"headline": "Engineer", "skills": ["Go", "go", "SQL"], "languages": ["en", "de-CH"], "avatarUrl": avatar}
    for wrong in ({"avatarUrl": "javascript:x"}, {"languages": ["english!"]}):
        assert client.post("/mentor-profiles", json=body | wrong, headers=cast.as_mentee).status_code == 400
    answer = client.post("/mentor-profiles", json=body, headers=cast.as_mentee)
    assert answer.status_code == 201
    assert answer.json["skills"] == ["go", "sql"]
    assert (answer.json["languages"], answer.json["avatarUrl"]) == (["en", "de-CH"], avatar)
    assert set(answer.json) == {
        "id", "userId", "name", "headline", "bio", "timeZone",
        "skills", "languages", "avatarUrl", "rating", "reviewCount", "active", "state",
        "externalId", "metadata",
    }  # fmt: skip
    assert client.get("/me", headers=cast.as_mentee).json["mentorProfileId"] == answer.json["id"]
    assert client.get(f"/mentors/{answer.json['id']}", headers=cast.as_stranger).json == answer.json
    again = client.post("/mentor-profiles", json=body, headers=cast.as_mentee)
    assert (again.status_code, again.json["code"]) == (409, "profile_exists")


def test_only_operators_create_profiles_for_other_users(client: ApiClient, cast: Cast) -> None:
    body = {"headline": "Engineer", "userId": str(cast.stranger.id)}
    assert client.post("/mentor-profiles", json=body, headers=cast.as_mentee).status_code == 403
    assert client.post("/mentor-profiles", json={"headline": "x"}, headers=cast.as_operator).status_code == 400
    unknown = {**body, "userId": str(uuid4())}
    assert client.post("/mentor-profiles", json=unknown, headers=cast.as_operator).status_code == 404
    assert client.post("/mentor-profiles", json=body, headers=cast.as_operator).status_code == 201


def test_mentors_are_found_by_skill(client: ApiClient, cast: Cast) -> None:
    client.post("/mentor-profiles", json={"headline": "x", "skills": ["Go"]}, headers=cast.as_mentee)
    found = client.get("/mentors?skill=GO", headers=cast.as_stranger).json["items"]
    assert [mentor["skills"] for mentor in found] == [["go"]]
    assert len(client.get("/mentors", headers=cast.as_stranger).json["items"]) == 3


def test_users_change_their_own_account(client: ApiClient, cast: Cast) -> None:
    body = {"name": "Ada King", "timeZone": "Europe/London", "locale": "en-GB"}
    changed = client.patch("/me", json=body, headers=cast.as_mentee)
    assert (changed.status_code, changed.json | body) == (200, changed.json)
    assert client.get("/me", headers=cast.as_mentee).json == changed.json
    for wrong in ({"name": ""}, {"timeZone": "Mars"}, {"locale": "english!"}, {"email": "a b@example.org"}):
        assert client.patch("/me", json=wrong, headers=cast.as_mentee).status_code == 400
    assert client.patch("/me", json=body, headers=cast.as_operator).status_code == 403


def test_mentors_change_their_own_profile(client: ApiClient, cast: Cast) -> None:
    path = f"/mentor-profiles/{cast.mentor.id}"
    body = {
        "headline": "Coach",
        "skills": ["Go", "go"],
        "languages": ["en", "de-CH"],
        "avatarUrl": "https://a.example/x.png",
    }
    changed = client.patch(path, json=body, headers=cast.as_mentor | {"If-Match": '"1"'})
    assert (changed.status_code, changed.json["skills"], changed.json["avatarUrl"]) == (200, ["go"], body["avatarUrl"])
    assert client.get(f"/mentors/{cast.mentor.id}", headers=cast.as_mentee).json == changed.json
    assert client.patch(path, json=body, headers=cast.as_mentor | {"If-Match": '"1"'}).status_code == 412
    for headers in (cast.as_mentee, cast.as_other_mentor):
        assert client.patch(path, json=body, headers=headers).status_code == 403
    assert client.patch(path, json={"avatarUrl": "javascript:x"}, headers=cast.as_mentor).status_code == 400
    hidden = client.patch(path, json={"active": False}, headers=cast.as_operator)
    assert (hidden.status_code, hidden.json["active"]) == (200, False)
    # The mentor still finishes the booked sessions.
    assert client.get("/bookings", headers=cast.as_mentor).status_code == 200
