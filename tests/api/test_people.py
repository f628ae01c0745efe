"""Users and mentor profiles."""

from __future__ import annotations

from uuid import uuid4

from flask.testing import FlaskClient

from tests.api.conftest import Cast

ADA = {"email": "Ada@Example.org", "name": "Ada", "timeZone": "Europe/London"}


def test_an_operator_registers_a_user(client: FlaskClient, cast: Cast) -> None:
    answer = client.post("/users", json=ADA, headers=cast.as_operator)
    assert answer.status_code == 201
    assert set(answer.json) == {"id", "email", "name", "timeZone", "mentorProfileId", "createdAt"}
    assert answer.headers["Location"] == f"/users/{answer.json['id']}"
    assert client.get(answer.headers["Location"], headers=cast.as_operator).json == answer.json
    assert client.post("/users", json=ADA, headers=cast.as_mentee).status_code == 403


def test_a_mail_address_is_unique_however_it_is_written(client: FlaskClient, cast: Cast) -> None:
    client.post("/users", json=ADA, headers=cast.as_operator)
    answer = client.post("/users", json={**ADA, "email": "aDA@example.ORG"}, headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (409, "email_taken")


def test_an_account_is_for_its_person_and_operators(client: FlaskClient, cast: Cast) -> None:
    path = f"/users/{cast.mentee.id}"
    assert client.get(path, headers=cast.as_mentee).json["email"] == cast.mentee.email
    assert client.get(path, headers=cast.as_operator).status_code == 200
    assert client.get(path, headers=cast.as_stranger).status_code == 403
    assert client.get(f"/users/{uuid4()}", headers=cast.as_stranger).status_code == 404


def test_a_user_publishes_one_mentor_profile(client: FlaskClient, cast: Cast) -> None:
    body = {"headline": "Engineer", "skills": ["Go", "go", "SQL"]}
    answer = client.post("/mentor-profiles", json=body, headers=cast.as_mentee)
    assert answer.status_code == 201
    assert answer.json["skills"] == ["go", "sql"]
    assert set(answer.json) == {
        "id", "userId", "name", "headline", "bio", "timeZone", "skills", "rating", "reviewCount", "active"
    }  # fmt: skip
    assert client.get("/me", headers=cast.as_mentee).json["mentorProfileId"] == answer.json["id"]
    assert client.get(f"/mentors/{answer.json['id']}", headers=cast.as_stranger).json == answer.json
    again = client.post("/mentor-profiles", json=body, headers=cast.as_mentee)
    assert (again.status_code, again.json["code"]) == (409, "profile_exists")


def test_a_profile_for_somebody_else_is_an_operators_business(client: FlaskClient, cast: Cast) -> None:
    body = {"headline": "Engineer", "userId": str(cast.stranger.id)}
    assert client.post("/mentor-profiles", json=body, headers=cast.as_mentee).status_code == 403
    assert client.post("/mentor-profiles", json={"headline": "x"}, headers=cast.as_operator).status_code == 400
    nobody = {**body, "userId": str(uuid4())}
    assert client.post("/mentor-profiles", json=nobody, headers=cast.as_operator).status_code == 404
    assert client.post("/mentor-profiles", json=body, headers=cast.as_operator).status_code == 201


def test_mentors_are_found_by_skill(client: FlaskClient, cast: Cast) -> None:
    client.post("/mentor-profiles", json={"headline": "x", "skills": ["Go"]}, headers=cast.as_mentee)
    found = client.get("/mentors?skill=GO", headers=cast.as_stranger).json["items"]
    assert [mentor["skills"] for mentor in found] == [["go"]]
    assert len(client.get("/mentors", headers=cast.as_stranger).json["items"]) == 3
