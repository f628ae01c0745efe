"""Error handlers of Flask: every error as JSON in one shape."""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from flask import Flask, Response, g, jsonify, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from api.refusals import CODE_OF_STATUS, SENTENCES, shape, status_of
from config import telemetry
from models.sqlstates import is_outage
from workflows.kernel import constraints
from workflows.kernel.errors import DomainError, InvalidTransition

log = structlog.get_logger("api.errors")

# Headers of the error itself; the others describe Werkzeug's HTML page.
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


def register(app: Flask) -> None:
    app.register_error_handler(DomainError, answer_domain_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(SQLAlchemyError, answer_database_error)
    app.register_error_handler(Exception, answer_failure)


def answer_domain_error(error: DomainError) -> Response:
    status = status_of(error)
    if isinstance(error, InvalidTransition) and error.step:
        telemetry.REFUSED_TRANSITIONS.labels(*error.step).inc()
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="tutelage"'
    return _answer(status, error.code, error.message, error.details, headers)


def answer_http_error(error: HTTPException) -> Response:
    """An error of Flask or Werkzeug: an unknown route, a wrong method, a body too large, or a defect outside a view."""
    original = getattr(error, "original_exception", None)
    if original is not None:
        return answer_failure(original)
    status = error.code or 500
    code = CODE_OF_STATUS.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "_")
    headers = {name: value for name, value in error.get_headers() if name in KEPT_HEADERS}
    message = SENTENCES.get(status) or error.description or HTTPStatus(status).phrase
    if status == 413 and request.max_content_length:
        message = f"The body is too large; the limit is {request.max_content_length // 1024} kB."
    return _answer(status, code, message, None, headers)


def answer_database_error(error: SQLAlchemyError) -> Response:
    """The refusal that a violated constraint stands for, 503 during an outage, otherwise a defect."""
    refused = constraints.error_of(error) if isinstance(error, DBAPIError) else None
    if refused is not None:
        return answer_domain_error(refused)
    if is_outage(error):
        log.warning("database unavailable", error=type(error).__name__, reason=str(getattr(error, "orig", error)))
        return unavailable()
    return answer_failure(error)


def answer_failure(error: Exception) -> Response:
    """A defect: 500 without internals, logged with its traceback."""
    if isinstance(error, DomainError):
        return answer_domain_error(error)
    if isinstance(error, SQLAlchemyError) and is_outage(error):
        return unavailable()
    rule = request.url_rule
    log.error("request failed", method=request.method, route=rule.rule if rule else None, exc_info=error)
    return _answer(500, "internal_error", SENTENCES[500])


def answer(error: Exception) -> Response:
    if isinstance(error, DomainError):
        return answer_domain_error(error)
    if isinstance(error, HTTPException):
        return answer_http_error(error)
    return answer_database_error(error) if isinstance(error, SQLAlchemyError) else answer_failure(error)


def unavailable(message: str = SENTENCES[503]) -> Response:
    return _answer(503, "unavailable", message, None, {"Retry-After": "1"})


def _answer(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    g.refusal = code
    response = jsonify(shape(status, code, message, g.get("request_id"), details))
    response.status_code = status
    response.headers.update(headers or {})
    return response
