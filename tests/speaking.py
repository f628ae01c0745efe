"""HTTP client of a running system with the credentials of a caller."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import urllib3

from cli.token import sign
from config.settings import settings
from tests.log_secrets import remember_secret

# Longer than the longest preference to wait.
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: Any
    seconds: float


@dataclass(frozen=True)
class Caller:
    """HTTP client with the credentials of one caller as headers."""

    base: str  # the address of the API, with a prefix if there is one
    identity: Mapping[str, str] = field(default_factory=dict)
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=32, retries=False))

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Call, and read the answer to its end.

        Args:
            path: below the address of the API, or a whole address.
            headers: with underscores for hyphens.

        Raises:
            urllib3.exceptions.HTTPError: there was no answer.
        """
        began = time.perf_counter()
        response = self.pool.request(
            method,
            self.base + path,
            json=body,
            headers={**self.identity, **{name.replace("_", "-"): value for name, value in headers.items()}},
            timeout=TIMEOUT_SECONDS,
        )
        is_json = "json" in response.headers.get("content-type", "") and response.data
        content = response.json() if is_json else response.data
        if isinstance(content, dict) and "secret" in content:
            remember_secret(content["secret"], str(content["secret"]).partition("_")[2])
        return Answer(response.status, response.headers, content, time.perf_counter() - began)

    def get(self, path: str, **headers: str) -> Any:
        return _good(self("GET", path, **headers))

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        return _good(self("POST", path, body, **headers))

    def patch(self, path: str, body: object = None, **headers: str) -> Any:
        return _good(self("PATCH", path, body, **headers))

    def as_user(self, user_id: str) -> Caller:
        """The same API, as a user who is believed by the header."""
        return self._as({"X-User-Id": user_id})

    def as_mentor(self, mentor_profile_id: str) -> Caller:
        """The same API, as a mentor who is believed by the header."""
        return self._as({"X-Mentor-Profile-Id": mentor_profile_id})

    def by_token(self, **claims: object) -> Caller:
        """The same API, as the caller that these claims of a token name."""
        token = sign(dict(claims), lifetime=timedelta(hours=1), settings=settings())
        return self._as({"Authorization": f"Bearer {token}"})

    def as_operator(self) -> Caller:
        return self.by_token(sub="tests", roles=["operator"])

    def _as(self, identity: Mapping[str, str]) -> Caller:
        return Caller(self.base, identity, self.pool)


def _good(answer: Answer) -> Any:
    assert 200 <= answer.status < 300, answer
    return answer.body
