"""Every single resource has an ETag, read without one statement more; every change honours If-Match.

That a change of another version is 412 stands in test_permissions.py, for every route whose path names something.
"""

from typing import Any

import pytest

from tests.application import World, openapi_document
from tests.contract.permissions import PERMISSIONS, ROUTES, Route, as_documented
from tests.contract.scene import Scene
from tests.contract.test_permissions import QUERIES
from tests.statements import statements_of
from tests.versions import UNTAGGED, UNVERSIONED

READ = [route for route in ROUTES if route[0] == "GET" and (route[0], as_documented(route[1])) in PERMISSIONS]


def ones_own() -> dict[Route, Any]:
    """The changes of what is the caller's alone, so that the path names nothing, each with an example of its body."""
    return {
        (method.upper(), path): operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for path, operations in openapi_document()["paths"].items()
        for method, operation in operations.items()
        if "{" not in path and any(each["name"] == "If-Match" for each in operation.get("parameters", []))
    }


ONES_OWN = ones_own()


def permitted(scene: Scene, route: Route) -> dict[str, str]:
    cells = PERMISSIONS[route[0], as_documented(route[1])]
    return next(scene.callers[who] for who, may in cells.items() if may == "yes")


@pytest.mark.parametrize("route", READ, ids=" ".join)
def test_a_single_resource_has_a_tag(scene: Scene, scene_world: World, route: Route) -> None:
    rule, headers = route[1], permitted(scene, route)
    path, query = scene.path(rule), QUERIES.get(rule, "").format(**scene.ids)
    with statements_of(scene_world.engine) as first:
        answer = scene_world.client.get(path, query_string=query, headers=headers)
    if rule in UNVERSIONED:
        assert "ETag" not in answer.headers
        return
    if answer.status_code == 307 or ("ETag" not in answer.headers and "items" in answer.json):
        return
    held = headers | {"If-None-Match": answer.headers["ETag"]}
    with statements_of(scene_world.engine) as second:
        again = scene_world.client.get(path, query_string=query, headers=held)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert len(second.statements) <= len(first.statements)


@pytest.mark.parametrize("route", ONES_OWN, ids=" ".join)
def test_a_change_of_ones_own_honours_if_match(scene: Scene, scene_world: World, route: Route) -> None:
    method, path = route
    headers = permitted(scene, route) | {"If-Match": '"none"'}
    answer = scene_world.client.open(path, method=method, json=ONES_OWN[route].get("example"), headers=headers)
    assert (answer.status_code, answer.json["code"]) == (412, "stale")


def test_what_is_ones_own_is_known() -> None:
    assert ONES_OWN.keys() >= {("PATCH", "/me"), ("DELETE", "/me"), ("PUT", "/notification-preferences")}


def test_what_has_no_tag_is_a_route() -> None:
    rules = {rule for _method, rule in ROUTES}
    assert rules >= UNVERSIONED.keys()
    assert set(ROUTES) >= UNTAGGED.keys()
