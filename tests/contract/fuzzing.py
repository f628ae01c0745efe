"""Parts of the tests that send generated requests: the document, its checks, and who is calling.

They run briefly in the suite, and for as long as wanted by `make fuzz`, which is Hypothesis's profile of that name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode
from sqlalchemy import Engine
from werkzeug import Response

from infrastructure.transactions import Transactions
from tests import servers
from tests.application import World, openapi_document
from tests.contract.scene import Headers, Scene
from tests.factories import next_slot
from workers.runner import DeliveryRunner
from workflows.events.delivery import DeliveryKey
from workflows.events.subscriptions import load

SHAPE = {"statusCode", "error", "message", "code", "requestId"}
# Of a caller's credentials, and what is not left to chance.
OWN_HEADERS = ("Authorization", "X-User-Id", "X-Mentor-Profile-Id")
ROLES = ("mentee", "mentor", "operator", "other user", "none")


class Switch:
    """A WSGI application that is another one: at first the document, then each test's own."""

    def __init__(self) -> None:
        # With every status of a refusal, where the document has a `default` that any status would fit.
        self.application: Any = Response(json.dumps(openapi_document()), mimetype="application/json")

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.application(environ, start_response)


@schemathesis.serializer("application/x-ndjson")
def send_lines(_context: Any, value: Any) -> Any:
    """Send generated text as the lines of an import, and any other value as one line of JSON."""
    return value if isinstance(value, str | bytes) else json.dumps(value).encode()


SWITCH = Switch()
SCHEMA = schemathesis.openapi.from_wsgi("/api/openapi.json", SWITCH)
SCHEMA.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
# Rules that no schema can tell are 400 too: a cursor that is of another list, one of two names for a mentor, a period
# that ends before it begins, a zone that does not exist.
SCHEMA.config.checks.update(excluded_check_names=["positive_data_acceptance"])
# The version that If-Match names comes before the body.
SCHEMA.config.checks.negative_data_rejection.expected_statuses = [
    *SCHEMA.config.checks.negative_data_rejection.expected_statuses,
    "412",
]


def settings_of_run(**brief: Any) -> settings:
    """The settings of `make fuzz` where that runs, else these: the same requests in every run of the suite."""
    if settings.get_current_profile_name() == "fuzz":
        return settings()
    return settings(
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        **brief,
    )


@schemathesis.check
def refusal_has_the_one_shape(_context: Any, response: Any, case: Case[Any]) -> None:
    """Every error is JSON of the contract's shape, with the status that it speaks of."""
    if response.status_code >= 400 and response.request.method != "HEAD":
        body = response.json()
        assert set(body) - {"details"} == SHAPE, f"{case.operation.label} answers {sorted(body)}"
        assert body["statusCode"] == response.status_code


@dataclass
class Stage:
    """The application with one thing of every kind, which generated requests can be about."""

    world: World
    scene: Scene
    _runner: DeliveryRunner = field(init=False)

    def __post_init__(self) -> None:
        SWITCH.application = self.world.app
        self._runner = DeliveryRunner(Transactions(self.world.engine, self.world.wakeups), load(), {})

    @classmethod
    def on(cls, engine: Engine, kept_scene: tuple[Scene, str]) -> Stage:
        """The stage as it is at the beginning, and nothing else."""
        scene, kept = kept_scene
        servers.empty(engine)
        servers.put_back(engine, kept)
        # Sequences make more in a minute than people do.
        return cls(World.on(engine, max_open_drafts=0, max_open_drafts_per_mentor=0, max_holds=0), scene)

    def headers(self, role: str) -> Headers:
        return {} if role == "none" else self.scene.callers[role]

    def fit_path(self, case: Case[Any]) -> None:
        """Let the path be about what there is."""
        area = case.path.split("/")[1]
        case.path_parameters = {
            name: str(self.scene.ids.get(f"{area} {name}") or self.scene.ids.get(name, value))
            for name, value in (case.path_parameters or {}).items()
        }

    def fit_body(self, case: Case[Any]) -> None:
        """Let the body be about what there is, at a time that is free."""
        if not isinstance(case.body, dict):
            return
        ids, start = self.scene.ids, next_slot().isoformat()
        fitting = {
            "listingId": str(ids["listing_id"]),
            "courseId": str(ids["course_id"]),
            "mentorProfileId": str(ids["mentor_profile_id"]),
            "startTime": start,
            "scheduledAt": start,
        }
        changed = {name: fitting[name] for name in case.body.keys() & fitting}
        # Other names of the same things, and what would have to follow from the others.
        left_out = {"endTime", "coachId", "taId", "studentId", "bundlePurchaseId", "productId", "date", "recurrence"}
        left_out |= {"attendance"}
        case.body = {**{name: value for name, value in case.body.items() if name not in left_out}, **changed}

    def let_succeed(self, case: Case[Any]) -> None:
        """Let a step of a sequence succeed, unless it is meant to be malformed."""
        without_own_headers(case, "If-Match", "If-None-Match", "Idempotency-Key", "Prefer")
        if case.meta is None or case.meta.generation.mode.is_positive:
            self.fit_body(case)

    def follow_up(self) -> None:
        """Do what the workers of sessions and reviews would do now."""
        while wakeups := self.world.wakeups.take():
            for wakeup in wakeups:
                if wakeup.queue in ("sessions", "reviews"):
                    key = DeliveryKey(event_id=wakeup.event_id, effect=wakeup.effect, target=wakeup.target)
                    self._runner.deliver(key)


def without_own_headers(case: Case[Any], *more: str) -> None:
    """Take generated credentials out of a request, and further headers."""
    for name in (*OWN_HEADERS, *more):
        if case.headers:
            case.headers.pop(name, None)
