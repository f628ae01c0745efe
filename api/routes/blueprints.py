"""Blueprints of this API, and what their routes document: arguments, headers, and every code of refusal by status.

flask-smorest reads a view's documentation from its attribute `_apidoc`; the decorators here and in loaders.py write it.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from http import HTTPStatus
from typing import Any, TypeVar

import marshmallow as ma
from apispec import APISpec
from flask_smorest import Api, Blueprint

from api.authentication.authenticator import QUERY_KEY
from api.http.bodies import StrictParser
from api.openapi.examples import example_of
from api.refusals import REFUSALS
from api.routes.context import Role
from api.routes.declaration import NOTHING_DECLARED, Declaration
from api.schemas.base import ErrorBody, ListQuery, camel

View = TypeVar("View", bound=Callable[..., object])

PARSER = StrictParser()
# flask-smorest registers this schema itself.
ERROR = {"$ref": f"#/components/schemas/{ErrorBody.__name__}"}
# Refusals before the server looks for a route, whatever the path.
BEFORE_ROUTES = ("invalid_request", "request_timeout", "too_large", "uri_too_long", "headers_too_large")
OF_SIGNED_IN = ("unauthenticated", "internal_error", "unavailable")
# Of blocked accounts, of keys without the scope, and of who acts for nobody.
OF_CALLERS = ("forbidden", "blocked", "not_found")
# Refusals that say nothing about a route. The `default` of its answers has them, unless their status has others too.
COMMON = frozenset({*BEFORE_ROUTES, *OF_SIGNED_IN, "unsupported_media_type", "rate_limited"})
# A set of more codes than these has the name of its route.
MAX_CODES_OF_NAME = 2
# Steps of a life cycle: POST is an alias of PATCH.
STEPS = ["PATCH", "POST"]

CREDENTIALS: list[dict[str, list[str]]] = [{"bearer": []}, {"userId": []}, {"mentorProfileId": []}]
PUBLISHABLE_KEY: list[dict[str, list[str]]] = [{"publishableKey": []}]


# The components of the document that operations name: a part of the query, headers of requests, and of answers.
KEY_IN_QUERY = "publishableKey"
IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, PREFER = "Idempotency-Key", "If-Match", "If-None-Match", "Prefer"
ETAG, REPLAYED, RETRY_AFTER = "ETag", "Idempotent-Replayed", "Retry-After"
# Of every answer to a request that is counted; documented where they are waited for.
RATE_LIMIT_HEADERS = ("RateLimit-Policy", "RateLimit")
_REQUEST_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    IDEMPOTENCY_KEY: (
        "Makes the change at most once: a repeated request with the same key gets the first response again.",
        {"minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    ),
    IF_MATCH: ("Change the resource only if this is still its ETag; otherwise 412.", {"example": '"1"'}),
    IF_NONE_MATCH: ("The ETag that you already have: an empty 304 if unchanged.", {"example": '"1"'}),
    PREFER: (
        "`wait=N`: wait up to N seconds (at most 10) for the session; the response is then 201 with the session.",
        {"example": "wait=5"},
    ),
}
_ANSWER_HEADERS: dict[str, dict[str, Any]] = {
    ETAG: {
        "description": "Of a single resource: its version, which If-Match names, with the digest of what is shown.",
        "schema": {"type": "string"},
        "example": '"2-9f2c41d07b6ae853"',
    },
    REPLAYED: {
        "description": "This is the first response to a request with this Idempotency-Key, given again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    RETRY_AFTER: {"description": "Seconds.", "schema": {"type": "integer"}},
    "RateLimit-Policy": {
        "description": "Each limit with its quota and its window in seconds.",
        "schema": {"type": "string"},
        "example": '"caller";q=600;w=60, "address";q=3000;w=60',
    },
    "RateLimit": {
        "description": "The rest of each limit, and for how many seconds.",
        "schema": {"type": "string"},
        "example": '"caller";r=0;t=7, "address";r=2400;t=7',
    },
}
_KEY_SCHEMA = {"type": "string", "pattern": "^tpk_[ -~]+$", "example": "tpk_shop"}
UNCHANGED = "unchanged"
# The query of every list.
PAGING = ListQuery._declared_fields


def register_components(api: Api) -> None:
    """Add the parameters and headers that operations name to the document's components."""
    spec = api.spec
    for name, (description, schema) in _REQUEST_HEADERS.items():
        header = {"name": name, "required": False, "description": description, "schema": {"type": "string", **schema}}
        spec.components.parameter(name, "header", header)
    for name, header in _ANSWER_HEADERS.items():
        spec.components.header(name, header)
    # No security scheme: a generated client would put its user's token into the query.
    described = "A publishable key, where a page sends no header because browsers would ask permission of CORS first."
    spec.components.parameter(
        KEY_IN_QUERY, "query", {"name": QUERY_KEY, "required": False, "description": described, "schema": _KEY_SCHEMA}
    )
    for parameter in api.ma_plugin.converter.schema2parameters(ListQuery(), location="query"):
        spec.components.parameter(parameter["name"], "query", parameter)
    unchanged = "Not modified: the caller already has this representation."
    spec.components.response(UNCHANGED, {"description": unchanged})


class Area(Blueprint):
    """The routes of one area: strict about bodies, with every refusal documented."""

    ARGUMENTS_PARSER = PARSER

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, description=description)
        # flask-smorest 0.47 offers no public place for what the document has of every route.
        self._prepare_doc_cbks.append(describe_refusals)

    def arguments(self, schema: ma.Schema | type[ma.Schema], **options: Any) -> Callable[[View], View]:
        """As of flask-smorest, with an example of a body where none is given.

        The schema is one instance: of a class, webargs would make one for every request.
        """
        parsed = schema() if isinstance(schema, type) else schema
        if "location" not in options:
            options.setdefault("example", example_of(parsed))
        decorator: Callable[[View], View] = super().arguments(parsed, **options)
        return decorator

    def alt_response(self, status_code: int, **options: Any) -> Callable[[View], View]:
        """As of flask-smorest, of another success: refusals are documented by their codes."""
        decorator: Callable[[View], View] = super().alt_response(status_code, success=True, **options)
        return decorator


def refuses(*codes: str) -> Callable[[View], View]:
    """Document codes with which a route refuses, besides the codes of every route of its kind."""
    return _appending("refusals", codes)


def accepts_headers(*headers: str) -> Callable[[View], View]:
    """Document headers of the request, besides the headers of every route of its kind."""
    return _appending("headers", headers)


def versioned(view: View) -> View:
    """Document that the response has an ETag, and that 304 is possible."""
    return _appending("versioned", (True,))(view)


def document(view: View, of: Callable[..., object], **documentation: Any) -> View:
    """Give a view the documentation of another one (what it wraps, or itself), with additions. Returns the view."""
    # A copy: one view may stand behind several routes with different loaders.
    vars(view)["_apidoc"] = {**deepcopy(documentation_of(of)), "name": of.__name__, **documentation}
    return view


def documentation_of(view: Callable[..., object]) -> dict[str, Any]:
    known: dict[str, Any] = vars(view).get("_apidoc", {})
    return known


def in_query(filters: type[ma.Schema]) -> dict[str, Any]:
    shared = [name for name, field in PAGING.items() if filters._declared_fields.get(name) is field]
    own = filters(exclude=shared)
    return {"parameters": [*shared, *([{"in": "query", "schema": own, "required": False}] if own.fields else [])]}


def describe_refusals(
    doc: dict[str, Any], doc_info: dict[str, Any], *, spec: APISpec, **_context: Any
) -> dict[str, Any]:
    declared: Declaration = doc_info.get("declared", NOTHING_DECLARED)
    codes = [*doc_info.get("refusals", []), "rate_limited"]
    parameters = doc.setdefault("parameters", [])
    if doc_info.get("versioned"):
        parameters.append(IF_NONE_MATCH)
        _add_headers(doc, ETAG)
        doc["responses"]["304"] = _response(UNCHANGED)
    if declared.role is None:
        doc["security"] = []
        return _with_refusals(doc, doc_info, codes, spec)
    doc["security"] = CREDENTIALS
    if declared.role.visitors:
        doc["security"] = [*CREDENTIALS, *PUBLISHABLE_KEY]
        parameters.append(KEY_IN_QUERY)
    parameters.extend(doc_info.get("headers", []))
    codes = [*codes, *OF_SIGNED_IN, *_codes_of(declared.role, declared)]
    if "requestBody" in doc:
        codes += ["invalid_request", "unsupported_media_type"]
    elif doc_info.get("arguments"):
        codes.append("invalid_request")
    if declared.changing:
        codes += ["invalid_request", "key_reused", "key_in_use", "rate_limited"]
        parameters.extend([IDEMPOTENCY_KEY, IF_MATCH] if declared.subject else [IDEMPOTENCY_KEY])
        _add_headers(doc, ETAG, REPLAYED)
    return _with_refusals(doc, doc_info, codes, spec, callers=OF_CALLERS)


def _add_headers(doc: dict[str, Any], *names: str) -> None:
    for status, response in doc["responses"].items():
        if str(status) in ("200", "201", "202"):
            response["headers"] = {**response.get("headers", {}), **{name: name for name in names}}


def _appending(key: str, values: Iterable[object]) -> Callable[[View], View]:
    def decorator(view: View) -> View:
        return document(view, view, **{key: [*documentation_of(view).get(key, []), *values]})

    return decorator


def _codes_of(role: Role, declared: Declaration) -> Iterable[str]:
    subject = declared.subject
    if role.needed != "Sign in." or (subject and subject.access):
        yield "forbidden"
    if subject:
        yield "not_found"
        if subject.absent:
            yield "session_pending"
        if declared.changing:
            yield "stale"


def _with_refusals(
    doc: dict[str, Any], doc_info: dict[str, Any], own: Iterable[str], spec: APISpec, *, callers: Iterable[str] = ()
) -> dict[str, Any]:
    own_statuses = {REFUSALS[code].status for code in own if code not in COMMON}
    by_status: dict[int, list[str]] = {status: [] for status in sorted(own_statuses)}
    common: list[str] = []
    for code in sorted({*own, *callers, *BEFORE_ROUTES}, key=list(REFUSALS).index):
        known = by_status.get(REFUSALS[code].status, common)
        known.append(code)
        if known is not common and code in BEFORE_ROUTES:
            # Operations share their defaults, whichever statuses they have besides.
            common.append(code)
    # The parser's own note about the status of validation errors gives way to the codes.
    doc.setdefault("responses", {}).pop(400, None)
    for status, known in by_status.items():
        name = "_or_".join(known) if len(known) <= MAX_CODES_OF_NAME else f"{doc_info['name']}_{_phrase(status)}"
        doc["responses"][status] = _refusal(name, known, spec)
    doc["responses"]["default"] = _refusal(_name_of_common(common), common, spec, "Refused, as any request may be.")
    return doc


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_")


def _name_of_common(codes: list[str]) -> str:
    others = [code for code in codes if code not in (*BEFORE_ROUTES, "rate_limited")]
    is_signed_in = set(OF_SIGNED_IN).issubset(others)
    kind = "signed_in" if is_signed_in else "any_route"
    return "_".join([kind, *(code for code in others if not is_signed_in or code not in (*OF_SIGNED_IN, "blocked"))])


def _response(name: str) -> dict[str, Any]:
    # apispec 6.10 would take the name alone, and look for "headers" in it as in a description of the response.
    return {"$ref": f"#/components/responses/{name}"}


def _refusal(named: str, codes: list[str], spec: APISpec, description: str = "Refused.") -> dict[str, Any]:
    """A response with one of these codes: a component, and another one for its body."""
    name = f"{camel(f'_{named}')}Refusal"
    if name not in spec.components.responses:
        code = {"type": "string", "enum": codes}
        spec.components.schemas[name] = {"allOf": [ERROR, {"type": "object", "properties": {"code": code}}]}
        headers = [RETRY_AFTER] if {"unavailable", "session_pending", "key_in_use", "rate_limited"} & set(codes) else []
        headers += RATE_LIMIT_HEADERS if "rate_limited" in codes else ()
        response = {
            "description": description,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
            **({"headers": {name: name for name in headers}} if headers else {}),
        }
        spec.components.response(name, response)
    return _response(name)
