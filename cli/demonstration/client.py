"""A client of the API as anybody could write it: HTTP, a bearer token, and an Idempotency-Key with every change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import urllib3

from cli.demonstration.failure import DemoFailed
from cli.token import sign
from config.settings import settings

TOKEN_LIFETIME = timedelta(hours=1)
# Longer than any answer may take, a preference's 10 s included.
ANSWER_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """What the API said, and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    sent_at: float
    milliseconds: float


@dataclass(frozen=True)
class Client:
    """One caller.

    Args:
        http: shared by all callers of a demo.
        url: where the API is.
        claims: who calls, as the token says it.
    """

    http: urllib3.PoolManager
    url: str
    claims: dict[str, Any]

    def get(self, path: str, *, expect: int = 200) -> Answer:
        """Read something."""
        return self._checked("GET", path, None, expect, {})

    def post(self, path: str, body: dict[str, Any] | None = None, *, expect: int = 201, prefer: str = "") -> Answer:
        """Change something, under a key of its own."""
        headers = {"Idempotency-Key": str(uuid4()), **({"Prefer": prefer} if prefer else {})}
        return self._checked("POST", path, body or {}, expect, headers)

    def patch(self, path: str, body: dict[str, Any], *, expect: int = 200) -> Answer:
        """Change a part of something, under a key of its own."""
        return self._checked("PATCH", path, body, expect, {"Idempotency-Key": str(uuid4())})

    def refused(self, path: str, *, expect: int, code: str) -> Answer:
        """Try to change something that must be refused in just this way."""
        answer = self.post(path, expect=expect)
        if answer.body["code"] != code:
            raise DemoFailed(f"POST {path} was refused as {answer.body['code']} instead of {code}.", process="api")
        return answer

    def ask(self, method: str, path: str, body: dict[str, Any] | None, headers: Mapping[str, str]) -> Answer:
        """One request, whatever the answer is.

        Raises:
            DemoFailed: there is no answer, or none that is JSON.
        """
        token = sign(self.claims, lifetime=TOKEN_LIFETIME, settings=settings())
        began = monotonic()
        try:
            response = self.http.request(
                method,
                self.url + path,
                json=body,
                headers={"Authorization": f"Bearer {token}", **headers},
                timeout=ANSWER_SECONDS,
                retries=False,
            )
            took = (monotonic() - began) * 1000
            return Answer(response.status, response.headers, response.json(), began, took)
        except (urllib3.exceptions.HTTPError, json.JSONDecodeError) as error:
            raise DemoFailed(f"{method} {path} got no answer that could be read: {error}.", process="api") from error

    def _checked(
        self, method: str, path: str, body: dict[str, Any] | None, expect: int, headers: Mapping[str, str]
    ) -> Answer:
        answer = self.ask(method, path, body, headers)
        if answer.status != expect:
            said = answer.body.get("message", answer.body)
            details = f" {answer.body['details']}" if "details" in answer.body else ""
            raise DemoFailed(
                f"{method} {path} answered {answer.status} instead of {expect}: {said}{details}", process="api"
            )
        return answer
