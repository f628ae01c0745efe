"""Webhook endpoints: an operator's hear everything, a mentor's what concerns that mentor."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select

from api.blueprints import Area, refuses
from api.calls import OPERATOR_OR_MENTOR, Call, Subject
from api.etags import tagged
from api.lists import NEWEST_FIRST, lists
from api.loaders import changes, reads
from api.parts import parts
from api.schemas import webhooks as shapes
from api.schemas.base import EmptyBody
from workflows.errors import NotFound
from workflows.identity.actor import Claim
from workflows.paging import Page
from workflows.webhooks.create_endpoint import create_endpoint
from workflows.webhooks.endpoint import Endpoint, endpoint_query, endpoints_query, keeper_of, sealed_secrets
from workflows.webhooks.ping_endpoint import ping_endpoint

webhooks = Area("Webhooks", "Where partners are told of events, signed as Standard Webhooks.")

ENDPOINT = Subject(name="webhook endpoint", query=endpoint_query, record=Endpoint, access=keeper_of)


@webhooks.route("/webhook-endpoints", methods=["POST"])
@refuses("endpoint_exists")
@changes(OPERATOR_OR_MENTOR)
@webhooks.arguments(shapes.NewEndpoint)
@webhooks.response(201, shapes.Endpoint)
def create_webhook_endpoint(call: Call[None], body: dict[str, Any]) -> Any:
    """Create an endpoint; it is pinged at once, and told of events from its first 2xx answer on."""
    endpoint = create_endpoint(call.db, actor=call.actor, seal=parts().sealer.seal, now=call.now, **body)
    return tagged(endpoint, Location=f"/webhook-endpoints/{endpoint.id}")


@webhooks.route("/webhook-endpoints")
@webhooks.response(200, shapes.Endpoints)
@lists(OPERATOR_OR_MENTOR, Endpoint, shapes.EndpointFilters, NEWEST_FIRST)
def list_webhook_endpoints(claim: Claim, page: Page) -> Select[Any]:
    """List one's own endpoints, the newest first; operators share theirs."""
    return endpoints_query(page, mentor_profile_id=None if claim.operator else claim.mentor_profile_id)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>")
@reads(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(200, shapes.Endpoint)
def get_webhook_endpoint(call: Call[Endpoint]) -> Any:
    """Read an endpoint."""
    return tagged(call.subject)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/secret")
@reads(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(200, shapes.Secret)
def get_webhook_secret(call: Call[Endpoint]) -> Any:
    """Read the secret that verifies the endpoint's messages."""
    sealed = sealed_secrets(call.db, call.subject.id)
    if not sealed:
        raise NotFound("This endpoint has no valid secret.")
    return {"secret": parts().sealer.unseal(sealed[0])}, {"Cache-Control": "no-store"}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/ping", methods=["POST"])
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(EmptyBody, required=False)
@webhooks.response(202, shapes.Ping)
def ping_webhook_endpoint(call: Call[Endpoint], _body: dict[str, Any]) -> Any:
    """Send a signed ping; the first 2xx answer makes the endpoint active."""
    ping = ping_endpoint(call.db, actor=call.actor, endpoint=call.subject, now=call.now)
    return {"endpoint_id": call.subject.id, "event_id": ping.id}
