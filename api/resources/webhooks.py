"""Webhook endpoints, their deliveries, and the event types that they can ask for."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response

from api.errors import unavailable
from api.http.etags import WithHeaders, tagged
from api.http.headers import NOT_KEPT
from api.openapi.examples import example_of
from api.routes import cursors
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import OPERATOR, OPERATOR_OR_MENTOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import webhooks as shapes
from api.schemas.base import EmptyBody
from api.state import app_state
from models.events import DeliveryState
from models.keys import KeyScope
from workflows.events.status import webhook_status_query
from workflows.identity.access import require_endpoint_owner
from workflows.kernel.errors import NotFound
from workflows.streams.changes import OtherCluster, events_after, present_of
from workflows.webhooks.actions import (
    change_endpoint,
    checked_event_types,
    create_endpoint,
    delete_endpoint,
    ping_endpoint,
    rotate_secret,
    sealed_secrets,
    send_example,
    types_among,
)
from workflows.webhooks.deliveries import WEBHOOK_DELIVERIES, WebhookDelivery, attempts_of, recover, resend
from workflows.webhooks.messages import EventType, described_event_types, message_of
from workflows.webhooks.records import ENDPOINTS, Endpoint
from workflows.webhooks.secrets import verifier_of

webhooks = Area("Webhooks", "Endpoints of partners, to which events are sent as Standard Webhooks describes.")
webhook_deliveries = Area("Webhook deliveries", "Messages to endpoints, with every attempt; they can be sent again.")

ENDPOINT = Subject(name="webhook endpoint", record=Endpoint, access=require_endpoint_owner)
DELIVERY = Subject(
    name="webhook delivery",
    kind="delivery",
    query=webhook_status_query,
    record=WebhookDelivery,
    access=require_endpoint_owner,
)


@webhooks.route("/webhook-endpoints", methods=["POST"])
@refuses("endpoint_exists", "endpoint_limit")
@changes(OPERATOR_OR_MENTOR, action="webhook_endpoint.created")
@webhooks.arguments(shapes.NewWebhookEndpoint)
@webhooks.response(201, shapes.WebhookEndpoint, example=example_of(shapes.WebhookEndpoint, state="pending"))
def create_webhook_endpoint(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[Endpoint]:
    """Create an endpoint; it is pinged at once, and events are sent to it from its first 2xx answer on."""
    endpoint = create_endpoint(
        context.db,
        actor=context.actor,
        seal=app_state().sealer.seal,
        allowed=app_state().settings.webhook_allowed_networks,
        now=context.now,
        **body,
    )
    return tagged(endpoint, Location=f"/webhook-endpoints/{endpoint.id}")


@webhooks.route("/webhook-endpoints")
@webhooks.response(200, shapes.WebhookEndpoints)
@list_route(OPERATOR_OR_MENTOR, ENDPOINTS, shapes.WebhookEndpointFilters)
def list_webhook_endpoints(context: RequestContext[None]) -> dict[str, Any]:
    """List the caller's endpoints, the newest first; operators share theirs."""
    return {"mentor_profile_id": context.actor.mentor_profile_id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>")
@versioned
@reads(OPERATOR_OR_MENTOR, ENDPOINT)
@webhooks.response(200, shapes.WebhookEndpoint)
def get_webhook_endpoint(context: RequestContext[Endpoint]) -> WithHeaders[Endpoint]:
    """Read an endpoint."""
    return tagged(context.subject)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>", methods=["PATCH"])
@refuses("endpoint_exists", "invalid_transition")
@changes(OPERATOR_OR_MENTOR, ENDPOINT, action="webhook_endpoint.changed")
@webhooks.arguments(shapes.WebhookEndpointChanges, example={"eventTypes": ["*"], "state": "paused"})
@webhooks.response(200, shapes.WebhookEndpoint)
def update_webhook_endpoint(context: RequestContext[Endpoint], body: dict[str, Any]) -> WithHeaders[Endpoint]:
    """Change an endpoint.

    A new `url` makes it `pending`, and it is pinged. `state` pauses an active endpoint, or resumes a paused one;
    events during a pause are not sent by themselves afterwards, and can be recovered.
    """
    changed = change_endpoint(
        context.db,
        actor=context.actor,
        endpoint=context.subject,
        changes=body,
        seal=app_state().sealer.seal,
        allowed=app_state().settings.webhook_allowed_networks,
        now=context.now,
        quotas=app_state().message_quotas,
        any_version=context.any_version,
    )
    return tagged(changed)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>", methods=["DELETE"])
@changes(OPERATOR_OR_MENTOR, ENDPOINT, action="webhook_endpoint.deleted")
@webhooks.response(204)
def delete_webhook_endpoint(context: RequestContext[Endpoint]) -> None:
    """Delete an endpoint; its pending deliveries are cancelled."""
    delete_endpoint(context.db, actor=context.actor, endpoint=context.subject, any_version=context.any_version)


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/secret")
@reads(OPERATOR_OR_MENTOR, ENDPOINT, scope=KeyScope.OPERATIONS, in_person=True)
@webhooks.response(200, shapes.WebhookSecret)
def get_webhook_secret(context: RequestContext[Endpoint]) -> WithHeaders[dict[str, str]]:
    """Read what verifies the endpoint's messages: its newest secret, or for Ed25519 the public key."""
    sealed = sealed_secrets(context.db, context.subject.id)
    if not sealed:
        raise NotFound("This endpoint has no valid secret.")
    return {"secret": verifier_of(app_state().sealer.unseal(sealed[0]))}, NOT_KEPT


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/secret/rotate", methods=["POST"])
@refuses("secret_limit")
@changes(OPERATOR_OR_MENTOR, ENDPOINT, action="webhook_endpoint.secret_rotated", in_person=True)
@webhooks.arguments(shapes.SecretRotation, required=False, example={"graceHours": 24})
@webhooks.response(200, shapes.WebhookSecret)
def rotate_webhook_secret(context: RequestContext[Endpoint], body: dict[str, Any]) -> WithHeaders[dict[str, str]]:
    """Replace the secret; for `graceHours`, messages are signed with the old ones, too."""
    secret = rotate_secret(
        context.db,
        actor=context.actor,
        endpoint=context.subject,
        seal=app_state().sealer.seal,
        grace=timedelta(hours=body["grace_hours"]),
        secret=body.get("secret"),
    )
    return {"secret": verifier_of(secret)}, NOT_KEPT


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/ping", methods=["POST"])
@changes(OPERATOR_OR_MENTOR, ENDPOINT, action="webhook_endpoint.pinged")
@webhooks.arguments(EmptyBody, required=False, example={})
@webhooks.response(202, shapes.WebhookPing)
def ping_webhook_endpoint(context: RequestContext[Endpoint], _body: dict[str, Any]) -> dict[str, UUID]:
    """Send a signed ping; the first 2xx answer makes the endpoint active."""
    ping = ping_endpoint(
        context.db, actor=context.actor, endpoint=context.subject, now=context.now, quotas=app_state().message_quotas
    )
    return {"endpoint_id": context.subject.id, "event_id": ping.id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/example", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, ENDPOINT, action="webhook_endpoint.example_sent")
@webhooks.arguments(shapes.WebhookExampleRequest)
@webhooks.response(202, shapes.WebhookPing)
def send_webhook_example(context: RequestContext[Endpoint], body: dict[str, Any]) -> dict[str, UUID]:
    """Send an example message to an active endpoint, and to no other."""
    example = send_example(
        context.db,
        actor=context.actor,
        endpoint=context.subject,
        event_type=body["event_type"],
        now=context.now,
        quotas=app_state().message_quotas,
    )
    return {"endpoint_id": context.subject.id, "event_id": example.id}


@webhooks.route("/webhook-endpoints/<id:endpoint_id>/recover", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, ENDPOINT, action="webhook_endpoint.recovered")
@webhooks.arguments(shapes.WebhookRecovery, example={"since": "2030-05-01T00:00:00Z", "until": "2030-05-02T00:00:00Z"})
@webhooks.response(202, shapes.RecoveredCount)
def recover_webhook_endpoint(context: RequestContext[Endpoint], body: dict[str, Any]) -> dict[str, int]:
    """Send again what an active endpoint missed: what is dead of that time, and what was not sent as it was not active.

    Of the types that it asks for now; at most 10,000, the oldest first, 25 a second. What is recovered already, or has
    arrived, is not sent twice.
    """
    recovered = recover(
        context.db,
        actor=context.actor,
        endpoint=context.subject,
        now=context.now,
        quotas=app_state().message_quotas,
        **body,
    )
    return {"recovered": recovered}


@webhook_deliveries.route("/webhook-deliveries")
@webhook_deliveries.response(200, shapes.WebhookDeliveries)
@list_route(OPERATOR_OR_MENTOR, WEBHOOK_DELIVERIES, shapes.WebhookDeliveryFilters)
def list_webhook_deliveries(
    context: RequestContext[None], *, endpoint_id: UUID | None = None, state: DeliveryState | None = None
) -> dict[str, Any]:
    """List the deliveries to the caller's endpoints, the newest events first."""
    return {
        "mentor_profile_id": context.actor.mentor_profile_id,
        "endpoint_id": endpoint_id,
        # An operator may look into a mentor's endpoint by its name, as into the endpoint itself.
        "of_any_owner": context.actor.operator and endpoint_id is not None,
        "state": state,
    }


@webhook_deliveries.route("/webhook-deliveries/<id:delivery_id>")
@versioned
@reads(OPERATOR_OR_MENTOR, DELIVERY)
@webhook_deliveries.response(200, shapes.WebhookDeliveryDetails)
def get_webhook_delivery(context: RequestContext[WebhookDelivery]) -> WithHeaders[dict[str, Any]]:
    """Read a delivery with every attempt."""
    return _with_attempts(context, context.subject), {"ETag": f'"{context.subject.version}"'}


@webhook_deliveries.route("/webhook-deliveries/<id:delivery_id>/resend", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, DELIVERY, action="delivery.resent")
@webhook_deliveries.arguments(EmptyBody, required=False, example={})
@webhook_deliveries.response(202, shapes.WebhookDelivery)
def resend_webhook_delivery(
    context: RequestContext[WebhookDelivery], _body: dict[str, Any]
) -> WithHeaders[WebhookDelivery]:
    """Send a message again, under the same `webhook-id`.

    A pending delivery becomes due now, a dead one gets all its attempts again; one that is done or cancelled stays as
    it is, and the answer is another delivery of the same event. While the endpoint has a `retryingAt`, they wait: a
    ping that is answered with 2xx ends that. Under its `rateLimit` they wait for their turns.
    """
    on_its_way = resend(context.db, actor=context.actor, delivery=context.subject, quotas=app_state().message_quotas)
    return tagged(on_its_way, Location=f"/webhook-deliveries/{on_its_way.id}")


@webhook_deliveries.route("/event-types")
@reads(OPERATOR_OR_MENTOR)
@webhook_deliveries.response(200, shapes.EventTypes)
def list_event_types(_context: RequestContext[None]) -> dict[str, tuple[EventType, ...]]:
    """List the event types, each with the JSON Schema of its messages and an example."""
    return {"items": described_event_types()}


@webhook_deliveries.route("/events")
@refuses("unavailable")
@reads(OPERATOR, scope=KeyScope.EVENTS)
@webhook_deliveries.arguments(shapes.EventQuery, location="query")
@webhook_deliveries.response(200, shapes.Events)
def list_events(context: RequestContext[None], query: dict[str, Any]) -> dict[str, Any] | Response:
    """List events in the order of their commits, to synchronise: none is ever skipped by a slow transaction.

    A request goes through at most 10,000 events, so that there may be fewer than `limit`, or none, of `types` among
    them. Ask again with `nextCursor` as `after`: at once while `hasMore`, later otherwise. A database that was
    restored, or whose server was replaced, begins another order: the cursor is then refused with 400. Read the lists
    once, and start without a cursor.
    """
    types = types_among(checked_event_types(query["types"].split(","), "types"))
    try:
        present = present_of(context.db)
    except OtherCluster as error:
        return unavailable(str(error))
    signer = cursors.signer_for({"types": query["types"], "history": present.history.name})
    after = cursors.decode(query["after"], (int, int), signer) if "after" in query else (0, 0)
    page = events_after(context.db, present, (after[0], after[1]), types, query["limit"])
    return {
        "items": [message_of(event) for event in page.events],
        "next_cursor": cursors.encode(page.position, signer),
        "has_more": page.has_more,
    }


def _with_attempts(context: RequestContext[WebhookDelivery], delivery: WebhookDelivery) -> dict[str, Any]:
    names = [field.attribute or name for name, field in shapes.WebhookDelivery().fields.items()]
    shown = {name: getattr(delivery, name) for name in names}
    return {**shown, "attempt_log": attempts_of(context.db, delivery)}
