"""Who is calling: tokens and headers, and everything that is neither."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from sqlalchemy import Engine

from tests.api.conftest import Cast, nothing_written
from tests.application import SECRET, World, as_operator, bearer, token

UNKNOWN_ID = "0190a1b2-0000-7000-8000-00000000dead"


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode({"exp": time.time() + 300, **claims}, key="", algorithm="none")


# The defect → the token, given the id of an existing user.
BAD_TOKENS: dict[str, Callable[[str], str]] = {
    "none at all": lambda _user: "",
    "not a token": lambda _user: "abc.def.ghi",
    "two tokens": lambda user: f"{token({'sub': user})} {token({'sub': user})}",
    "signed with another secret": lambda user: token({"sub": user}, secret="another secret of thirty-two bytes!!"),
    "unsigned": lambda user: unsigned({"sub": user}),
    "another algorithm": lambda user: token({"sub": user}, secret=SECRET * 2, algorithm="HS512"),
    "expired": lambda user: token({"sub": user}, lifetime=-1),
    "without an end": lambda user: jwt.encode({"sub": user}, SECRET, algorithm="HS256"),
    "ends at no time": lambda user: jwt.encode({"sub": user, "exp": "never"}, SECRET, algorithm="HS256"),
    "ends at infinity": lambda user: jwt.encode({"sub": user, "exp": float("inf")}, SECRET, algorithm="HS256"),
    "not valid yet": lambda user: token({"sub": user, "nbf": time.time() + 300}),
    "without a subject": lambda _user: token({}),
    "subject is a number": lambda _user: token({"sub": 7}),
    "subject is no id": lambda _user: token({"sub": "ada"}),
    "subject is a broad id": lambda user: token({"sub": "{" + user + "}"}),
    "unknown user": lambda _user: token({"sub": UNKNOWN_ID}),
    "mentor is no id": lambda user: token({"sub": user, "mentor_profile_id": "x"}),
    "mentor is unknown": lambda user: token({"sub": user, "mentor_profile_id": UNKNOWN_ID}),
    "mentor is a list": lambda user: token({"sub": user, "mentor_profile_id": [user]}),
    "roles are text": lambda user: token({"sub": user, "roles": "operator"}),
    "operator without a name": lambda _user: token({"sub": "", "roles": ["operator"]}),
    "operator with a NUL": lambda _user: token({"sub": "a\0b", "roles": ["operator"]}),
}


@pytest.mark.parametrize("flaw", BAD_TOKENS)
def test_a_token_with_a_flaw_is_refused_in_the_one_shape(world: World, cast: Cast, flaw: str) -> None:
    with nothing_written(world.engine):
        headers = {"Authorization": f"Bearer {BAD_TOKENS[flaw](str(cast.mentee.id))}"}
        for answer in (
            world.client.get("/me", headers=headers),
            world.client.post("/bookings", headers=headers, json={}),
        ):
            assert answer.status_code == 401
            assert answer.json is not None
            assert answer.json["code"] == "unauthenticated"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_is_a_user_a_mentor_or_an_operator(world: World, cast: Cast) -> None:
    assert world.client.get("/me", headers=cast.as_mentee).json["id"] == str(cast.mentee.id)
    assert world.client.get("/me", headers=cast.as_mentor).json["mentorProfileId"] == str(cast.mentor.id)
    assert world.client.get("/operations/invariants", headers=as_operator("anybody@idp")).status_code == 200


def test_the_scheme_is_read_in_any_case(world: World, cast: Cast) -> None:
    headers = {"Authorization": f"bEaReR {token({'sub': str(cast.mentee.id)})}"}
    assert world.client.get("/me", headers=headers).status_code == 200


def test_a_mentor_must_be_the_users_own(world: World, cast: Cast) -> None:
    borrowed = bearer({"sub": str(cast.mentee.id), "mentor_profile_id": str(cast.mentor.id)})
    assert world.client.get("/me", headers=borrowed).status_code == 401


def test_a_deleted_accounts_mentor_is_unknown(world: World, cast: Cast) -> None:
    assert world.client.delete("/me?cancel=true", headers=cast.as_mentor).status_code == 204
    assert world.client.get("/me", headers=cast.as_mentor).status_code == 401


def test_audience_and_issuer_are_checked_when_they_are_set(engine: Engine, cast: Cast) -> None:
    strict = World.on(engine, jwt_audience="tutelage", jwt_issuer="https://idp.example").client
    right = {"sub": str(cast.mentee.id), "aud": "tutelage", "iss": "https://idp.example"}
    assert strict.get("/me", headers=bearer(right)).status_code == 200
    for wrong in ({"aud": "other"}, {"iss": "https://evil.example"}):
        assert strict.get("/me", headers=bearer({**right, **wrong})).status_code == 401
    assert strict.get("/me", headers=bearer({"sub": str(cast.mentee.id)})).status_code == 401


@pytest.mark.parametrize("audience", ["other", ["other", "more"], "", [], None, 7])
def test_a_token_for_an_audience_is_refused_without_one(world: World, cast: Cast, audience: Any) -> None:
    answer = world.client.get("/me", headers=bearer({"sub": str(cast.mentee.id), "aud": audience}))
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert "JWT_AUDIENCE" in answer.json["message"]
    # Only to who holds a token that is good otherwise.
    other = token({"sub": str(cast.mentee.id), "aud": audience}) + "x"
    assert "JWT_AUDIENCE" not in world.client.get("/me", headers={"Authorization": f"Bearer {other}"}).json["message"]


def test_identity_headers_are_believed_only_where_that_is_set(engine: Engine, cast: Cast) -> None:
    headers = {"X-User-Id": str(cast.mentee.id)}
    secret = {"X-Gateway-Secret": "between us"}
    gateway = World.on(engine, identity_headers="gateway", gateway_secret="between us").client
    assert World.on(engine).client.get("/me", headers=headers).status_code == 401
    assert World.on(engine, identity_headers="open").client.get("/me", headers=headers).status_code == 200
    assert gateway.get("/me", headers=headers).status_code == 401
    assert gateway.get("/me", headers=headers | {"X-Gateway-Secret": "guess"}).status_code == 401
    assert gateway.get("/me", headers=headers | secret).status_code == 200


def test_the_mentor_header_alone_stands_for_the_user_too(engine: Engine, cast: Cast) -> None:
    client = World.on(engine, identity_headers="open").client
    mentor = {"X-Mentor-Profile-Id": str(cast.mentor.id)}
    assert client.get("/me", headers=mentor).json["id"] == str(cast.mentor.user_id)
    both = mentor | {"X-User-Id": str(cast.mentor.user_id)}
    assert client.get("/sessions/mentor/my-sessions", headers=both).status_code == 200
    assert client.get("/me", headers=mentor | {"X-User-Id": str(cast.mentee.id)}).status_code == 401


def test_a_bearer_token_wins_over_identity_headers(engine: Engine, cast: Cast) -> None:
    client = World.on(engine, identity_headers="open").client
    headers = {"X-User-Id": str(cast.stranger.id)}
    assert client.get("/me", headers=headers | cast.as_mentee).json["id"] == str(cast.mentee.id)
    assert client.get("/me", headers=headers | {"Authorization": "Bearer nonsense"}).status_code == 401


@pytest.mark.parametrize("header", ["X-User-Id", "X-Mentor-Profile-Id"])
@pytest.mark.parametrize("value", ["", "7", "ada", UNKNOWN_ID, "x" * 5000, "00000000-0000-0000-0000-00000000000g"])
def test_malformed_and_unknown_identity_headers_are_refused(
    engine: Engine, cast: Cast, header: str, value: str
) -> None:
    assert cast
    answer = World.on(engine, identity_headers="open").client.get("/me", headers={header: value})
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_operators_have_no_account_of_their_own(world: World, cast: Cast) -> None:
    assert world.client.get("/me", headers=cast.as_operator).status_code == 403
    assert world.client.post("/bookings", headers=cast.as_operator, json=cast.body()).status_code == 403
