"""Deliveries of every effect, which operators list, retry and cancel."""

from typing import Any
from uuid import UUID

from api.http.etags import WithHeaders, tagged
from api.openapi.examples import example_of
from api.routes.blueprints import Area, refuses
from api.routes.context import OPERATOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes
from api.schemas import operated_deliveries as shapes
from api.schemas.base import EmptyBody
from models.events import DeliveryState
from workflows.events.delivery import DeliveryStatus
from workflows.events.status import status_query
from workflows.operators.deliveries import DELIVERIES, Retried, cancel_delivery, retry_deliveries, retry_delivery

operated_deliveries = Area("Deliveries", "Deliveries of every effect: operators list, retry and cancel them.")

DELIVERY = Subject(name="delivery", query=status_query, record=DeliveryStatus)


@operated_deliveries.route("/operations/deliveries")
@operated_deliveries.response(200, shapes.OperatedDeliveries)
@list_route(OPERATOR, DELIVERIES, shapes.OperatedDeliveryFilters)
def list_deliveries(_context: RequestContext[None], **filters: DeliveryState | UUID | str | None) -> dict[str, Any]:
    """List deliveries of every effect, the newest events first."""
    return filters


@operated_deliveries.route("/operations/deliveries/<id:delivery_id>/retry", methods=["POST"])
@refuses("invalid_transition", "endpoint_not_active")
@changes(OPERATOR, DELIVERY, action="delivery.retried")
@operated_deliveries.arguments(EmptyBody, required=False, example={})
@operated_deliveries.response(
    200, shapes.OperatedDelivery, example=example_of(shapes.OperatedDelivery, state="pending")
)
def retry_dead_delivery(context: RequestContext[DeliveryStatus], _body: dict[str, Any]) -> WithHeaders[DeliveryStatus]:
    """Retry a dead delivery: at once, and with all its attempts again."""
    return tagged(retry_delivery(context.db, actor=context.actor, delivery=context.subject, now=context.now))


@operated_deliveries.route("/operations/deliveries/<id:delivery_id>/cancel", methods=["POST"])
@refuses("invalid_transition", "delivery_in_progress")
@changes(OPERATOR, DELIVERY, action="delivery.cancelled")
@operated_deliveries.arguments(
    shapes.DeliveryCancellation, required=False, example={"reason": "The mail address no longer exists."}
)
@operated_deliveries.response(
    200, shapes.OperatedDelivery, example=example_of(shapes.OperatedDelivery, state="cancelled")
)
def cancel_unfinished_delivery(
    context: RequestContext[DeliveryStatus], body: dict[str, Any]
) -> WithHeaders[DeliveryStatus]:
    """Cancel a pending or dead delivery, for good.

    A dead one is thereby acknowledged, and not retried. A message that is being sent
    may still arrive; its outcome changes nothing. While a worker runs the effect, the answer is 409.
    """
    return tagged(cancel_delivery(context.db, actor=context.actor, delivery=context.subject, now=context.now, **body))


@operated_deliveries.route("/operations/deliveries/retry", methods=["POST"])
@changes(OPERATOR, action="deliveries.retried", about="retry")
@operated_deliveries.arguments(
    shapes.DeliveryRetry, example={"state": "dead", "effect": "mail.send", "since": "2030-05-04T00:00:00Z"}
)
@operated_deliveries.response(202, shapes.RetriedCount)
def retry_dead_deliveries(context: RequestContext[None], body: dict[str, Any]) -> Retried:
    """Retry what is dead: at most 10,000, the oldest events first, 25 a second of each effect.

    The answer's `id` is what the audit knows the retry by.
    """
    return retry_deliveries(
        context.db, actor=context.actor, now=context.now, effect=body.get("effect"), since=body.get("since")
    )
