"""Document how each route can refuse: the codes of its kind and its own, by status, each with an example."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from api.refusals import REFUSALS
from api.schemas.errors import Error

REQUEST_HEADERS = {
    "Idempotency-Key": {
        "description": "Makes the change once, however often it is asked for: the first answer is given again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    },
    "If-Match": {
        "description": "Change this version alone: the ETag of the representation that the decision was made on.",
        "schema": {"type": "string", "example": '"1"'},
    },
}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The ETag of what the caller holds already: if it is still that, the answer is an empty 304.",
    "schema": {"type": "string", "example": '"1"'},
}
CREDENTIALS: list[dict[str, list[str]]] = [{"bearer": []}, {"userId": []}, {"mentorProfileId": []}]


def describe_refusals(doc: dict[str, Any], doc_info: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Add to an operation its name, its refusals, its credentials and the headers that changes understand."""
    doc["operationId"] = doc_info["operation"]
    loader = doc_info.get("loader")
    if doc_info.get("versioned"):
        doc.setdefault("parameters", []).append(IF_NONE_MATCH)
        doc["responses"]["304"] = {"description": "Nothing has changed: the caller holds this very representation."}
    codes = ["unavailable", "internal_error", *doc_info.get("refusals", [])]
    if loader is None:
        doc["security"] = []
        return _with_responses(doc, doc_info.get("refusals", []))
    doc["security"] = CREDENTIALS
    doc.setdefault("parameters", []).extend(doc_info.get("headers", []))
    codes += ["unauthenticated", *_of_loader(loader)]
    if "requestBody" in doc:
        codes += ["invalid_request", "unsupported_media_type", "too_large"]
    elif doc_info.get("arguments"):
        codes.append("invalid_request")
    if loader["changing"]:
        codes += ["invalid_request", "key_reused", "key_in_use", "too_large"]
        doc["parameters"].extend(_headers(loader))
    return _with_responses(doc, codes)


def _of_loader(loader: dict[str, Any]) -> Iterable[str]:
    subject = loader["subject"]
    if loader["role"].needed != "Sign in." or (subject and subject.access):
        yield "forbidden"
    if subject:
        yield "not_found"
        if subject.absent:
            yield "session_pending"
        if loader["changing"]:
            yield "stale"


def _headers(loader: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for name, description in REQUEST_HEADERS.items():
        if name != "If-Match" or loader["subject"]:
            yield {"in": "header", "name": name, "required": False, **description}


def _with_responses(doc: dict[str, Any], codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(REFUSALS[code].status, []).append(code)
    responses = doc.setdefault("responses", {})
    # The parser's own note about the status of validation errors gives way to the codes.
    for status, known in sorted(by_status.items()):
        responses[status] = _response(known)
    return doc


def _response(codes: list[str]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": " ".join(f"`{code}`: {REFUSALS[code].when}" for code in codes),
        "content": {"application/json": {"schema": Error, "examples": {code: _example(code) for code in codes}}},
    }
    if "unavailable" in codes or "session_pending" in codes or "key_in_use" in codes:
        response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return response


def _example(code: str) -> dict[str, Any]:
    status, when = REFUSALS[code]
    return {
        "value": {
            "statusCode": status,
            "error": HTTPStatus(status).phrase,
            "message": when,
            "code": code,
            "requestId": "5f0c7e0d9b6b4a0e8f7d1c2b3a495867",
        }
    }
