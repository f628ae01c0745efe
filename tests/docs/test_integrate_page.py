"""The page that a marketplace's developer follows, run from top to bottom against a running system."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from django import setup
from django.conf import settings
from django.test import RequestFactory
from django.utils.module_loading import import_string

from tests.cli.running import tutelage_up
from tests.docs.pages import DOCS, blocks
from tests.eventually import eventually
from tests.receivers import HttpReceiver, http_receiver

PAGE = DOCS / "integrate.md"
SECRET = "a secret of at least thirty-two bytes for this page"
SETTINGS = {"JWT_SECRET": SECRET, "JWT_SUBJECT": "external", "JWT_PROVISION_USERS": "true"}


def test_the_page_leads_from_sign_in_to_a_paid_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        tutelage_up(tmp_path / "data", without=("flower",), environment=SETTINGS) as up,
        http_receiver() as view,
    ):
        api = str(up.run()["api"]["url"])
        claims = {"sub": "staff", "roles": ["operator"], "exp": int(time.time()) + 600}
        page: dict[str, Any] = {"API": api, "JWT_SECRET": SECRET, "OPERATOR": jwt.encode(claims, SECRET)}
        page["RECEIVER"] = view.url
        for block in blocks(PAGE, "python"):
            if "sessionId" in block:
                eventually(lambda: _booking(page)["sessionId"], "the session")
            exec(block, page)
            if "endpoint" in page:
                eventually(lambda: _state(page) == "active", "an active endpoint")
        assert page["booking"]["status"] == "accepted"
        assert [each["value"] for each in page["booking"]["answers"]] == ["Write a compiler"]
        assert (page["session"]["startTime"], page["session"]["rescheduleCount"]) == (page["later"], 1)
        assert (page["payment"]["status"], page["payment"]["refundDue"]["amount"]) == ("paid", 1000)
        assert [each["id"] for each in page["bookings"]] == [page["booking"]["id"]]
        _signs_in(page)
        _receives(page, view)

        def told() -> bool:
            page["reconcile"]()
            booked = {"payment.awaiting", "payment.paid", "booking.accepted", "session.created"}
            return booked | {"session.reschedule_proposed", "session.rescheduled"} <= _stored(page).keys()

        eventually(told, "the events of the session")


@pytest.fixture(autouse=True, scope="module")
def project() -> None:
    """As much of a Django project as views need that ask no database."""
    apps = ["django.contrib.contenttypes", "django.contrib.auth"]
    settings.configure(SECRET_KEY=SECRET, ALLOWED_HOSTS=["*"], INSTALLED_APPS=apps)
    setup()


def _signs_in(page: dict[str, Any]) -> None:
    """The page's view gives a token to who is signed in, and to nobody else."""
    # Models are imported once the project is set up.
    visitor, user = (import_string(f"django.contrib.auth.models.{name}") for name in ("AnonymousUser", "User"))
    request = RequestFactory().post("/booking-token")
    request.user = visitor()
    assert page["booking_token"](request).status_code == 401
    request.user = user(id=42, first_name="Ada", last_name="Lovelace", email="ada@example.org")
    answer = page["booking_token"](request)
    assert answer.headers["Cache-Control"] == "no-store"
    assert page["call"]("GET", "/me", json.loads(answer.content)["token"])["externalId"] == "42"


def _receives(page: dict[str, Any], view: HttpReceiver) -> None:
    """The page stores a webhook of the running system once, and none of another sender."""
    eventually(lambda: any(b"payment.refund_due" in each.body for each in view.requests), "the refund's webhook")
    (sent,) = [each for each in view.requests if b"payment.refund_due" in each.body]

    signed = {name: value for name, value in sent.headers.items() if name.startswith("webhook-")}

    def answered(body: bytes) -> int:
        request = RequestFactory().post("/webhooks", body, content_type="application/json", headers=signed)
        return int(page["webhooks"](request).status_code)

    assert answered(sent.body + b" ") == 400
    assert "payment.refund_due" not in _stored(page)
    assert [answered(sent.body) for _ in range(2)] == [204, 204]
    page["reconcile"]()
    assert _stored(page)["payment.refund_due"] == 1


def _booking(page: dict[str, Any]) -> Any:
    return page["call"]("GET", f"/bookings/{page['booking']['id']}", page["mentee_token"])


def _stored(page: dict[str, Any]) -> dict[str, int]:
    """How many events of each type are in the page's table."""
    return dict(page["tables"].execute("SELECT type, count(*) FROM events GROUP BY type").fetchall())


def _state(page: dict[str, Any]) -> str:
    endpoint = page["call"]("GET", f"/webhook-endpoints/{page['endpoint']['id']}", page["OPERATOR"])
    return str(endpoint["state"])
