"""Every request of the application is counted before it does anything, and its answer shows the limits."""

from functools import cache

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import ServiceUnavailable

from api.authentication.authenticator import CREDENTIAL_HEADERS
from api.authentication.claims import claim_of_request, is_for_visitors
from api.errors import answer_domain_error
from api.limits.rate_limits import headers_of, refusal
from api.routes.declaration import declaration_of_endpoint
from api.state import app_state
from workflows.kernel.errors import DomainError, Invalid, Unauthenticated

log = structlog.get_logger(__name__)

EXEMPT = "/health/"


def register(app: Flask) -> None:
    app.before_request(_count)
    app.after_request(_show)
    app.register_error_handler(Unauthenticated, _answer_unauthenticated)


def _count() -> None:
    if request.path.startswith(EXEMPT):
        return
    state = app_state()
    try:
        claim = claim_of_request(state.authenticator)
    except (Unauthenticated, Invalid, ServiceUnavailable):
        # Refused where the route wants to know, if it does.
        claim = None
    if claim is not None and claim.visitor is not None and not is_for_visitors(request.endpoint):
        # Refused there; and what needs no credentials is no read of the catalogue.
        claim = None
    limit = declaration_of_endpoint(request.endpoint).limit if request.method == "POST" else None
    counted = state.rate_limits.count(address=request.remote_addr, claim=claim, limit=limit)
    g.counted = counted
    if "X-Forwarded-For" in request.headers and not state.settings.trusted_proxies:
        _warn_of_proxy()
    if (refused := refusal(counted)) is not None:
        raise refused


def charge(cost: int) -> None:
    """Count the present request as so many more; none for 0."""
    if cost:
        g.counted = app_state().rate_limits.charge(g.get("counted", ()), cost)


@cache
def _warn_of_proxy() -> None:
    # Once in a process: with a proxy in front, all clients would be one address.
    log.warning("proxy.not_trusted", hint="X-Forwarded-For is ignored: set TRUSTED_PROXIES, or have nothing send it.")


def _show(response: Response) -> Response:
    response.headers.extend(headers_of(g.get("counted", ())))
    return response


def _answer_unauthenticated(error: DomainError) -> Response:
    """401, or 429 for the credentials of an address from which too many were refused."""
    if g.get("query_keys") or any(name in request.headers for name in CREDENTIAL_HEADERS):
        failures = app_state().rate_limits.count_failure(request.remote_addr)
        g.counted = failures
        return answer_domain_error(refusal(failures) or error)
    return answer_domain_error(error)
