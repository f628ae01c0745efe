"""Who may follow which stream, from where, and how many at a time."""

from collections.abc import Iterator
from http.client import HTTPConnection
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from api.http.headers import CLOSED_POLICY
from config.limits import RateLimit, TrustedProxies
from tests.api.conftest import Cast
from tests.api.streaming import SECONDS, Streams, availability, serving
from tests.application import World, as_user, bearer, token
from tests.eventually import eventually


@pytest.fixture
def streams(world: World) -> Iterator[Streams]:
    with serving(world) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "who", "refusal"),
    [
        ("/streams/sessions", {}, (401, "unauthenticated")),
        ("/streams/sessions", "operator", (403, "forbidden")),
        ("/streams/availability", "mentee", (400, "invalid_request")),
        ("/streams/availability?mentorProfileId=1", "mentee", (400, "invalid_request")),
        (f"/streams/availability?mentorProfileId={UUID(int=7)}", "mentee", (404, "not_found")),
        ("/streams/others", "mentee", (404, "not_found")),
    ],
)
def test_refusals_have_the_shape_of_every_error(
    streams: Streams, cast: Cast, path: str, who: str, refusal: tuple[int, str]
) -> None:
    headers = getattr(cast, f"as_{who}") if who else {}
    assert streams.open(path, headers).error() == refusal


def test_staff_follow_the_sessions_of_a_person(streams: Streams, cast: Cast) -> None:
    named = {"On-Behalf-Of": str(cast.mentee.id)}
    followed = streams.open("/streams/sessions", cast.as_operator | named)
    assert followed.response.getheader("On-Behalf-Of") == str(cast.mentee.id)
    assert followed.next().name == "snapshot"
    followed.close()
    assert streams.open("/streams/sessions", cast.as_mentor | named).error() == (403, "forbidden")
    unknown = {"On-Behalf-Of": "external:nobody"}
    assert streams.open("/streams/sessions", cast.as_operator | unknown).error() == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/streams/sessions", 405, "GET, OPTIONS"),
        ("PUT", "/api/streams/availability", 405, "GET, OPTIONS"),
        ("OPTIONS", "/streams/sessions", 200, "GET, OPTIONS"),
        ("POST", "/streams/others", 404, None),
    ],
)
def test_other_methods_are_answered_with_those_allowed(
    streams: Streams, cast: Cast, method: str, path: str, status: int, allow: str | None
) -> None:
    connection = HTTPConnection("127.0.0.1", streams.port, timeout=SECONDS)
    connection.request(method, path, headers=cast.as_mentee)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Allow")) == (status, allow)
    connection.close()


def test_the_sixth_connection_of_a_user_is_refused(streams: Streams, cast: Cast) -> None:
    clients = [streams.open("/streams/sessions", cast.as_mentee) for _ in range(5)]
    for client in clients:
        client.next()
    assert streams.open("/streams/sessions", cast.as_mentee).error() == (429, "rate_limited")
    assert streams.open("/streams/sessions", cast.as_stranger).next().name == "snapshot"
    clients[0].close()
    eventually(lambda: streams.open("/streams/sessions", cast.as_mentee).response.status == 200, "a free place")


def test_staff_take_none_of_the_persons_connections(streams: Streams, cast: Cast) -> None:
    acting = {**cast.as_operator, "On-Behalf-Of": str(cast.mentee.id)}
    clients = [streams.open("/streams/sessions", acting) for _ in range(5)]
    assert [client.next().name for client in clients] == ["snapshot"] * 5
    assert streams.open("/streams/sessions", acting).error() == (429, "rate_limited")
    assert streams.open("/streams/sessions", cast.as_mentee).next().name == "snapshot"


def test_streams_are_counted_as_requests_are(world: World, cast: Cast) -> None:
    limits = {"rate_limit_caller": RateLimit(2, 60), "rate_limit_auth_failures": RateLimit(1, 60)}
    counted = World.on(world.engine, redis_url="", trusted_proxies=TrustedProxies(hops=1), **limits)
    unknown = as_user(UUID(int=7)) | {"X-Forwarded-For": "203.0.113.7"}
    with serving(counted) as streams:
        for _ in range(2):
            streams.open("/streams/sessions", cast.as_mentee).next()
        refused = streams.open("/streams/sessions", cast.as_mentee)
        assert refused.response.getheader("RateLimit-Policy") == '"caller";q=2;w=60'
        assert 0 < int(refused.response.getheader("Retry-After") or 0) <= 60
        assert refused.error() == (429, "rate_limited")
        assert streams.open("/streams/sessions", unknown).error() == (401, "unauthenticated")
        assert streams.open("/streams/sessions", unknown).error() == (429, "rate_limited")
        elsewhere = as_user(UUID(int=8)) | {"X-Forwarded-For": "203.0.113.8"}
        assert streams.open("/streams/sessions", elsewhere).error() == (401, "unauthenticated")


def test_a_stream_ends_with_its_token(world: World, cast: Cast) -> None:
    claims = {"sub": str(cast.mentee.id)}
    with serving(World.on(world.engine, jwt_leeway_seconds=0)) as streams:
        short = {"Authorization": f"Bearer {token(claims, lifetime=2)}"}
        client = streams.open("/streams/sessions", short)
        seen = client.next()
        assert seen.name == "snapshot"
        while line := client.response.readline():
            assert line != b": hb\n"
        assert streams.open("/streams/sessions", short).error() == (401, "unauthenticated")
        assert streams.open("/streams/sessions", bearer(claims), seen.id).response.status == 200


def test_the_api_redirects_to_live_updates(world: World, cast: Cast) -> None:
    assert world.client.get("/streams/sessions", headers=cast.as_mentee).status_code == 404
    there = World.on(world.engine, streams_url="http://127.0.0.1:8001/")
    answer = there.client.get(f"/api{availability(cast)}", headers=cast.as_mentee)
    assert (answer.status_code, answer.location) == (307, f"http://127.0.0.1:8001{availability(cast)}")
    document = there.client.get("/openapi.json").json
    for path in ("/streams/availability", "/streams/sessions"):
        shared = document["paths"][path]["get"]["responses"]["307"]["$ref"].rpartition("/")[2]
        assert "Location" in document["components"]["responses"][shared]["headers"]


def test_every_answer_is_closed_to_browsers(streams: Streams, cast: Cast) -> None:
    for path, headers in (("/streams/sessions", cast.as_mentee), ("/streams/sessions", {}), ("/nowhere", {})):
        client = streams.open(path, headers)
        sent = client.response.headers
        assert sent.get_all("Content-Security-Policy") == [CLOSED_POLICY]
        assert (sent["X-Content-Type-Options"], sent["Cache-Control"], sent["Server"]) == ("nosniff", "no-store", None)
        assert sent["Access-Control-Allow-Origin"] is None
        client.close()


def test_listed_origins_may_follow(world: World, cast: Cast) -> None:
    app = "https://app.example.org"
    with serving(World.on(world.engine, cors_origins=(app,))) as shared:
        for origin, allowed in ((app, app), ("https://evil.example.org", None)):
            client = shared.open("/streams/sessions", cast.as_mentee | {"Origin": origin})
            assert client.response.getheader("Access-Control-Allow-Origin") == allowed
            assert client.response.getheader("Vary") == "Origin"
            client.close()
            connection = HTTPConnection("127.0.0.1", shared.port, timeout=SECONDS)
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            connection.request("OPTIONS", "/api/streams/sessions", headers=asked)
            answer = connection.getresponse()
            assert answer.getheader("Access-Control-Allow-Origin") == allowed
            assert answer.status == (204 if allowed else 200)
            assert ("Last-Event-ID" in (answer.getheader("Access-Control-Allow-Headers") or "")) == bool(allowed)
            connection.close()


def test_visitors_follow_availability_alone(world: World, cast: Cast) -> None:
    key = "tpk_" + "0123456789abcdefABCDEFGH"
    by_key = {"Authorization": f"Bearer {key}"}
    chosen = {"publishable_keys": (key,), "streams_per_visitor": 2, "trusted_proxies": TrustedProxies(hops=1)}
    with serving(World.on(world.engine, **chosen)) as streams:
        assert streams.open("/streams/sessions", by_key).error() == (401, "unauthenticated")
        open_here = [streams.open(availability(cast), by_key | {"X-Forwarded-For": "192.0.2.1"}) for _ in range(2)]
        assert [client.next().name for client in open_here] == ["snapshot", "snapshot"]
        third = streams.open(availability(cast), by_key | {"X-Forwarded-For": "192.0.2.1"})
        assert third.error() == (429, "rate_limited")
        # In the query, it is the same key.
        by_query = f"{availability(cast)}&key={key}"
        assert streams.open(by_query, {"X-Forwarded-For": "192.0.2.1"}).error() == (429, "rate_limited")
        elsewhere = streams.open(by_query, {"X-Forwarded-For": "192.0.2.2"})
        assert elsewhere.next().name == "snapshot"
        assert streams.open(f"{by_query}x", {}).error() == (401, "unauthenticated")
        assert streams.open(by_query, cast.as_mentee).error() == (400, "invalid_request")
        assert streams.open(f"/streams/sessions?key={key}", {}).error() == (401, "unauthenticated")
        for client in (*open_here, elsewhere):
            client.close()


def test_an_open_catalogue_is_followed_without_credentials(world: World, cast: Cast) -> None:
    with serving(World.on(world.engine, open_catalogue=True)) as streams:
        client = streams.open(availability(cast), {})
        assert client.next().name == "snapshot"
        client.close()
        assert streams.open("/streams/sessions", {}).error() == (401, "unauthenticated")


def test_pages_of_the_api_may_follow_at_another_address(world: World, cast: Cast) -> None:
    chosen = {"streams_url": "http://127.0.0.1:8001", "public_url": "http://127.0.0.1:8000/booking"}
    with serving(World.on(world.engine, **chosen)) as streams:
        for origin, allowed in (("http://127.0.0.1:8000", "http://127.0.0.1:8000"), ("http://127.0.0.1:9", None)):
            client = streams.open(availability(cast), cast.as_mentee | {"Origin": origin})
            assert client.response.getheader("Access-Control-Allow-Origin") == allowed
            client.close()


def test_a_stream_leaves_one_line_when_it_ends(world: World, cast: Cast) -> None:
    with capture_logs() as lines, serving(world) as streams:
        client = streams.open("/streams/sessions?name=Ada", cast.as_mentee | {"X-Request-Id": "the-stream"})
        client.next()
        client.close()
    (line,) = [line for line in lines if line["event"] == "request"]
    named = {"method": "GET", "route": "/streams/sessions", "status": 200, "request_id": "the-stream"}
    assert line == named | {
        **{"event": "request", "log_level": "info", "actor": f"user:{cast.mentee.id}"},
        **{"duration_ms": line["duration_ms"]},
    }
