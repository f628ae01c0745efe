"""What webhook endpoints were told, with every attempt, and how to tell them again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.blueprints import Area, refuses, versioned
from api.context import OPERATOR_OR_MENTOR, RequestContext, Subject
from api.etags import tagged
from api.lists import lists
from api.loaders import changes, reads
from api.schemas import webhook_deliveries as shapes
from api.schemas.base import EmptyBody
from models.events import DeliveryState
from workflows.events.store import webhook_status_query
from workflows.webhooks.deliveries import (
    WEBHOOK_DELIVERIES,
    WebhookDelivery,
    attempts_of,
    require_owner_of_endpoint,
    resend,
)
from workflows.webhooks.messages import catalogue

webhook_deliveries = Area("Webhook deliveries", "What endpoints were told, and how to tell them again.")

DELIVERY = Subject(
    name="webhook delivery", query=webhook_status_query, record=WebhookDelivery, access=require_owner_of_endpoint
)


@webhook_deliveries.route("/webhook-deliveries")
@webhook_deliveries.response(200, shapes.WebhookDeliveries)
@lists(OPERATOR_OR_MENTOR, WEBHOOK_DELIVERIES, shapes.DeliveryFilters)
def list_webhook_deliveries(
    context: RequestContext[None], *, endpoint_id: UUID | None = None, state: DeliveryState | None = None
) -> dict[str, Any]:
    """List what one's own endpoints were told or are to be told, the newest events first."""
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
@webhook_deliveries.response(200, shapes.DeliveryWithAttempts)
def get_webhook_delivery(context: RequestContext[WebhookDelivery]) -> Any:
    """Read a delivery with every attempt."""
    return _with_attempts(context, context.subject), {"ETag": f'"{context.subject.version}"'}


@webhook_deliveries.route("/webhook-deliveries/<id:delivery_id>/resend", methods=["POST"])
@refuses("endpoint_not_active")
@changes(OPERATOR_OR_MENTOR, DELIVERY)
@webhook_deliveries.arguments(EmptyBody, required=False)
@webhook_deliveries.response(202, shapes.WebhookDelivery)
def resend_webhook_delivery(context: RequestContext[WebhookDelivery], _body: dict[str, Any]) -> Any:
    """Send a message again, under the same `webhook-id`.

    A pending delivery is tried now, a dead one gets all its attempts again; one that is done or cancelled stays as it
    is, and the answer is another delivery of the same event.
    """
    on_its_way = resend(context.db, actor=context.actor, delivery=context.subject)
    return tagged(on_its_way, Location=f"/webhook-deliveries/{on_its_way.id}")


@webhook_deliveries.route("/event-types")
@reads(OPERATOR_OR_MENTOR)
@webhook_deliveries.response(200, shapes.EventTypes)
def list_event_types(_context: RequestContext[None]) -> Any:
    """List what endpoints can ask for, each with the JSON Schema of its messages and an example."""
    return {"items": catalogue()}


def _with_attempts(context: RequestContext[WebhookDelivery], delivery: WebhookDelivery) -> dict[str, Any]:
    names = [field.attribute or name for name, field in shapes.WebhookDelivery().fields.items()]
    shown = {name: getattr(delivery, name) for name in names}
    return {**shown, "attempt_log": attempts_of(context.db, delivery)}
