"""Payments: confirmed, waived and refunded by operators; seen by who owes them and by the mentor."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from flask import Response, request
from marshmallow import ValidationError

from api.audit.entries import expect_entry
from api.database import database, end_transaction
from api.errors import unavailable
from api.http.etags import WithHeaders, tagged
from api.http.requests import name_actor
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import ANYONE, OPERATOR, RequestContext, Subject, this_moment
from api.routes.declaration import LARGE_BODY_LIMIT_BYTES, Declaration
from api.routes.lists import list_route
from api.routes.loaders import changes, declares, reads
from api.schemas import payments as shapes
from api.state import app_state
from config.addresses import require_origin
from models.keys import KeyScope
from workflows.identity.access import require_payer, require_payment_access, require_user_id
from workflows.identity.actor import STRIPE
from workflows.kernel.errors import Conflict, Invalid, NotFound
from workflows.payments.checkout import keep_page, open_page, title_of
from workflows.payments.records import PAYMENT as PAYMENT_BY_ID
from workflows.payments.records import PAYMENTS, Payment, PaymentOfRefund, payment_query, refund_query
from workflows.settlements.actions import (
    complete_refund,
    confirm,
    grant_refund,
    money_of_return,
    reopen_refund,
    reopen_return,
    return_surplus,
    take_arrival,
    waive,
)

log = structlog.get_logger("api.payments")

payments = Area(
    "Payments",
    "What one person owes for one booking, series, seat or bundle that is paid before it is given. Money itself is"
    " moved elsewhere, by the marketplace itself or by Stripe: its arrival is confirmed here, and what is to go back is"
    " entered as done.",
)

PAYMENT = Subject(name="payment", query=payment_query, record=Payment)
OWN_PAYMENT = Subject(name="payment", query=payment_query, record=Payment, access=require_payment_access)
PAYABLE = Subject(name="payment", query=payment_query, record=Payment, access=require_payer)
REFUND = Subject(name="refund", kind="payment", query=refund_query, record=PaymentOfRefund)

# For so long, a refund can be at Stripe and not be entered as done.
BEING_SENT = timedelta(minutes=15)
_EVENT = {
    "requestBody": {
        "description": "An event as Stripe sends it, signed in the header `Stripe-Signature`.",
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"object": "event", "type": "checkout.session.completed", "data": {"object": {}}},
            }
        },
    }
}


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
    policy = app_state().policy
    paid = confirm(context.db, actor=context.actor, payment=context.subject, now=context.now, policy=policy, **body)
    return tagged(paid)


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
    refunded = grant_refund(
        context.db,
        actor=context.actor,
        payment=context.subject,
        any_version=context.any_version,
        now=context.now,
        **body,
    )
    return tagged(refunded, Location=f"/payments/{refunded.id}")


@payments.route("/payments/<id:payment_id>/refunds/<id:refund_id>/done", methods=["POST"])
@refuses("already_refunded")
@changes(OPERATOR, REFUND, action="payment.refunded", scope=KeyScope.PAYMENTS)
@payments.arguments(shapes.RefundDone)
@payments.response(200, shapes.Payment)
def finish_refund(context: RequestContext[PaymentOfRefund], body: dict[str, Any]) -> WithHeaders[Payment]:
    """Enter that a refund has gone back. The same reference again changes nothing."""
    return tagged(complete_refund(context.db, actor=context.actor, payment=context.subject, now=context.now, **body))


@payments.route("/payments/<id:payment_id>/checkout", methods=["POST"])
@refuses("no_payment_provider", "invalid_transition")
@changes(ANYONE, PAYABLE, action="payment.checkout_opened")
@payments.arguments(shapes.CheckoutWish)
@payments.response(200, shapes.Checkout)
def open_checkout(context: RequestContext[Payment], body: dict[str, str]) -> dict[str, str] | Response:
    """Get the address of Stripe's page at which the payment can be paid; the same one while it is valid.

    Both addresses to which the person returns must be of the operator's `CHECKOUT_ORIGINS`.
    """
    stripe, payment, now = app_state().stripe, context.subject, context.now
    if stripe is None:
        raise Conflict(code="no_payment_provider")
    _require_own_pages(body)
    url = open_page(payment, now=now)
    if url is not None:
        return {"url": url}
    title = title_of(context.db, payment)
    # Stripe is asked while no transaction is open.
    end_transaction()
    # Imported where it is configured alone.
    from infrastructure.stripe_provider import ProviderError  # noqa: PLC0415

    try:
        page = stripe.open_page(
            payment_id=payment.id,
            amount=payment.amount,
            currency=payment.currency,
            title=title,
            until=payment.due_at,
            now=now,
            success_url=body["success_url"],
            cancel_url=body["cancel_url"],
        )
    except ProviderError as error:
        log.warning("payment.no_checkout", payment_id=payment.id, detail=str(error))
        if error.permanent:
            raise Conflict(code="no_payment_provider") from error
        return unavailable("The payment provider does not answer at the moment; try again.")
    return {"url": keep_page(database(), payment, **vars(page), now=this_moment())}


def _require_own_pages(body: dict[str, str]) -> None:
    own = app_state().settings.checkout_origins
    wrong = {
        name: ["must begin with one of the origins in CHECKOUT_ORIGINS"]
        for name, field in (("successUrl", "success_url"), ("cancelUrl", "cancel_url"))
        if _origin_of(body[field]) not in own
    }
    if wrong:
        raise Invalid("People return from the payment page to pages of this marketplace alone.", details=wrong)


def _origin_of(url: str) -> str | None:
    # Browsers read a backslash as a slash, and leave white space out.
    if "\\" in url or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return require_origin(f"{parts.scheme}://{parts.netloc}")
    except (ValueError, ValidationError):
        return None


@payments.route("/payments/stripe", methods=["POST"])
@declares(Declaration(action="payment.confirmed", about="payment", body_limit_bytes=LARGE_BODY_LIMIT_BYTES))
@payments.doc(**_EVENT)
@refuses("invalid_request", "not_found", "too_large", "internal_error", "unavailable")
@payments.response(200, shapes.Taken)
def take_stripe_event() -> dict[str, bool] | Response:
    """Take an event of Stripe, by its signature: money that has arrived for a payment confirms it.

    A refund that was sent and has failed is due again.

    Other events, events of unknown objects, and repeated events change nothing.
    """
    state = app_state()
    if state.stripe is None:
        raise NotFound("No payment provider is configured here.")
    arrival = state.stripe.told(request.get_data(), request.headers.get("Stripe-Signature"))
    if arrival is None:
        return {"received": True}
    name_actor(STRIPE.name)
    # Imported where it is configured alone.
    from infrastructure.stripe_provider import FailedRefund  # noqa: PLC0415

    if isinstance(arrival, FailedRefund):
        return _take_failure(**vars(arrival))
    with state.transactions.autocommit() as look:
        row = look.execute(PAYMENT_BY_ID, {"id": arrival.payment_id}).one_or_none()
    payment = None if row is None else Payment.of(row)
    if payment is not None and payment.reference != arrival.reference:
        db = database()
        expect_entry(db, subject=("payment", payment.id))
        money: dict[str, Any] = {name: getattr(arrival, name) for name in ("reference", "amount", "currency")}
        refusal = take_arrival(db, payment=payment, **money, now=this_moment(), policy=state.policy)
        if refusal is not None:
            # Nothing here tells of that money but its entry.
            expect_entry(db, subject=("payment", payment.id), result=refusal, data=money)
        if refusal in ("already_paid", "invalid_transition") and arrival.amount is not None:
            return_surplus(db, payment=payment, **money, now=this_moment())
    return {"received": True}


def _take_failure(
    *, refund_id: UUID, reference: str, surplus_of: UUID | None, reason: str | None, created_at: datetime
) -> dict[str, bool] | Response:
    state, now = app_state(), this_moment()
    with state.transactions.autocommit() as look:
        row = look.execute(refund_query(None, refund_id)).one_or_none()
    if row is None and surplus_of is not None:
        return _take_failed_return(surplus_of, refund_id, reference)
    payment = None if row is None else PaymentOfRefund.of(row)
    if payment is None:
        # Of another system.
        log.error("payment.refund_failed", refund_id=refund_id, reference=reference)
    elif payment.refund_reference == reference:
        db = database()
        about = {"refundId": str(refund_id), "reference": reference}
        expect_entry(db, action="payment.refund_failed", subject=("payment", payment.id), data=about)
        reopen_refund(db, payment=payment, reference=reference, reason=reason, now=now)
    elif payment.refund_reference is None and now - created_at < BEING_SENT:
        # Stripe's first answer may not be entered yet: Stripe repeats the event.
        return unavailable("This refund is being sent; try again.")
    return {"received": True}


def _take_failed_return(payment_id: UUID, refund_id: UUID, reference: str) -> dict[str, bool]:
    """Take the failure of a return of money that belongs to no payment."""
    about: dict[str, Any] = {"payment_id": payment_id, "refund_id": refund_id, "reference": reference}
    with app_state().transactions.autocommit() as look:
        is_news = money_of_return(look, **about) is not None
    if is_news:
        db, details = database(), {"refundId": str(refund_id), "reference": reference}
        expect_entry(db, action="payment.refund_failed", subject=("payment", payment_id), data=details)
        reopen_return(db, **about, now=this_moment())
    else:
        log.error("payment.refund_failed", **about)
    return {"received": True}
