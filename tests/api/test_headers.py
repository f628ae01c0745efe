"""Security headers and CORS: what every answer tells browsers, whichever route or refusal it comes from."""

from datetime import timedelta

import pytest

from api.http.headers import CLOSED_POLICY, EXPOSED_HEADERS
from tests import factories
from tests.api.conftest import Cast
from tests.api.links import signed
from tests.api.test_unsubscribing import link as unsubscribe_link
from tests.application import ApiResponse, World
from workflows.action_links.link import Action
from workflows.bookings.records import Booking

APP = "https://app.example.org"
OTHER = "https://evil.example.org"
CORS = "Access-Control-"
KEPT = "private, no-cache"


def fetch(world: World, cast: Cast, path: str, **options: str) -> ApiResponse:
    return world.client.open(path, headers=cast.as_mentee, **options)


def policy_of(answer: ApiResponse) -> dict[str, str]:
    """The answer's content security policy, by directive."""
    (policy,) = answer.headers.getlist("Content-Security-Policy")
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def addresses(cast: Cast, draft: Booking) -> dict[str, str]:
    """An address for each kind of answer."""
    return {
        "data": f"/bookings/{draft.id}",
        "a list": "/bookings",
        "a list that is kept": "/mentors",
        "a table": "/analytics/sessions?groupBy=day",
        "the documentation": "/api/docs",
        "its document": "/openapi.json",
        "its script": "/docs/assets/swagger-ui-bundle.js",
        "a page of its package": "/docs/assets/oauth2-redirect.html",
        "a redirect": "/",
        "a page that acts": signed(Action.ACCEPT, draft.id, cast.mentor.user_id),
        "a page that does not": "/act/no-such-link",
        "unsubscribing": unsubscribe_link(cast),
        "a calendar": "/calendar/no-such-secret.ics",
        "no route": "/nowhere",
        "an id that is none": "/bookings/no-id",
        "another's": f"/users/{cast.stranger.id}",
        "a query that does not fit": "/bookings?limit=0",
        "health": "/health/live",
        "metrics": "/metrics",
    }


def test_every_answer_is_closed_to_browsers(world: World, cast: Cast, draft: Booking) -> None:
    for kind, path in addresses(cast, draft).items():
        for method in ("GET", "HEAD", "OPTIONS", "DELETE", "BREW"):
            answer = fetch(world, cast, path, method=method)
            assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"], (kind, method)
            assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"], (kind, method)
            assert answer.headers.getlist("Cross-Origin-Resource-Policy") == ["same-origin"], (kind, method)
            assert len(answer.headers.getlist("Cache-Control")) == 1, (kind, method)
            policy = policy_of(answer)
            assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == (("'none'",) * 3), kind
            assert "unsafe" not in policy.get("script-src", "") + policy.get("form-action", ""), kind
            if answer.mimetype != "text/html":
                assert answer.headers["Content-Security-Policy"] == CLOSED_POLICY, kind
            assert not [name for name, _ in answer.headers if name.startswith(CORS)], kind
            assert "Strict-Transport-Security" not in answer.headers


def test_refusals_of_credentials_and_bodies_are_closed_too(world: World, cast: Cast) -> None:
    answers = [
        world.client.get("/me"),
        world.client.post("/bookings", data=b"{", content_type="application/json", headers=cast.as_mentee),
        world.client.post("/bookings", data=b"x" * 300_000, content_type="application/json", headers=cast.as_mentee),
        world.client.post("/bookings", data=b"x", content_type="text/plain", headers=cast.as_mentee),
        world.client.post("/users", json={}, headers=cast.as_mentee),
    ]
    assert [each.status_code for each in answers] == [401, 400, 413, 415, 403]
    for answer in answers:
        assert answer.headers["Content-Security-Policy"] == CLOSED_POLICY
        assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")


def test_only_what_is_the_same_for_many_is_kept(world: World, cast: Cast, draft: Booking) -> None:
    course = f"/listings/{cast.listing.id}"
    day = factories.next_slot()
    period = f"from={day:%Y-%m-%dT00:00:00Z}&to={day + timedelta(days=1):%Y-%m-%dT00:00:00Z}&durationMinutes=60"
    kept = {"/mentors", f"/mentors/{cast.mentor.id}", "/skills", "/courses", "/listings", course, "/openapi.json"}
    kept |= {f"/mentors/{cast.mentor.id}/reviews", f"/mentors/{cast.mentor.id}/slots?{period}", "/docs"}
    private = {f"/bookings/{draft.id}", "/bookings", "/me", "/notifications", "/sessions/mentee/my-sessions"}
    private |= {"/notification-preferences", "/bundles", "/reviews/permits", "/group-sessions", "/nowhere"}
    for path in kept:
        assert (fetch(world, cast, path).headers["Cache-Control"], path) == (KEPT, path)
    for path in private:
        assert (fetch(world, cast, path).headers["Cache-Control"], path) == ("no-store", path)
    assert world.client.get("/mentors").headers["Cache-Control"] == "no-store", "a refusal"


def test_browsers_are_bound_to_tls_where_there_is_some(world: World, cast: Cast) -> None:
    def sent(**chosen: object) -> str | None:
        answer = World.on(world.engine, **chosen).client.get("/me", headers=cast.as_mentee)
        return answer.headers.get("Strict-Transport-Security")

    assert sent(public_url="https://api.example.org") == "max-age=31536000"
    assert sent(public_url="https://api.example.org", hsts_seconds=300) == "max-age=300"
    assert sent(public_url="https://api.example.org", hsts_seconds=0) is None
    assert sent(public_url="http://127.0.0.1:8000") is None


@pytest.fixture
def shared(world: World) -> World:
    return World.on(world.engine, cors_origins=(APP,))


def preflight(world: World, path: str, origin: str, method: str = "PATCH") -> ApiResponse:
    asked = {"Origin": origin, f"{CORS}Request-Method": method, f"{CORS}Request-Headers": "authorization,if-match"}
    return world.client.options(path, headers=asked)


def test_no_origin_is_admitted_by_default(world: World, cast: Cast, draft: Booking) -> None:
    for answer in (
        world.client.get(f"/bookings/{draft.id}", headers=cast.as_mentee | {"Origin": APP}),
        preflight(world, f"/bookings/{draft.id}", APP),
    ):
        assert answer.status_code == 200
        assert not [name for name, _ in answer.headers if name.startswith(CORS)]
        assert "Origin" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize("path", ["/bookings", "/api/me", "/nowhere", "/bookings/{draft}/accept"])
def test_a_listed_origin_is_answered_before_credentials(shared: World, draft: Booking, path: str) -> None:
    answer = preflight(shared, path.format(draft=draft.id), APP)
    assert (answer.status_code, answer.data, "Content-Type" in answer.headers) == (204, b"", False)
    assert answer.headers[f"{CORS}Allow-Origin"] == APP
    assert "PATCH" in answer.headers[f"{CORS}Allow-Methods"].split(", ")
    accepted = {name.lower() for name in answer.headers[f"{CORS}Allow-Headers"].split(", ")}
    assert {"authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "prefer"} <= accepted
    assert "x-user-id" not in accepted
    assert answer.headers[f"{CORS}Max-Age"] == "7200"
    assert f"{CORS}Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_answers_to_a_listed_origin_can_be_read(shared: World, cast: Cast, draft: Booking) -> None:
    for path, headers, status in (
        (f"/bookings/{draft.id}", cast.as_mentee, 200),
        ("/mentors", cast.as_mentee, 200),
        ("/me", {}, 401),
        ("/nowhere", cast.as_mentee, 404),
        (f"/users/{cast.stranger.id}", cast.as_mentee, 403),
        ("/docs/assets/swagger-ui.css", {}, 200),
    ):
        answer = shared.client.get(path, headers=headers | {"Origin": APP})
        assert (answer.status_code, answer.headers[f"{CORS}Allow-Origin"]) == (status, APP), path
        exposed = set(answer.headers[f"{CORS}Expose-Headers"].split(", "))
        assert {"ETag", "Location", "Retry-After", "RateLimit", "Idempotent-Replayed", "X-Request-Id", "Link"} < exposed
        # By which the component knows the API's time.
        assert "Date" in exposed
        assert any("Origin" in value.split(", ") for value in answer.headers.getlist("Vary")), path
    assert "Authorization" in ", ".join(
        shared.client.get("/mentors", headers=cast.as_mentee | {"Origin": APP}).headers.getlist("Vary")
    )


@pytest.mark.parametrize(
    "origin",
    [
        OTHER,
        "null",
        f"{APP}.evil.example",
        f"{APP}:8443",
        "http://app.example.org",
        f"{APP}/",
        "https://APP.example.org",
    ],
)
def test_other_origins_can_read_nothing(shared: World, cast: Cast, origin: str) -> None:
    answer = shared.client.get("/me", headers=cast.as_mentee | {"Origin": origin})
    assert answer.status_code == 200
    for refused in (answer, preflight(shared, "/me", origin), shared.client.get("/me", headers=cast.as_mentee)):
        assert not [name for name, _ in refused.headers if name.startswith(CORS)]
        # A cache in between keeps it apart from the answer to a listed one.
        assert "Origin" in refused.headers["Vary"]


def test_credentials_are_for_listed_origins_alone(world: World) -> None:
    trusting = World.on(world.engine, cors_origins=(APP,), cors_credentials=True)
    assert preflight(trusting, "/me", APP).headers[f"{CORS}Allow-Credentials"] == "true"
    assert f"{CORS}Allow-Credentials" not in preflight(trusting, "/me", OTHER).headers


def test_any_origin_may_be_admitted_without_credentials(world: World, cast: Cast) -> None:
    public = World.on(world.engine, cors_origins=("*",))
    for origin in (APP, OTHER):
        answer = public.client.get("/me", headers=cast.as_mentee | {"Origin": origin})
        assert (answer.headers[f"{CORS}Allow-Origin"], answer.headers.get("Vary")) == ("*", None)
        assert answer.headers[f"{CORS}Expose-Headers"] == EXPOSED_HEADERS
        assert preflight(public, "/me", origin).status_code == 204


def test_identity_headers_may_be_sent_where_they_are_believed(world: World) -> None:
    believing = World.on(world.engine, cors_origins=(APP,), identity_headers="open")
    assert "X-User-Id" in preflight(believing, "/me", APP).headers[f"{CORS}Allow-Headers"]


def test_options_without_a_preflight_names_the_methods(shared: World) -> None:
    answer = shared.client.options("/bookings", headers={"Origin": APP})
    assert (answer.status_code, "POST" in answer.headers["Allow"]) == (200, True)
