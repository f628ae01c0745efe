"""Webhook endpoints: an operator's hear everything, a mentor's what concerns that mentor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Select

from api.blueprints import Area, refuses, versioned
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
from workflows.webhooks.ask_example import ask_example
from workflows.webhooks.change_endpoint import change_endpoint, delete_endpoint
from workflows.webhooks.create_endpoint import create_endpoint
from workflows.webhooks.endpoint import Endpoint, endpoint_query, endpoints_query, keeper_of, sealed_secrets
from workflows.webhooks.ping_endpoint import ping_endpoint
from workflows.webhooks.recover import recover
from workflows.webhooks.rotate_secret import rotate_secret
from workflows.webhooks.secrets import verifier_of

webhooks = Area("Webhooks", "Where partners are told of events, signed as Standard Webhooks.")

ENDPOINT = Subject(name="webhook endpoint", query=endpoint_query, record=Endpoint, access=keeper_of)
NOT_KEPT = {"Cache-Control": "no-store"}


@webhooks.route("/webhook-endpoints", methods=["POST"])
@refuses("endpoint_exists", "endpoint_limit")
@changes(OPERATOR_OR_MENTOR)
@webhooks.arguments(shapes.NewEndpoint)
@webhooks.response(201, shapes.Endpoint)
def create_webhook_endpoint(call: Call[None], body: dict[str, Any]) -> Any:
    """Create an endpoint; it is pinged at once, and told of events from its first 2xx answer on."""
    endpoint = create_endpoint(
        call.db,
        actor=call.actor,
        seal=parts().sealer.seal,
        allowed=parts().settings.webhook_allowed_networks,
        now=call.now,
        **body,
    )
    return tagged(endpoint, Location=f"/webhook-endpoints/{endpoint.id}")


@webhooks.route("/webhook-endpoints")
@webhooks.response(200, shapes.Endpoints)
@lists(OPERATOR_OR_MENTOR, Endpoint, shapes.EndpointFilters, NEWEST_FIRST)
def list_webhook_endpoints(claim: Claim, page: Page) -> Select[Any]:
    """List one's own endpoints, the newest first; operators share theirs."""
    return endpoints_query(page, mentor_profile_id=None if claim.operator else claim.mentor_profile_id)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>")
@versioned
@reads(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(200, shapes.Endpoint)
def get_webhook_endpoint(call: Call[Endpoint]) -> Any:
    """Read an endpoint."""
    return tagged(call.subject)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>", methods=["PATCH"])
@refuses("endpoint_exists", "invalid_transition")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.EndpointChanges)
@webhooks.response(200, shapes.Endpoint)
def change_webhook_endpoint(call: Call[Endpoint], body: dict[str, Any]) -> Any:
    """Change an endpoint.

    A new `url` makes it `pending`, and it is pinged. `state` pauses an active endpoint, or lets a paused one go on;
    what happens in a pause is not sent by itself afterwards, and can be recovered.
    """
    changed = change_endpoint(
        call.db,
        actor=call.actor,
        endpoint=call.subject,
        changes=body,
        seal=parts().sealer.seal,
        allowed=parts().settings.webhook_allowed_networks,
        now=call.now,
    )
    return tagged(changed)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>", methods=["DELETE"])
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(204)
def delete_webhook_endpoint(call: Call[Endpoint]) -> Any:
    """Delete an endpoint; what it was still to be told is not sent any more."""
    delete_endpoint(call.db, actor=call.actor, endpoint=call.subject)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/secret")
@reads(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(200, shapes.Secret)
def get_webhook_secret(call: Call[Endpoint]) -> Any:
    """Read what verifies the endpoint's messages: its newest secret, or for Ed25519 the public key."""
    sealed = sealed_secrets(call.db, call.subject.id)
    if not sealed:
        raise NotFound("This endpoint has no valid secret.")
    return {"secret": verifier_of(parts().sealer.unseal(sealed[0]))}, NOT_KEPT


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/secret/rotate", methods=["POST"])
@refuses("secret_limit")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.Rotation, required=False)
@webhooks.response(200, shapes.Secret)
def rotate_webhook_secret(call: Call[Endpoint], body: dict[str, Any]) -> Any:
    """Replace the secret; for `graceHours`, messages are signed with the old ones, too."""
    secret = rotate_secret(
        call.db,
        actor=call.actor,
        endpoint=call.subject,
        seal=parts().sealer.seal,
        grace=timedelta(hours=body["grace_hours"]),
        secret=body.get("secret"),
    )
    return {"secret": verifier_of(secret)}, NOT_KEPT


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/ping", methods=["POST"])
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(EmptyBody, required=False)
@webhooks.response(202, shapes.Ping)
def ping_webhook_endpoint(call: Call[Endpoint], _body: dict[str, Any]) -> Any:
    """Send a signed ping; the first 2xx answer makes the endpoint active."""
    ping = ping_endpoint(call.db, actor=call.actor, endpoint=call.subject, now=call.now)
    return {"endpoint_id": call.subject.id, "event_id": ping.id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/example", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.ExampleWanted)
@webhooks.response(202, shapes.Ping)
def send_webhook_example(call: Call[Endpoint], body: dict[str, Any]) -> Any:
    """Send an active endpoint an example of a message; nobody else hears of it."""
    asked = ask_example(call.db, actor=call.actor, endpoint=call.subject, event_type=body["event_type"], now=call.now)
    return {"endpoint_id": call.subject.id, "event_id": asked.id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/recover", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.Recovery)
@webhooks.response(202, shapes.Recovered)
def recover_webhook_endpoint(call: Call[Endpoint], body: dict[str, Any]) -> Any:
    """Send again what an active endpoint missed: what is dead of that time, and what was not sent as it was not active.

    Of the types that it asks for now; at most 10,000, the oldest first, 25 a second. What is recovered already, or has
    arrived, is not sent twice.
    """
    return {"recovered": recover(call.db, actor=call.actor, endpoint=call.subject, now=call.now, **body)}
