"""An application under test: the real one, on a real database, with the wake-ups kept where a test can run them."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast
from uuid import UUID

import jwt
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from api.app import create_app, make_state
from api.audit.refused_accesses import RefusedAccesses
from api.refusals import REFUSALS
from api.state import EXTENSION, AppState
from config.settings import Settings, read_settings
from infrastructure.operator_policy import operator_policy
from infrastructure.transactions import Transactions
from tests.log_secrets import remember_settings
from tests.versions import require_tag
from workers.runner import DeliveryRunner
from workflows.accounts.records import Mentor, User
from workflows.events import subscriptions
from workflows.events.delivery import DeliveryKey
from workflows.events.record import Wakeup
from workflows.events.subscriptions import Effect, load

# Tests ask as fast as they can, all from one address; tests of the limits choose their own.
UNCOUNTED = dict.fromkeys(
    f"rate_limit_{name}" for name in ("caller", "address", "booking", "auth_failures", "visitor", "key", "telemetry")
)
SECRET = "a secret of at least thirty-two bytes for tests"


class ApiResponse(TestResponse):
    """A response of the application; reading the JSON of one without any fails the test."""

    json: Any


class ApiClient(FlaskClient):
    """A client whose responses need no question whether there is JSON."""

    get: Callable[..., ApiResponse]
    post: Callable[..., ApiResponse]
    put: Callable[..., ApiResponse]
    patch: Callable[..., ApiResponse]
    delete: Callable[..., ApiResponse]
    head: Callable[..., ApiResponse]
    options: Callable[..., ApiResponse]

    def open(self, *args: Any, **options: Any) -> ApiResponse:
        """Request, and require of the answer what holds for all of them."""
        answer = super().open(*args, **options)
        require_tag(template_app(), answer)
        return cast("ApiResponse", answer)


@dataclass
class KeptWakeups:
    """Takes the wake-ups for the publisher thread, and publishes none of them."""

    kept: list[Wakeup] = field(default_factory=list)

    def put(self, wakeups: Iterable[Wakeup]) -> None:
        self.kept.extend(wakeups)

    def take(self) -> list[Wakeup]:
        taken = self.kept[:]
        # Those that another thread puts meanwhile stay.
        del self.kept[: len(taken)]
        return taken

    def effects(self) -> list[str]:
        return sorted(wakeup.effect for wakeup in self.kept)


def settings_for(database_url: str, **chosen: Any) -> Settings:
    """Settings of a test: the environment's, but for the database and the settings that a test chooses."""
    values = {
        "database_url": database_url,
        "jwt_secret": SECRET,
        "encryption_keys": (SECRET,),
        "signing_keys": (SECRET,),
        "identity_headers": "off",
        "jwt_leeway_seconds": 0,
        **UNCOUNTED,
        "api_threads": 8,
        **chosen,
    }
    # Pytest's own variable is another one in each test.
    environment = frozenset(each for each in os.environ.items() if each[0] != "PYTEST_CURRENT_TEST")
    settings = dataclasses.replace(_settings_in(environment), **values)
    remember_settings(settings)
    return settings


@cache
def _settings_in(_environment: frozenset[tuple[str, str]]) -> Settings:
    return read_settings()


@cache
def template_app() -> Flask:
    """An application to copy: its routes and its document take longer to make than a test."""
    return create_app(settings_for("postgresql://tutelage@127.0.0.1:1/nothing"), wakeups=KeptWakeups())


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, with whole operations; not to be changed."""
    return with_whole_operations(json.loads(served_document()))


def served_document(query: str = "") -> bytes:
    served: bytes = template_app().test_client().get(f"/openapi.json{query}").data
    return served


def with_whole_operations(document: Mapping[str, Any]) -> dict[str, Any]:
    """An OpenAPI document whose operations refer to schemas of objects alone and have each refusal by its status."""
    components = dict(document["components"])
    components["schemas"] = {
        name: schema for name, schema in components["schemas"].items() if "enum" in schema or name.endswith("Refusal")
    }
    paths = _resolved(document["paths"], components)
    for operation in (part for item in paths.values() for part in item.values() if isinstance(part, dict)):
        operation["responses"] = _by_status(operation["responses"])
    return {**document, "paths": paths}


def _resolved(part: Any, components: dict[str, dict[str, Any]]) -> Any:
    if isinstance(part, list):
        return [_resolved(each, components) for each in part]
    if not isinstance(part, dict):
        return part
    *_, kind, name = part.get("$ref", "//").split("/")
    found = components.get(kind, {}).get(name)
    beside = {key: value for key, value in part.items() if key != "$ref"}
    return {key: _resolved(value, components) for key, value in (part if found is None else found | beside).items()}


def codes_of(answer: Mapping[str, Any]) -> list[str]:
    """The codes of a refusal of an operation in a document with whole operations."""
    _body, narrowed = answer["content"]["application/json"]["schema"]["allOf"]
    codes: list[str] = narrowed["properties"]["code"]["enum"]
    return codes


def _by_status(answers: dict[str, Any]) -> dict[str, Any]:
    known = {status: answer for status, answer in answers.items() if status != "default"}
    if "default" in answers:
        common: dict[str, list[str]] = {}
        for code in codes_of(answers["default"]):
            if str(REFUSALS[code].status) not in known:
                common.setdefault(str(REFUSALS[code].status), []).append(code)
        body, _narrowed = answers["default"]["content"]["application/json"]["schema"]["allOf"]
        for status, codes in common.items():
            schema = {"allOf": [body, {"properties": {"code": {"enum": codes}}}]}
            known[status] = {**answers["default"], "content": {"application/json": {"schema": schema}}}
    return known


@dataclass
class World:
    """One application, its database, and a client for it."""

    app: Flask
    engine: Engine
    wakeups: KeptWakeups

    @classmethod
    def on(cls, engine: Engine, **chosen: Any) -> World:
        """An application on this engine's database."""
        settings = settings_for(engine.url.render_as_string(hide_password=False), **chosen)
        wakeups = KeptWakeups()
        app = copy(template_app())
        app.view_functions = dict(app.view_functions)
        # No timer of a test outlives it.
        refused = RefusedAccesses(engine, window_seconds=None)
        state = dataclasses.replace(make_state(settings, engine, wakeups), refused_accesses=refused)
        app.extensions = app.extensions | {EXTENSION: state}
        subscriptions.activate_policy(operator_policy(settings))
        return cls(app, engine, wakeups)

    @property
    def client(self) -> ApiClient:
        return ApiClient(self.app, self.app.response_class)

    def run_session_effects(self) -> None:
        """Do what the sessions worker would do now: create the sessions of accepted bookings."""
        deliverer = DeliveryRunner(Transactions(self.engine, self.wakeups), load(), {})
        for wakeup in self.wakeups.take():
            if wakeup.queue == "sessions":
                deliverer.deliver(DeliveryKey(event_id=wakeup.event_id, effect=wakeup.effect, target=wakeup.target))

    def run_database_effects(self) -> None:
        """Do what all workers would do now in the database, and what follows from that; nothing is sent."""
        state: AppState = self.app.extensions[EXTENSION]
        known = load().with_policy(operator_policy(state.settings))
        deliverer = DeliveryRunner(Transactions(self.engine, self.wakeups), known, {})
        while wakeups := self.wakeups.take():
            for each in wakeups:
                if isinstance(load().named(each.effect), Effect):
                    key = DeliveryKey(event_id=each.event_id, effect=each.effect, target=each.target)
                    deliverer.deliver(key)


def token(claims: dict[str, Any], *, secret: str = SECRET, algorithm: str = "HS256", lifetime: float = 3600) -> str:
    """A token with these claims that expires after `lifetime` seconds."""
    return jwt.encode({"exp": time.time() + lifetime, **claims}, secret, algorithm=algorithm)


def bearer(claims: dict[str, Any]) -> dict[str, str]:
    """The header that carries a token with these claims."""
    return {"Authorization": f"Bearer {token(claims)}"}


def as_user(user: User | UUID) -> dict[str, str]:
    return bearer({"sub": str(user.id if isinstance(user, User) else user)})


def as_mentor(mentor: Mentor) -> dict[str, str]:
    return bearer({"sub": str(mentor.user_id), "mentor_profile_id": str(mentor.id)})


def as_operator(name: str = "operator-1") -> dict[str, str]:
    return bearer({"sub": name, "roles": ["operator"]})
