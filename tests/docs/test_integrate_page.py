"""The page that a marketplace's developer follows, run from top to bottom against a running system."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from standardwebhooks import WebhookVerificationError

from tests.cli.running import tutelage_up
from tests.docs.pages import DOCS, blocks
from tests.eventually import eventually
from tests.signing import sign
from workflows.webhooks.secrets import new_secret

PAGE = DOCS / "integrate.md"
SECRET = "a secret of at least thirty-two bytes for this page"
SETTINGS = {"JWT_SECRET": SECRET, "JWT_SUBJECT": "external", "JWT_PROVISION_USERS": "true"}


def test_the_page_leads_from_sign_in_to_a_paid_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tutelage_up(tmp_path / "data", without=("flower",), environment=SETTINGS) as up:
        api = str(up.run()["api"]["url"])
        claims = {"sub": "staff", "roles": ["operator"], "exp": int(time.time()) + 600}
        page: dict[str, Any] = {"API": api, "JWT_SECRET": SECRET, "OPERATOR": jwt.encode(claims, SECRET)}
        for block in blocks(PAGE, "python"):
            exec(block, page)
        assert page["booking"]["status"] == "accepted"
        assert (page["payment"]["status"], page["payment"]["refundDue"]["amount"]) == ("paid", 1000)
        assert [each["id"] for each in page["bookings"]] == [page["booking"]["id"]]

        def session() -> bool:
            page["reconcile"]()
            types = {row[0] for row in page["tables"].execute("SELECT type FROM events")}
            return {"payment.awaiting", "payment.paid", "booking.accepted", "session.created"} <= types

        eventually(session, "the session's event")
        stored = page["tables"].execute("SELECT count(*) FROM events").fetchone()
        message = page["call"]("GET", "/events?limit=1", page["KEY"])["items"][0]
        secret, body, now = new_secret(), json.dumps(message).encode(), str(int(time.time()))
        headers = {"webhook-id": message["id"], "webhook-timestamp": now}
        headers["webhook-signature"] = sign(secret, message["id"], now, body)
        page["receive"](secret, headers, body)
        assert page["tables"].execute("SELECT count(*) FROM events").fetchone() == stored
        with pytest.raises(WebhookVerificationError):
            page["receive"](new_secret(), headers, body)
