"""Blueprints of this API, and what their routes document: arguments, headers, and every code of refusal by status.

flask-smorest reads a view's documentation from its attribute `_apidoc`; the decorators here and in loaders.py write it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

import marshmallow as ma
from flask_smorest import Blueprint

from api.http.bodies import StrictParser
from api.refusals import REFUSALS
from api.schemas.base import Error

View = TypeVar("View", bound=Callable[..., object])

PARSER = StrictParser()
# flask-smorest registers this schema itself.
ERROR = {"$ref": f"#/components/schemas/{Error.__name__}"}
# What the server refuses before it looks for a route, whatever the path.
BEFORE_ROUTES = ("invalid_request", "request_timeout", "too_large", "uri_too_long", "headers_too_large")
# Steps of a life cycle: POST is an alias of PATCH.
STEPS = ["PATCH", "POST"]

CREDENTIALS: list[dict[str, list[str]]] = [{"bearer": []}, {"userId": []}, {"mentorProfileId": []}]
PUBLISHABLE_KEY: list[dict[str, list[str]]] = [{"publishableKey": []}, {"publishableKeyInQuery": []}]


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    schema = {"type": "string", **schema}
    return {"in": "header", "name": name, "required": False, "description": description, "schema": schema}


IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "Makes the change at most once: a repeated request with the same key gets the first response again.",
    minLength=1,
    maxLength=255,
    pattern="^[ -~]+$",
)
IF_MATCH = _header("If-Match", "Change the resource only if this is still its ETag; otherwise 412.", example='"1"')
IF_NONE_MATCH = _header("If-None-Match", "The ETag that you already have: an empty 304 if unchanged.", example='"1"')
ETAG = {
    "ETag": {
        "description": "Of a single resource: its version, which If-Match names, with the digest of what is shown.",
        "schema": {"type": "string"},
        "example": '"2-9f2c41d07b6ae853"',
    }
}
REPLAYED = {
    "Idempotent-Replayed": {
        "description": "This is the first response to a request with this Idempotency-Key, given again.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
PREFER = _header(
    "Prefer",
    "`wait=N`: wait up to N seconds (at most 10) for the session; the response is then 201 with the session.",
    example="wait=5",
)


# Of every answer to a request that is counted; documented where they are waited for.
RATE_LIMIT_HEADERS = {
    "RateLimit-Policy": {
        "description": "Each limit with its quota and its window in seconds.",
        "schema": {"type": "string"},
        "example": '"caller";q=600;w=60, "address";q=3000;w=60',
    },
    "RateLimit": {
        "description": "What remains of each limit, and for how many seconds.",
        "schema": {"type": "string"},
        "example": '"caller";r=0;t=7, "address";r=2400;t=7',
    },
}


class Area(Blueprint):
    """The routes of one area: strict about bodies, with every refusal documented."""

    ARGUMENTS_PARSER = PARSER

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, description=description)
        # flask-smorest 0.47 offers no public place for what the document has of every route.
        self._prepare_doc_cbks.append(describe_refusals)

    def arguments(self, schema: ma.Schema | type[ma.Schema], **options: Any) -> Callable[[View], View]:
        """As of flask-smorest, with one schema instance: of a class, webargs would make one for every request."""
        parsed = schema() if isinstance(schema, type) else schema
        decorator: Callable[[View], View] = super().arguments(parsed, **options)
        return decorator


def refuses(*codes: str) -> Callable[[View], View]:
    """Document codes with which a route refuses, besides those of every route of its kind."""
    return _appending("refusals", codes)


def accepts_headers(*headers: dict[str, Any]) -> Callable[[View], View]:
    """Document headers of the request, besides those of every route of its kind."""
    return _appending("headers", headers)


def versioned(view: View) -> View:
    """Document that the response has an ETag, and that 304 is possible."""
    return _appending("versioned", (True,))(view)


def document(view: View, of: Callable[..., object], **documentation: Any) -> View:
    """Give a view the documentation of another one (what it wraps, or itself), with additions.

    Returns:
        the view.
    """
    # A copy: one view may stand behind several routes with different loaders.
    vars(view)["_apidoc"] = {**deepcopy(documentation_of(of)), **documentation}
    return view


def documentation_of(view: Callable[..., object]) -> dict[str, Any]:
    """A view's documentation so far."""
    known: dict[str, Any] = vars(view).get("_apidoc", {})
    return known


def in_query(filters: type[ma.Schema]) -> dict[str, Any]:
    """Documentation of arguments in the query, for views that parse it themselves."""
    return {"parameters": [{"in": "query", "schema": filters, "required": False}]}


def describe_refusals(doc: dict[str, Any], doc_info: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Add an operation's refusals, its credentials and its headers."""
    loader, codes = doc_info.get("loader"), [*doc_info.get("refusals", []), "rate_limited"]
    parameters = doc.setdefault("parameters", [])
    if doc_info.get("versioned"):
        parameters.append(IF_NONE_MATCH)
        _add_headers(doc, ETAG)
        doc["responses"]["304"] = {"description": "Not modified: the caller already has this representation."}
    if loader is None:
        doc["security"] = []
        return _with_responses(doc, codes)
    doc["security"] = [*CREDENTIALS, *PUBLISHABLE_KEY] if loader["role"].visitors else CREDENTIALS
    parameters.extend(doc_info.get("headers", []))
    codes = [*codes, "unauthenticated", "unavailable", "internal_error", *_codes_of_loader(loader)]
    if "requestBody" in doc:
        codes += ["invalid_request", "unsupported_media_type"]
    elif doc_info.get("arguments"):
        codes.append("invalid_request")
    if loader["changing"]:
        codes += ["invalid_request", "key_reused", "key_in_use", "rate_limited"]
        parameters.extend([IDEMPOTENCY_KEY, IF_MATCH] if loader["subject"] else [IDEMPOTENCY_KEY])
        _add_headers(doc, {**ETAG, **REPLAYED})
    return _with_responses(doc, codes)


def _add_headers(doc: dict[str, Any], headers: dict[str, Any]) -> None:
    for status, response in doc["responses"].items():
        if str(status) in ("200", "201", "202"):
            response["headers"] = {**response.get("headers", {}), **headers}


def _appending(key: str, values: Iterable[object]) -> Callable[[View], View]:
    def decorator(view: View) -> View:
        return document(view, view, **{key: [*documentation_of(view).get(key, []), *values]})

    return decorator


def _codes_of_loader(loader: dict[str, Any]) -> Iterable[str]:
    subject = loader["subject"]
    if loader["role"].needed != "Sign in." or (subject and subject.access):
        yield "forbidden"
    if subject:
        yield "not_found"
        if subject.absent:
            yield "session_pending"
        if loader["changing"]:
            yield "stale"


def _with_responses(doc: dict[str, Any], codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys([*codes, *BEFORE_ROUTES]):
        by_status.setdefault(REFUSALS[code].status, []).append(code)
    responses = doc.setdefault("responses", {})
    # The parser's own note about the status of validation errors gives way to the codes.
    for status, known in sorted(by_status.items()):
        responses[status] = _response(status, tuple(known))
    return doc


class _Constant(dict[str, Any]):
    """A part of the document that many operations share, and nothing changes: it is its own copy."""

    def __deepcopy__(self, _memo: object) -> _Constant:
        return self


@cache
def _response(status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    examples = {code: _example(status, code) for code in codes}
    response = _Constant(
        description=" ".join(f"`{code}`: {REFUSALS[code].when}" for code in codes),
        content={"application/json": {"schema": ERROR, "examples": examples}},
    )
    if {"unavailable", "session_pending", "key_in_use", "rate_limited"} & set(codes):
        response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    if "rate_limited" in codes:
        response["headers"] |= RATE_LIMIT_HEADERS
    return response


def _example(status: int, code: str) -> dict[str, Any]:
    return {
        "value": {
            "statusCode": status,
            "error": HTTPStatus(status).phrase,
            "message": REFUSALS[code].when,
            "code": code,
            "requestId": "5f0c7e0d9b6b4a0e8f7d1c2b3a495867",
        }
    }
