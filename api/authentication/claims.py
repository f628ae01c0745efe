"""The claim of a request: by its headers, or, where visitors read, by a publishable key in its query."""

from flask import g, request
from werkzeug.exceptions import ServiceUnavailable

from api.authentication.authenticator import QUERY_KEY, Authenticator
from api.routes.declaration import declaration_of_endpoint
from workflows.identity.actor import Claim
from workflows.kernel.errors import Invalid, Unauthenticated


def claim_of_request(authenticator: Authenticator) -> Claim:
    """The claim of the present request, verified once however often it is asked for.

    Raises:
        Unauthenticated: as of `Authenticator.claim_of`.
        Invalid: likewise.
        ServiceUnavailable: likewise.
    """
    kept = g._get_current_object()
    if "claim" not in kept:
        # Of the query, the schema of the route gets what is left.
        kept.query_keys = _query_keys()
        try:
            kept.claim = authenticator.claim_of(request.headers, kept.query_keys)
        except (Unauthenticated, Invalid, ServiceUnavailable) as refused:
            kept.claim = refused
    claim: Claim | Exception = kept.claim
    if isinstance(claim, Exception):
        raise claim
    return claim


def is_for_visitors(endpoint: str | None) -> bool:
    role = declaration_of_endpoint(endpoint).role
    return role is not None and role.visitors


def _query_keys() -> list[str]:
    """The publishable keys in the query: elsewhere, the parameter is like any other."""
    if not request.query_string or not is_for_visitors(request.endpoint):
        return []
    return request.args.getlist(QUERY_KEY)
