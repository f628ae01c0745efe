"""Payments: confirmed, waived and refunded by operators; seen by who owes them and by the mentor."""

from __future__ import annotations

from typing import Any

from api.http.etags import WithHeaders, tagged
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import ANYONE, OPERATOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import payments as shapes
from models.keys import KeyScope
from workflows.identity.access import require_payment_access, require_user_id
from workflows.payments.records import PAYMENTS, Payment, PaymentOfRefund, payment_query, refund_query
from workflows.settlements.actions import complete_refund, confirm, grant_refund, waive

payments = Area(
    "Payments",
    "What one person owes for one booking, series, seat or bundle that is paid before it is given. Money itself is"
    " moved elsewhere: its arrival is confirmed here, and what is to go back is entered as done.",
)

PAYMENT = Subject(name="payment", query=payment_query, record=Payment)
OWN_PAYMENT = Subject(name="payment", query=payment_query, record=Payment, access=require_payment_access)
REFUND = Subject(name="refund", kind="payment", query=refund_query, record=PaymentOfRefund)


@payments.route("/payments")
@refuses("forbidden")
@payments.response(200, shapes.Payments)
@list_route(ANYONE, PAYMENTS, shapes.PaymentFilters)
def list_payments(context: RequestContext[None], **filters: Any) -> dict[str, Any]:
    """List the caller's payments, newest first; operators see all."""
    actor, mentor = context.actor, filters.get("mentor_profile_id")
    if actor.operator or (mentor is not None and mentor == actor.mentor_profile_id):
        return filters
    owner = filters.pop("user_id", None) or actor.user_id
    require_user_id(actor, owner, "Only operators see the payments of others.")
    return {**filters, "user_id": owner}


@payments.route("/payments/<id:payment_id>")
@versioned
@reads(ANYONE, OWN_PAYMENT)
@payments.response(200, shapes.Payment)
def get_payment(context: RequestContext[Payment]) -> WithHeaders[Payment]:
    """Get a payment. Only who owes it, the mentor and operators find it."""
    return tagged(context.subject)


@payments.route("/payments/<id:payment_id>/confirm", methods=["POST"])
@refuses("already_paid", "reference_in_use", "wrong_amount", "invalid_transition")
@changes(OPERATOR, PAYMENT, action="payment.confirmed", scope=KeyScope.PAYMENTS)
@payments.arguments(shapes.Confirmation)
@payments.response(200, shapes.Payment)
def confirm_payment(context: RequestContext[Payment], body: dict[str, Any]) -> WithHeaders[Payment]:
    """Confirm that the amount has arrived: what waits for it is given.

    The same reference again changes nothing. Of a payment that has lapsed or was cancelled, the whole amount is to go
    back.
    """
    return tagged(confirm(context.db, actor=context.actor, payment=context.subject, now=context.now, **body))


@payments.route("/payments/<id:payment_id>/waive", methods=["POST"])
@refuses("invalid_transition")
@changes(OPERATOR, PAYMENT, action="payment.waived")
@payments.arguments(shapes.PaymentWaiver, example={"reason": "A voucher of the fair."})
@payments.response(200, shapes.Payment)
def waive_payment(context: RequestContext[Payment], body: dict[str, Any]) -> WithHeaders[Payment]:
    """Let a payment go: what waits for it is given, nothing is charged, and nothing will be refunded."""
    return tagged(waive(context.db, actor=context.actor, payment=context.subject, now=context.now, **body))


@payments.route("/payments/<id:payment_id>/refunds", methods=["POST"])
@refuses("refund_exceeds_payment")
@changes(OPERATOR, PAYMENT, action="payment.refund_granted")
@payments.arguments(shapes.NewRefund, example={"amount": {"amount": 1000, "currency": "USD"}, "reason": "Goodwill."})
@payments.response(201, shapes.Payment)
def create_refund(context: RequestContext[Payment], body: dict[str, Any]) -> WithHeaders[Payment]:
    """Grant a refund, also after completion. It is due from then on; the newest of `refunds` is this one."""
    refunded = grant_refund(context.db, actor=context.actor, payment=context.subject, now=context.now, **body)
    return tagged(refunded, Location=f"/payments/{refunded.id}")


@payments.route("/payments/<id:payment_id>/refunds/<id:refund_id>/done", methods=["POST"])
@refuses("already_refunded")
@changes(OPERATOR, REFUND, action="payment.refunded", scope=KeyScope.PAYMENTS)
@payments.arguments(shapes.RefundDone)
@payments.response(200, shapes.Payment)
def finish_refund(context: RequestContext[PaymentOfRefund], body: dict[str, Any]) -> WithHeaders[Payment]:
    """Enter that a refund has gone back. The same reference again changes nothing."""
    return tagged(complete_refund(context.db, actor=context.actor, payment=context.subject, now=context.now, **body))
