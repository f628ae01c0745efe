"""The OpenAPI document, made by flask-smorest: titles, security schemes, names of operations, life cycles."""

import json
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import marshmallow as ma
from apispec import BasePlugin
from flask import Flask, Response, request
from flask_smorest import Api
from marshmallow import ValidationError
from werkzeug.routing import BaseConverter, Rule

from api.authentication.authenticator import identifier
from api.http.etags import revalidated
from api.openapi.examples import add_example
from api.openapi.links import links_of
from api.openapi.shared_parts import SharingPlugin, with_shared_parts
from api.openapi.webhooks import add_webhooks
from api.routes.blueprints import register_components
from api.routes.csv_tables import JSON
from api.schemas.base import ErrorBody, camel
from api.schemas.fields import Day
from config.telemetry import installed_version
from models.bookings import BOOKING_TRANSITIONS, BookingStatus
from models.sessions import SESSION_TRANSITIONS, SessionStatus

_DESCRIPTION = """The booking-to-session engine of a mentoring, coaching or tutoring marketplace.

**How it works.** A mentee requests a booking and its mentor accepts it (202). One session is created, either party
starts it and the mentor completes it. Reviews, notifications, analytics and webhooks follow automatically.

**For others.** An operator, or a key with the scope `act`, sends `On-Behalf-Of: ID` or `On-Behalf-Of: external:ID`, and
the request is that user's.

**Guarantees.** A 2xx response is durable. A change with an `Idempotency-Key` is made at most once. `ETag` and
`If-Match` prevent lost updates. Every error has the same shape, with a stable `code`.

**Limits.** Requests are counted by caller and by address; `RateLimit-Policy` and `RateLimit` show the limits, and 429
has `Retry-After`.

Every route is available at the root and under `/api`. Times are RFC 3339 in UTC; amounts are in minor units."""

_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`tutelage token` prints one.",
    },
    "publishableKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "tpk_",
        "description": "Reads the catalogue from a web page (`PUBLISHABLE_KEYS`). With `OPEN_CATALOGUE`, no credentials"
        " are needed for that.",
    },
    "userId": {
        "type": "apiKey",
        "in": "header",
        "name": "X-User-Id",
        "description": "If the service trusts a gateway's headers (`IDENTITY_HEADERS`).",
    },
    "mentorProfileId": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Mentor-Profile-Id",
        "description": "To act as a mentor, if the service trusts a gateway's headers.",
    },
}


class IdConverter(BaseConverter):
    """UUIDs in paths. Anything else becomes None, so that the loader authenticates before it answers 404."""

    def to_python(self, value: str) -> UUID | None:
        return identifier(value)

    def to_url(self, value: object) -> str:
        return str(value)


class DayConverter(BaseConverter):
    """Dates in paths, `YYYY-MM-DD`; anything else becomes None, as with ids."""

    def to_python(self, value: str) -> date | None:
        try:
            day: date = Day().deserialize(value)
        except ValidationError:
            return None
        return day

    def to_url(self, value: object) -> str:
        return str(value)


class OperationNames(BasePlugin):
    """apispec plugin: operation ids from the views' names with their links, and POST marked as an alias of PATCH."""

    def operation_helper(self, path: Any = None, operations: Any = None, **context: Any) -> None:  # noqa: ARG002
        rule: Rule = context["rule"]
        name = camel(rule.endpoint.rpartition(".")[2])
        for method, operation in operations.items():
            operation["operationId"] = name
            for status, response in operation["responses"].items():
                if links := links_of(name, str(status)):
                    response["links"] = links
                if "content" in response:
                    # Generators take the first kind of content that they know.
                    response["content"] = dict(sorted(response["content"].items(), key=lambda each: each[0] != JSON))
            if method == "post" and "patch" in operations:
                operation |= {
                    "operationId": f"{name}ByPost",
                    "x-alias-of": name,
                    "summary": f"Alias of `{name}` (PATCH).",
                }


class TutelageApi(Api):
    """flask-smorest with our shape of errors; every route documents its own refusals."""

    ERROR_SCHEMA = ErrorBody
    DEFAULT_ERROR_RESPONSE_NAME = None


def make_api(app: Flask) -> Api:
    """The document of an application, to which its blueprints are registered."""
    app.config.update(
        API_TITLE="Tutelage",
        API_VERSION=installed_version(),
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "servers": [{"url": "/api"}, {"url": "/"}],
            "components": {"securitySchemes": _SECURITY},
        },
    )
    app.url_map.converters["id"] = IdConverter
    app.url_map.converters["day"] = DayConverter
    api = TutelageApi(app, spec_kwargs={"marshmallow_plugin": SharingPlugin(), "extra_plugins": [OperationNames()]})
    # Lists have an envelope with a cursor, not flask-smorest's header.
    api.spec.components.headers.clear()
    api.spec.components.schemas.pop("PaginationMetadata", None)
    api.register_converter(IdConverter, lambda _converter: {"type": "string", "format": "uuid"})
    api.register_converter(DayConverter, lambda _converter: {"type": "string", "format": "date"})
    api.ma_plugin.converter.add_attribute_function(_open_dictionary)
    api.ma_plugin.converter.add_attribute_function(add_example)
    register_components(api)

    @cache
    def rendered(*, aliases: bool) -> str:
        # Nothing changes it from here on, and writing it takes a tenth of a second of the processor.
        document = with_shared_parts(api.spec.to_dict())
        add_webhooks(document)
        if not aliases:
            document["paths"] = {path: _without_aliases(item) for path, item in document["paths"].items()}
        return json.dumps(document, separators=(",", ":"))

    def answer() -> Response:
        document = rendered(aliases=request.args.get("aliases") != "no")
        return revalidated(Response(document, mimetype="application/json"))

    app.view_functions["api-docs.openapi_json"] = answer
    return api


def _without_aliases(item: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in item.items() if "x-alias-of" not in part}


def _open_dictionary(_converter: Any, field: ma.fields.Field[Any], **_kwargs: Any) -> dict[str, Any]:
    # An absent schema of values would be read as strings.
    return {"additionalProperties": True} if isinstance(field, ma.fields.Dict) and field.value_field is None else {}


# The life cycles of bookings and sessions, as tables in the descriptions of their areas.

Status = TypeVar("Status", bound=StrEnum)


def _life_cycle(
    transitions: Mapping[Status, frozenset[Status]],
    initial: Mapping[Status, str],
    actors: Mapping[tuple[Status, Status], str],
) -> str:
    """Transitions as a Markdown table. A transition without an actor is a KeyError at import.

    Args:
        initial: the states in which a life cycle begins, each with who or what begins it.
        actors: who makes a transition, by the states before and after it.
    """
    rows = ["| from | to | by |", "|---|---|---|"]
    rows += [f"| (none) | `{state}` | {actor} |" for state, actor in initial.items()]
    rows += [
        f"| `{before}` | `{after}` | {actors[before, after]} |"
        for before, following in transitions.items()
        for after in transitions
        if after in following
    ]
    *others, last = (f"`{state}`" for state, following in transitions.items() if not following)
    table, final = "\n".join(rows), f"{', '.join(others)} and {last} are final"
    return f"{table}\n\n{final}; any other transition is refused with 400 `invalid_transition`."


BOOKINGS_DESCRIPTION = "A request for a mentor's time, and the mentor's decision.\n\n" + _life_cycle(
    BOOKING_TRANSITIONS,
    initial={
        BookingStatus.DRAFT: "the mentee's request",
        BookingStatus.ACCEPTED: "the mentee's request for a listing whose `bookingMode` is `instant`",
        BookingStatus.AWAITING_PAYMENT: "the same, where its `payment` is `before`",
    },
    actors={
        (BookingStatus.DRAFT, BookingStatus.ACCEPTED): "the mentor",
        (BookingStatus.DRAFT, BookingStatus.DECLINED): "the mentor",
        (BookingStatus.DRAFT, BookingStatus.CANCELLED): "the mentee; or a durable task, if the mentor has not decided"
        " in time",
        (BookingStatus.DRAFT, BookingStatus.AWAITING_PAYMENT): "the mentor, where `payment` is `before`",
        (BookingStatus.AWAITING_PAYMENT, BookingStatus.ACCEPTED): "its payment",
        (BookingStatus.AWAITING_PAYMENT, BookingStatus.CANCELLED): "the mentee, the mentor or an operator; or a durable"
        " task, if the payment has not arrived in time",
    },
)

SESSIONS_DESCRIPTION = (
    "The meeting that follows from an accepted booking: exactly one per booking, created by a durable task.\n\n"
    + _life_cycle(
        SESSION_TRANSITIONS,
        initial={SessionStatus.SCHEDULED: "the durable task that follows a booking's acceptance"},
        actors={
            (SessionStatus.SCHEDULED, SessionStatus.IN_PROGRESS): "mentee or mentor, at the earliest"
            " `earlyStartMinutes` before the start time",
            (SessionStatus.SCHEDULED, SessionStatus.CANCELLED): "mentee, mentor or operator, by the listing's"
            " cancellation policy; or a durable task, a day after the end of a session that was never started",
            (SessionStatus.IN_PROGRESS, SessionStatus.COMPLETED): "the mentor, or an operator",
            (SessionStatus.IN_PROGRESS, SessionStatus.CANCELLED): "an operator, who voids the session",
        },
    )
    + "\n\nStart and end time are the booking's and do not change. Only the two parties and operators see a session."
    " Until the task has run, the parties get 404 `session_pending` with `Retry-After: 1`, and others 404 `not_found`."
)
