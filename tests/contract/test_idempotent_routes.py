"""Every route that changes something honours an Idempotency-Key, or stands here with the reason why not."""

import pytest
from flask import Response, request

from api.http.idempotency import IdempotentRequest
from tests.application import World
from tests.contract.permissions import PERMISSIONS, ROUTES, Route, as_documented
from tests.contract.scene import Scene
from tests.versions import UNTAGGED
from workflows.identity.actor import Actor

WITHOUT_KEY = {
    ("POST", "/unsubscribe/<signed>"): "to switch off twice is to switch off; mail programs send no headers (RFC 8058)",
    ("POST", "/payments/stripe"): "the reference of the money is confirmed once; Stripe sends no such header",
    ("POST", "/act/<signed>"): "the link itself is used up by the change, and a second form gets 410",
    ("POST", "/component/demo/token"): "nothing is stored, and each token is a new one",
    ("POST", "/component/telemetry"): "nothing is stored, and browsers send no headers of ours with a beacon",
}
CHANGES = [route for route in ROUTES if route[0] != "GET"]


@pytest.mark.parametrize("route", [route for route in CHANGES if route not in WITHOUT_KEY], ids=" ".join)
def test_a_change_made_before_is_answered_again(scene: Scene, scene_world: World, route: Route) -> None:
    method, rule = route
    permitted = next(who for who, may in PERMISSIONS[method, as_documented(rule)].items() if may == "yes")
    names = {
        "mentee": f"user:{scene.mentee.id}",
        "mentor": f"mentor:{scene.mentor.id}",
        "operator": "operator:operator-1",
    }
    sent = {"data": b"{}", "content_type": "application/json"}
    app, path, key = scene_world.app, scene.path(rule), f"{method} {rule}"
    with app.test_request_context(path, method=method, **sent), scene_world.engine.begin() as db:
        made = IdempotentRequest(request, Actor(name=names[permitted]), key)
        tag = {} if route in UNTAGGED else {"ETag": '"7"'}
        made.keep(db, Response('{"kept": true}', mimetype="application/json", headers=tag))
    headers = scene.callers[permitted] | {"Idempotency-Key": key}
    again = scene_world.client.open(f"/api{path}", method=method, headers=headers, **sent)
    assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (200, "true"), again.text
    assert again.json == {"kept": True}
    other = scene_world.client.open(path, method=method, headers=headers, query_string="x=1", **sent)
    assert (other.status_code, other.json["code"]) == (422, "key_reused")


def test_the_list_of_exceptions_is_short_and_true() -> None:
    assert WITHOUT_KEY.keys() <= set(CHANGES)
    assert not {(method, as_documented(rule)) for method, rule in WITHOUT_KEY} & PERMISSIONS.keys()
