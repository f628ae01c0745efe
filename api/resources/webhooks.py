"""Webhook endpoints: an operator's hear everything, a mentor's what concerns that mentor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.blueprints import Area, refuses, versioned
from api.context import OPERATOR_OR_MENTOR, RequestContext, Subject
from api.etags import tagged
from api.lists import lists
from api.loaders import changes, reads
from api.parts import parts
from api.schemas import webhooks as shapes
from api.schemas.base import EmptyBody
from workflows.errors import NotFound
from workflows.webhooks.deliveries import recover
from workflows.webhooks.endpoints import (
    ENDPOINTS,
    Endpoint,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    endpoint_query,
    ping_endpoint,
    require_owner,
    rotate_secret,
    sealed_secrets,
    send_example,
)
from workflows.webhooks.secrets import verifier_of

webhooks = Area("Webhooks", "Where partners are told of events, signed as Standard Webhooks.")

ENDPOINT = Subject(name="webhook endpoint", query=endpoint_query, record=Endpoint, access=require_owner)
NOT_KEPT = {"Cache-Control": "no-store"}


@webhooks.route("/webhook-endpoints", methods=["POST"])
@refuses("endpoint_exists", "endpoint_limit")
@changes(OPERATOR_OR_MENTOR)
@webhooks.arguments(shapes.NewEndpoint)
@webhooks.response(201, shapes.Endpoint)
def create_webhook_endpoint(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Create an endpoint; it is pinged at once, and told of events from its first 2xx answer on."""
    endpoint = create_endpoint(
        context.db,
        actor=context.actor,
        seal=parts().sealer.seal,
        allowed=parts().settings.webhook_allowed_networks,
        now=context.now,
        **body,
    )
    return tagged(endpoint, Location=f"/webhook-endpoints/{endpoint.id}")


@webhooks.route("/webhook-endpoints")
@webhooks.response(200, shapes.Endpoints)
@lists(OPERATOR_OR_MENTOR, ENDPOINTS, shapes.EndpointFilters)
def list_webhook_endpoints(context: RequestContext[None]) -> dict[str, Any]:
    """List one's own endpoints, the newest first; operators share theirs."""
    return {"mentor_profile_id": context.actor.mentor_profile_id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>")
@versioned
@reads(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(200, shapes.Endpoint)
def get_webhook_endpoint(context: RequestContext[Endpoint]) -> Any:
    """Read an endpoint."""
    return tagged(context.subject)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>", methods=["PATCH"])
@refuses("endpoint_exists", "invalid_transition")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.EndpointChanges)
@webhooks.response(200, shapes.Endpoint)
def change_webhook_endpoint(context: RequestContext[Endpoint], body: dict[str, Any]) -> Any:
    """Change an endpoint.

    A new `url` makes it `pending`, and it is pinged. `state` pauses an active endpoint, or lets a paused one go on;
    what happens in a pause is not sent by itself afterwards, and can be recovered.
    """
    changed = change_endpoint(
        context.db,
        actor=context.actor,
        endpoint=context.subject,
        changes=body,
        seal=parts().sealer.seal,
        allowed=parts().settings.webhook_allowed_networks,
        now=context.now,
    )
    return tagged(changed)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>", methods=["DELETE"])
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(204)
def delete_webhook_endpoint(context: RequestContext[Endpoint]) -> Any:
    """Delete an endpoint; what it was still to be told is not sent any more."""
    delete_endpoint(context.db, actor=context.actor, endpoint=context.subject)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/secret")
@reads(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(200, shapes.Secret)
def get_webhook_secret(context: RequestContext[Endpoint]) -> Any:
    """Read what verifies the endpoint's messages: its newest secret, or for Ed25519 the public key."""
    sealed = sealed_secrets(context.db, context.subject.id)
    if not sealed:
        raise NotFound("This endpoint has no valid secret.")
    return {"secret": verifier_of(parts().sealer.unseal(sealed[0]))}, NOT_KEPT


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/secret/rotate", methods=["POST"])
@refuses("secret_limit")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.Rotation, required=False)
@webhooks.response(200, shapes.Secret)
def rotate_webhook_secret(context: RequestContext[Endpoint], body: dict[str, Any]) -> Any:
    """Replace the secret; for `graceHours`, messages are signed with the old ones, too."""
    secret = rotate_secret(
        context.db,
        actor=context.actor,
        endpoint=context.subject,
        seal=parts().sealer.seal,
        grace=timedelta(hours=body["grace_hours"]),
        secret=body.get("secret"),
    )
    return {"secret": verifier_of(secret)}, NOT_KEPT


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/ping", methods=["POST"])
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(EmptyBody, required=False)
@webhooks.response(202, shapes.Ping)
def ping_webhook_endpoint(context: RequestContext[Endpoint], _body: dict[str, Any]) -> Any:
    """Send a signed ping; the first 2xx answer makes the endpoint active."""
    ping = ping_endpoint(context.db, actor=context.actor, endpoint=context.subject, now=context.now)
    return {"endpoint_id": context.subject.id, "event_id": ping.id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/example", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.ExampleWanted)
@webhooks.response(202, shapes.Ping)
def send_webhook_example(context: RequestContext[Endpoint], body: dict[str, Any]) -> Any:
    """Send an active endpoint an example of a message; nobody else hears of it."""
    asked = send_example(
        context.db, actor=context.actor, endpoint=context.subject, event_type=body["event_type"], now=context.now
    )
    return {"endpoint_id": context.subject.id, "event_id": asked.id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/recover", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.arguments(shapes.Recovery)
@webhooks.response(202, shapes.Recovered)
def recover_webhook_endpoint(context: RequestContext[Endpoint], body: dict[str, Any]) -> Any:
    """Send again what an active endpoint missed: what is dead of that time, and what was not sent as it was not active.

    Of the types that it asks for now; at most 10,000, the oldest first, 25 a second. What is recovered already, or has
    arrived, is not sent twice.
    """
    return {"recovered": recover(context.db, actor=context.actor, endpoint=context.subject, now=context.now, **body)}
