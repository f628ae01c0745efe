"""Which answers carry no ETag: every other single resource, read or changed, has one."""

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

# What GET answers that is no list, and yet no resource of its own.
UNVERSIONED = {
    "/sessions/<id:session_id>/cancellation-quote": "what it would cost at this moment",
    "/webhook-endpoints/<id:endpoint_id>/secret": "nothing of a secret stands in a header; the endpoint has a tag",
    "/me/export": "everything of a person, sent as it is read",
    "/push-subscriptions/key": "the server's, and the same for all",
    "/notifications/unread-count": "a number of the moment",
    "/operations/summary": "numbers of the moment",
    "/operations/notification-kinds": "a short list, whole",
    "/operations/invariants": "numbers of the moment",
    "/analytics/conversion": "a report",
    "/analytics/sessions": "a report",
    "/analytics/transition-times": "a report",
    "/analytics/availability": "a report",
    "/health/live": "for monitors",
    "/health/ready": "for monitors",
    "/metrics": "for monitors",
    "/act/<signed>": "a page",
    "/unsubscribe/<signed>": "a page",
    "/": "a redirect",
}
# Answers to changes that are no single resource.
UNTAGGED = {
    ("POST", "/series/<id:series_id>/cancel"): "what was cancelled and what was not",
    ("POST", "/sessions/<id:session_id>/attendance"): "a list",
    ("POST", "/group-session-templates/<id:template_id>/schedule"): "what was made and what was not",
    ("POST", "/group-sessions/<id:booking_id>/waitlist"): "a place in a line, which moves without the caller",
    ("POST", "/notifications/read-all"): "a number",
    ("POST", "/calendar/secret"): "a secret",
    ("POST", "/webhook-endpoints/<id:endpoint_id>/secret/rotate"): "a secret",
    ("POST", "/webhook-endpoints/<id:endpoint_id>/ping"): "a message on its way",
    ("POST", "/webhook-endpoints/<id:endpoint_id>/example"): "a message on its way",
    ("POST", "/webhook-endpoints/<id:endpoint_id>/recover"): "a number",
    ("POST", "/operations/deliveries/retry"): "a number",
    ("POST", "/payments/<id:payment_id>/checkout"): "the address of a page",
    ("POST", "/payments/stripe"): "that it was taken",
    ("POST", "/component/demo/token"): "a secret",
    ("POST", "/act/<signed>"): "a page",
    ("POST", "/unsubscribe/<signed>"): "a page",
}


def require_tag(app: Flask, answer: TestResponse) -> None:
    """Fail where a change was answered with a resource that has no ETag."""
    request = answer.request
    if request.method in ("GET", "HEAD", "OPTIONS") or answer.status_code not in (200, 201, 202):
        return
    path = request.path.removeprefix("/api")
    try:
        rule, _arguments = app.url_map.bind("localhost").match(path, request.method, return_rule=True)
    except HTTPException:
        return
    is_tagged, is_exempt = "ETag" in answer.headers, (request.method, rule.rule) in UNTAGGED
    assert is_tagged != is_exempt, f"{request.method} {rule.rule}: {dict(answer.headers)}"
