"""Visitors: publishable keys of web pages, and an open catalogue; how they are distinguished, counted and refused."""

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from config.limits import RateLimit, TrustedProxies
from tests.api.conftest import Cast
from tests.application import World

KEY, OTHER_KEY = "tpk_" + "0123456789abcdefABCDEFGH", "tpk_" + "HGFEDCBAfedcba9876543210"


def world_of(engine: Engine, *, open_catalogue: bool = False, **limits: int) -> World:
    """An application with two publishable keys, which counts alone; it has the given limits and no others."""
    counted = {f"rate_limit_{name}": RateLimit(amount, 60) for name, amount in limits.items()}
    chosen = {"publishable_keys": (KEY, OTHER_KEY), "open_catalogue": open_catalogue, **counted}
    return World.on(engine, redis_url="", trusted_proxies=TrustedProxies(hops=1), **chosen)


def by(key: str, address: str = "192.0.2.1") -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}


def test_a_key_counts_by_address_and_in_all(engine: Engine) -> None:
    world = world_of(engine, visitor=2, key=3, caller=1, address=100)
    answers = [world.client.get("/mentors", headers=by(KEY)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"visitor";q=2;w=60, "key";q=3;w=60, "address";q=100;w=60'
    # Another site's visitors at the same address, and the same site's elsewhere.
    assert world.client.get("/mentors", headers=by(OTHER_KEY)).status_code == 200
    elsewhere = [world.client.get("/mentors", headers=by(KEY, "192.0.2.2")).status_code for _ in range(2)]
    assert elsewhere == [200, 429]


def test_a_key_in_the_query_counts_like_the_header(engine: Engine) -> None:
    world = world_of(engine, visitor=2, key=3, address=100)
    here = {"X-Forwarded-For": "192.0.2.1"}
    by_query = world.client.get(f"/mentors?limit=1&key={KEY}", headers=here)
    assert (by_query.status_code, by_query.headers["RateLimit"].partition(";t=")[0]) == (200, '"visitor";r=1')
    assert by_query.headers["RateLimit-Policy"] == '"visitor";q=2;w=60, "key";q=3;w=60, "address";q=100;w=60'
    by_header = world.client.get("/mentors?limit=1", headers=by(KEY))
    assert (by_header.data, by_header.headers["ETag"]) == (by_query.data, by_query.headers["ETag"])
    assert world.client.get(f"/skills?key={KEY}", headers=here).status_code == 429


@pytest.mark.parametrize("path", ["/mentors", "/mentors/{mentor}", "/listings/{listing}"])
def test_one_credential_is_enough(engine: Engine, cast: Cast, path: str) -> None:
    client, path = world_of(engine).client, path.format(mentor=cast.mentor.id, listing=cast.listing.id)
    assert client.get(f"{path}?key={KEY}", headers=by(KEY)).status_code == 200
    for query, headers in (
        (f"key={KEY}", by(OTHER_KEY)),
        (f"key={KEY}", cast.as_mentee),
        (f"key={KEY}", {"X-User-Id": str(cast.mentee.id)}),
        (f"key={KEY}&key={OTHER_KEY}", {}),
        (f"key={KEY}&key={KEY}", {}),
    ):
        answer = client.get(f"{path}?{query}", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_request"), (query, headers)
        assert list(answer.json["details"]) == ["key"]


def test_a_key_in_the_query_reads_the_catalogue_alone(engine: Engine, cast: Cast) -> None:
    client = world_of(engine).client
    for path in ("/me", "/bookings", f"/sessions/{cast.listing.id}", "/nowhere"):
        assert client.get(f"{path}?key={KEY}").status_code == (404 if path == "/nowhere" else 401)
    # There, it is a parameter like any other.
    answer = client.get(f"/bookings?key={KEY}", headers=cast.as_mentee)
    assert (answer.status_code, list(answer.json["details"])) == (400, ["key"])


def test_refused_keys_count_as_refused_credentials(engine: Engine) -> None:
    world = world_of(engine, auth_failures=2)
    here = {"X-Forwarded-For": "192.0.2.1"}
    in_query = world.client.get(f"/mentors?key={KEY}x", headers=here)
    assert (in_query.status_code, in_query.json["code"]) == (401, "unauthenticated")
    found = [world.client.get("/mentors", headers=by(f"{KEY}x")).status_code for _ in range(2)]
    assert found == [401, 429]
    assert world.client.get("/mentors?key=", headers=here).status_code == 429
    # Valid ones are never refused for that.
    assert world.client.get("/mentors", headers=by(KEY)).status_code == 200


def test_a_key_that_is_no_more_is_refused_everywhere(engine: Engine) -> None:
    world = World.on(engine)
    answer = world.client.get("/mentors", headers=by(KEY))
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_an_open_catalogue_counts_its_reads_alone(engine: Engine) -> None:
    world = world_of(engine, open_catalogue=True, visitor=1, address=100)
    here = {"X-Forwarded-For": "192.0.2.1"}
    assert [world.client.get("/skills", headers=here).status_code for _ in range(2)] == [200, 429]
    # Pages without credentials are no reads of the catalogue.
    page = world.client.get("/docs", headers=here)
    assert (page.status_code, page.headers["RateLimit-Policy"]) == (200, '"address";q=100;w=60')
    refused = world.client.get("/me", headers=here)
    assert (refused.status_code, refused.headers["RateLimit-Policy"]) == (401, '"address";q=100;w=60')


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_visitors_change_nothing(engine: Engine, cast: Cast, method: str) -> None:
    client = world_of(engine, open_catalogue=True).client
    for path in ("/listings", f"/listings/{cast.listing.id}", "/bookings", f"/mentors/{cast.mentor.id}/holds"):
        for headers in ({}, by(KEY)):
            assert client.open(path, method=method, headers=headers, json={}).status_code in (401, 405), path


def test_the_log_names_a_key_by_its_beginning(engine: Engine) -> None:
    world = world_of(engine, open_catalogue=True)
    with capture_logs() as lines:
        world.client.get("/mentors", headers=by(KEY))
        world.client.get(f"/mentors?key={KEY}")
        world.client.get("/mentors")
    assert [line["status"] for line in lines if line["event"] == "request"] == [200, 200, 200]
    assert KEY not in str(lines)


def test_a_gateway_that_names_no_caller_brings_visitors(engine: Engine) -> None:
    secret = "what the gateway sends, and nothing else does"
    chosen = {"identity_headers": "gateway", "gateway_secret": secret, "open_catalogue": True}
    client, gateway = World.on(engine, **chosen).client, {"X-Gateway-Secret": secret}
    assert client.get("/mentors", headers=gateway).status_code == 200
    assert client.get("/me", headers=gateway).status_code == 401


def test_pages_of_listed_origins_may_send_a_key(engine: Engine) -> None:
    world = World.on(engine, publishable_keys=(KEY,), cors_origins=("https://site.example",))
    asked = {"Origin": "https://site.example", "Access-Control-Request-Method": "GET"}
    preflight = world.client.options("/mentors", headers={**asked, "Access-Control-Request-Headers": "authorization"})
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert preflight.headers["Access-Control-Max-Age"] == "7200"
    origin = {"Origin": "https://site.example"}
    # In the query, no preflight request comes before it.
    for answer in (
        world.client.get("/mentors", headers=by(KEY) | origin),
        world.client.get(f"/mentors?key={KEY}", headers=origin),
        world.client.get(f"/mentors?key={KEY}x", headers=origin),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://site.example"
