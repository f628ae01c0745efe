"""Documentation and mount: served from here, at the root and under /api alike."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from models.bookings import BOOKING_TRANSITIONS
from models.sessions import SESSION_TRANSITIONS
from tests.api.conftest import Cast


@pytest.mark.parametrize("page", ["/docs", "/api/docs"])
def test_swagger_ui_needs_nothing_from_the_internet(client: FlaskClient, page: str) -> None:
    answer = client.get(page)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    html = answer.get_data(as_text=True)
    links = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(links) == 3
    for link in [*links, *re.findall(r'url: "([^"]+)"', html)]:
        assert client.get(urljoin(page, link)).status_code == 200, link
        assert urljoin(page, link).startswith(page.removesuffix("docs")), link


def test_the_policy_of_swagger_ui_admits_its_own_script_alone(client: FlaskClient) -> None:
    answer = client.get("/api/docs")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    html = answer.get_data(as_text=True)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert re.search(r"<style|\son\w+=", html) is None


def test_the_door_leads_to_the_documentation(client: FlaskClient) -> None:
    assert client.get("/").headers["Location"] == "/docs"
    assert client.get("/api/").headers["Location"] == "/api/docs"


def test_both_mounts_are_the_same_application(client: FlaskClient, cast: Cast) -> None:
    for path in ("/me", "/mentors", f"/listings/{cast.listing.id}", "/openapi.json"):
        assert client.get(path, headers=cast.as_mentee).json == client.get(f"/api{path}", headers=cast.as_mentee).json
    made = client.post("/api/bookings", json=cast.wish(), headers=cast.as_mentee)
    assert made.headers["Location"] == f"/api/bookings/{made.json['id']}"
    assert client.get(made.headers["Location"], headers=cast.as_mentee).json == made.json


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)
    return answer.json


@pytest.mark.parametrize(
    ("area", "transitions"), [("Bookings", BOOKING_TRANSITIONS), ("Sessions", SESSION_TRANSITIONS)]
)
def test_life_cycles_have_every_step_that_there_is_and_no_other(
    document: dict[str, Any], area: str, transitions: dict[str, frozenset[str]]
) -> None:
    (described,) = (tag["description"] for tag in document["tags"] if tag["name"] == area)
    steps = set(re.findall(r"^\| `(\w+)` \| `(\w+)` \| \S", described, re.MULTILINE))
    assert steps == {(before, after) for before, follow in transitions.items() for after in follow}
    final = {before for before, follow in transitions.items() if not follow}
    (told,) = re.findall(r"[^.\n]+(?= are final)", described)
    assert set(re.findall(r"`(\w+)`", told)) == final


def test_every_session_route_has_examples(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters" or operation["tags"] != ["Sessions"]:
                continue
            for status, response in operation["responses"].items():
                if status == "304":
                    continue
                content = response["content"]["application/json"]
                assert {"example", "examples"} & set(content), (path, method, status)
            if "requestBody" in operation:
                assert "example" in operation["requestBody"]["content"]["application/json"], (path, method)


def test_every_route_lists_its_codes(document: dict[str, Any]) -> None:
    accept = document["paths"]["/bookings/{booking_id}/accept"]["patch"]["responses"]
    assert set(accept) == {"201", "202", "400", "401", "403", "404", "409", "412", "413", "415", "422", "500", "503"}
    assert set(accept["409"]["content"]["application/json"]["examples"]) == {"slot_taken", "key_in_use"}
    start = document["paths"]["/sessions/{session_id}/start"]["post"]["responses"]
    assert {"invalid_transition", "too_early"} <= set(start["400"]["content"]["application/json"]["examples"])
    assert {"not_found", "session_pending"} == set(start["404"]["content"]["application/json"]["examples"])


def test_credentials_are_described(document: dict[str, Any]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"bearer", "userId", "mentorProfileId"}
    assert document["paths"]["/health/live"]["get"]["security"] == []
    assert {"bearer": []} in document["paths"]["/bookings"]["post"]["security"]


# What a mail program asks for with one click (RFC 8058): it knows no headers of ours, and the step is the same twice.
BY_A_LINK = "/unsubscribe/{signed}"
# What everybody has one of, so that no id stands in its path.
ONES_OWN = ("/notification-preferences",)


def headers_of(operation: dict[str, Any]) -> set[str]:
    return {each["name"] for each in operation.get("parameters", []) if each["in"] == "header"}


def test_every_change_says_which_headers_it_understands(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method in operations.keys() & {"post", "patch", "put", "delete"}:
            if path == BY_A_LINK:
                continue
            known = headers_of(operations[method])
            assert "Idempotency-Key" in known, (method, path)
            assert ("If-Match" in known) == ("{" in path or path in ONES_OWN), (method, path)
    assert "Prefer" in headers_of(document["paths"]["/bookings"]["post"])
    assert "Prefer" in headers_of(document["paths"]["/bookings/{booking_id}/accept"]["patch"])


def test_what_has_a_tag_says_that_it_may_be_unchanged(document: dict[str, Any]) -> None:
    reading = {path: operations["get"] for path, operations in document["paths"].items() if "get" in operations}
    tagged = {path for path, operation in reading.items() if "304" in operation["responses"]}
    assert tagged >= {
        "/me",
        "/users/{user_id}",
        "/mentors/{mentor_profile_id}",
        "/listings/{listing_id}",
        "/bookings/{booking_id}",
        "/sessions/{session_id}",
        "/sessions/mentee/{session_id}",
        "/sessions/mentor/{session_id}",
    }
    assert all("If-None-Match" in headers_of(document["paths"][path]["get"]) for path in tagged)
