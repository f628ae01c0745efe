"""Who may do what: every route, requested by every kind of caller, as docs/permissions.md has it."""

import ast
from pathlib import Path

import pytest

from api.routes.declaration import declaration_of
from cli.plan import ROOT
from tests.api.conftest import nothing_written
from tests.application import ApiResponse, World, template_app
from tests.contract.permissions import CALLERS, OPEN, PERMISSIONS, ROUTES, Route, as_documented
from tests.contract.scene import PARAMETER, PUBLISHABLE_KEY, Headers, Scene
from workflows.identity import access

GUARDED = [route for route in ROUTES if (route[0], as_documented(route[1])) not in OPEN]
OF_VISITORS = [route for route in GUARDED if PERMISSIONS[route[0], as_documented(route[1])]["visitor"] == "yes"]
UNKNOWN = "0190a1b2-0000-7000-8000-00000000dead"
# What a permitted caller sends so that nothing is changed: a version that nothing has, and a body that is no JSON.
NO_VERSION: Headers = {"If-Match": '"none"'}
# Queries without which a permitted caller gets 400.
PERIOD = "from=2030-05-04T00:00:00Z&to=2030-05-05T00:00:00Z&durationMinutes=60"
QUERIES = {
    "/mentors/<id:mentor_profile_id>/slots": PERIOD,
    "/courses/<id:course_id>/slots": PERIOD,
    # Refused before the lines, which no route else takes.
    "/imports": "dryRun=perhaps",
    "/analytics/availability": "mentorProfileId={mentor_profile_id}",
    "/streams/availability": "mentorProfileId={mentor_profile_id}",
}


def request(world: World, method: str, path: str, headers: Headers, query: str = "") -> ApiResponse:
    body = {} if method == "GET" else {"data": b"{", "content_type": "application/json"}
    return world.client.open(path, method=method, headers=headers, query_string=query, **body)


def test_the_tables_and_the_application_have_the_same_routes() -> None:
    built = {(method, as_documented(rule)) for method, rule in ROUTES}
    assert built == PERMISSIONS.keys() | OPEN
    assert not PERMISSIONS.keys() & OPEN


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_only_those_may_who_stand_in_the_table(scene: Scene, scene_world: World, route: Route) -> None:
    method, rule = route
    query = QUERIES.get(rule, "").format(**scene.ids)
    with nothing_written(scene_world.engine):
        found = {}
        for who, headers in scene.callers.items():
            answer = request(scene_world, method, scene.path(rule), headers | NO_VERSION, query)
            found[who] = _verdict(route, answer)
        assert found == PERMISSIONS[method, as_documented(rule)]


def _verdict(route: Route, answer: ApiResponse) -> str:
    if answer.status_code == 401:
        assert answer.json["code"] == "unauthenticated"
        return "401"
    if answer.status_code in (403, 404):
        assert answer.json["code"] in ("forbidden", "not_found")
        return "no" if answer.status_code == 403 else "404"
    method, rule = route
    if method == "GET":
        assert answer.status_code in (200, 307), answer.text
    else:
        # If-Match comes before the body, and every change of what a path names honours it.
        refused = (412, "stale") if "<" in rule or method == "DELETE" else (400, "invalid_request")
        assert (answer.status_code, answer.json["code"]) == refused, answer.text
    return "yes"


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_without_credentials_that_hold_nothing_is_seen(scene: Scene, scene_world: World, route: Route) -> None:
    (method, rule), there = route, scene.path(route[1])
    elsewhere = {f"/api{there}", PARAMETER.sub(UNKNOWN, rule), PARAMETER.sub("no-id", rule)} - {there}
    asked = [(there, headers) for headers in scene.strangers.values()] + [(path, {}) for path in elsewhere]
    for path, headers in asked:
        answer = request(scene_world, method, path, headers)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated"), (path, headers)


@pytest.mark.parametrize("route", sorted(set(ROUTES) - set(GUARDED)), ids=" ".join)
def test_open_routes_ask_for_no_credentials(scene: Scene, scene_world: World, route: Route) -> None:
    method, rule = route
    # A made-up address of a calendar, or in a mail, is no credential.
    expected = (404,) if "<s" in rule else (200, 302) if method == "GET" else (400, 404)
    for headers in ({}, *scene.strangers.values(), *scene.callers.values()):
        assert request(scene_world, method, scene.path(rule), headers).status_code in expected


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_an_open_catalogue_shows_what_a_publishable_key_does(scene: Scene, open_world: World, route: Route) -> None:
    method, rule = route
    query = QUERIES.get(rule, "").format(**scene.ids)
    without = request(open_world, method, scene.path(rule), {}, query)
    assert _verdict(route, without) == PERMISSIONS[method, as_documented(rule)]["visitor"]
    # Credentials that do not hold are refused all the same, so that a page notices that its token has expired.
    expired = request(open_world, method, scene.path(rule), scene.strangers["expired token"], query)
    assert expired.status_code == 401


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_a_key_in_the_query_opens_the_same(scene: Scene, scene_world: World, route: Route) -> None:
    method, rule = route
    query = f"{QUERIES.get(rule, '').format(**scene.ids)}&key={PUBLISHABLE_KEY}"
    answer = request(scene_world, method, scene.path(rule), {}, query)
    assert _verdict(route, answer) == PERMISSIONS[method, as_documented(rule)]["visitor"]


def test_visitors_read_what_every_user_reads_and_change_nothing() -> None:
    for (method, rule), cells in PERMISSIONS.items():
        if cells["visitor"] == "yes":
            assert method == "GET", rule
            assert set(cells.values()) == {"yes"}, rule


@pytest.mark.parametrize("route", OF_VISITORS, ids=" ".join)
def test_visitors_see_what_other_users_see(scene: Scene, scene_world: World, route: Route) -> None:
    method, rule = route
    query = QUERIES.get(rule, "").format(**scene.ids)
    visitors, users = (
        request(scene_world, method, scene.path(rule), scene.callers[who], query) for who in ("visitor", "other user")
    )
    assert visitors.data == users.data


def test_every_kind_of_caller_is_in_the_scene(scene: Scene) -> None:
    assert tuple(scene.callers) == CALLERS


def test_guards_of_routes_stand_in_one_module() -> None:
    app, guarded = template_app(), {rule for _method, rule in GUARDED}
    for rule in app.url_map.iter_rules():
        if rule.rule in guarded:
            subject = declaration_of(app.view_functions[rule.endpoint]).subject
            guard = subject and subject.access
            assert guard is None or guard.__module__ == access.__name__, rule


def test_callers_are_refused_in_one_module_alone() -> None:
    raised = []
    for package in ("api", "workflows"):
        for path in sorted((ROOT / package).rglob("*.py")):
            calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
            if any(isinstance(call.func, ast.Name) and call.func.id == "Forbidden" for call in calls):
                raised.append(path.relative_to(ROOT))
    assert raised == [Path(access.__file__).relative_to(ROOT)]
