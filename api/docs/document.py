"""The OpenAPI document: what is said about the API as a whole, and how its own kinds of value are described."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any

import marshmallow as ma
from flask import Flask, Response
from flask_smorest import Api

from api.blueprints import Area
from api.ids import IdConverter
from api.schemas.errors import Error

TITLE = "Tutelage"
_PROSE = """The booking-to-session engine of a mentoring, coaching or tutoring marketplace.

**The main job.** A mentee requests a booking, its mentor accepts (202), one session comes to be, either party starts
it, the mentor completes it, and what follows happens by itself: reviews, notifications, analytics, webhooks.

**Promises.** An answer of 2xx is kept. A change under one `Idempotency-Key` is made once. `ETag` and `If-Match` keep
you from deciding on what has changed. Every error has one shape, with a stable `code`.

Every route is served at the root and, the same, under `/api`. Times are RFC 3339 in UTC, money is in minor units."""

_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`tutelage token` prints one.",
    },
    "userId": {
        "type": "apiKey",
        "in": "header",
        "name": "X-User-Id",
        "description": "Where the service trusts a gateway's headers (`IDENTITY_HEADERS`).",
    },
    "mentorProfileId": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Mentor-Profile-Id",
        "description": "To act as a mentor, where the service trusts a gateway's headers.",
    },
}


class DocumentedApi(Api):
    """Documents errors in our shape, and leaves answering them to api/errors.py.

    The document is written when it is first asked for: most processes end without that, and it is most of the time in
    which an application is made.
    """

    ERROR_SCHEMA = Error
    # Every route lists its refusals itself.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask) -> None:
        self._unwritten: list[Area] = []
        self._writing = Lock()
        super().__init__(app)

    def add(self, area: Area) -> None:
        """Answer at the routes of an area, and document them once somebody reads."""
        app = self._app
        app.extensions["flask-smorest"]["blp_name_to_api"][area.name] = self
        app.register_blueprint(area)
        self._unwritten.append(area)

    def _openapi_json(self) -> Response:
        with self._writing:
            while self._unwritten:
                area = self._unwritten[0]
                area.register_views_in_doc(self, self._app, self.spec, name=area.name, parameters=None)
                self.spec.tag({"name": area.name, "description": area.description})
                # Not before: whoever asks after an error would get a document without this area for good.
                self._unwritten.pop(0)
        answer: Response = super()._openapi_json()
        return answer

    def _register_pagination_header(self) -> None:
        """Nothing: lists have an envelope with a cursor."""

    def _register_error_handlers(self) -> None:
        """Nothing: one table answers every error."""


def document(app: Flask) -> DocumentedApi:
    """The document of this application, to which its areas are added."""
    app.config.update(
        API_TITLE=TITLE,
        API_VERSION=_version(),
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": _PROSE, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "servers": [{"url": "/api"}, {"url": "/"}],
            "components": {"securitySchemes": _SECURITY},
        },
    )
    app.url_map.converters["id"] = IdConverter
    api = DocumentedApi(app)
    api.register_converter(IdConverter, lambda _converter: {"type": "string", "format": "uuid"})
    api.ma_plugin.converter.add_attribute_function(_described)
    return api


def _described(_converter: Any, field: ma.fields.Field, **_kwargs: Any) -> dict[str, Any]:
    # A dictionary whose values may be anything says so: OpenAPI would read an absent schema as strings only.
    return {"additionalProperties": True} if isinstance(field, ma.fields.Dict) and field.value_field is None else {}


def _version() -> str:
    try:
        return version("tutelage")
    except PackageNotFoundError:
        return "0.0.0"
