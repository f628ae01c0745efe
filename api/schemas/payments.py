"""Payments: what one person owes for one decision, with its refunds."""

from typing import Any

from marshmallow import fields, post_load

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Line, Moment, Money, QueryFlag, Text
from models.payments import PaidFor, PaymentMode, PaymentStatus


class AmountOf(fields.Nested):
    """A record's amount of that name, in its `currency`, as money."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.of = name
        super().__init__(Money, **kwargs)

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> Any:  # noqa: ARG002
        """The column and the currency as one."""
        return {"amount": getattr(obj, self.of), "currency": obj.currency}


def payment_mode(**options: Any) -> fields.Enum[PaymentMode]:
    """When the price of an offer is paid: the field `payment` of listings, products and templates."""
    described = "When the price is paid: `before` it is given, with a payment of its own; `none`: elsewhere."
    shown = {"description": described}
    return fields.Enum(PaymentMode, by_value=True, data_key="payment", metadata=shown, **options)


class Refund(ResponseSchema):
    """What goes back of a payment."""

    id = Id()
    amount = AmountOf("amount")
    reason = fields.String(allow_none=True, metadata={"example": "The session was cancelled."})
    status = fields.String(metadata={"enum": ["due", "done"], "example": "due"})
    reference = fields.String(allow_none=True, metadata={"example": "re_3Nl9"})
    created_at = Moment()
    done_at = Moment(allow_none=True)


class Payment(ResponseSchema):
    """What one person owes for one decision, made with it where its terms say `payment: before`."""

    id = Id()
    paid_for = fields.Enum(PaidFor, by_value=True, data_key="for")
    booking_id = Id(allow_none=True, metadata={"description": "Of a seat, the group's."})
    series_id = Id(allow_none=True)
    bundle_purchase_id = Id(allow_none=True, data_key="bundleId")
    user_id = Id()
    mentor_profile_id = Id(allow_none=True, metadata={"description": "Null of a bundle."})
    amount = AmountOf("amount")
    status = fields.Enum(PaymentStatus, by_value=True)
    due_at = Moment()
    paid_at = Moment(allow_none=True)
    reference = fields.String(allow_none=True, metadata={"example": "pi_3Nl9", "description": "Of what arrived."})
    refund_due = AmountOf("refund_due", metadata={"description": "What is still to go back."})
    refunded = AmountOf("refunded", metadata={"description": "What has gone back."})
    refunds = fields.List(fields.Nested(Refund), metadata={"description": "The latest 100.", "example": []})
    open_checkout_url = fields.String(
        allow_none=True,
        data_key="checkoutUrl",
        metadata={"example": None, "description": "The page at which it can be paid, once one was asked for."},
    )
    version = fields.Integer(metadata={"example": 2})
    created_at = Moment()
    updated_at = Moment()


class OwnPayment(fields.Nested):
    """The payment of a booking; null where none is made."""

    def __init__(self) -> None:
        described = "Made where the terms say `payment: before` and the price is above 0; else null."
        super().__init__(
            Payment, allow_none=True, dump_default=None, metadata={"description": described, "example": None}
        )
        self._shown = Payment()

    def write(self, value: Any) -> Any:
        """The payment as it is shown."""
        return self._shown.dump(value)


class PaymentFilters(ListQuery):
    """Filters of payments."""

    status = fields.Enum(PaymentStatus, by_value=True)
    user_id = Id(metadata={"description": "Whose payments; for operators, who otherwise see all."})
    mentor_profile_id = Id(metadata={"description": "For which mentor; for operators."})
    refund_due = QueryFlag(metadata={"description": "Whether something is still to go back."})
    updated_since = Moment(metadata={"description": "Only those that have changed at or after this time."})


class AmountBody(RequestSchema):
    """Base of bodies with an amount."""

    amount = fields.Nested(Money, required=True)

    @post_load
    def as_arguments(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Split the amount from its currency."""
        money = body.pop("amount")
        return {**body, "amount": money["amount"], "currency": money["currency"]}


class Confirmation(AmountBody):
    """Money that has arrived."""

    reference = Line(200, required=True, metadata={"example": "pi_3Nl9", "description": "Unique among all payments."})


class NewRefund(AmountBody):
    """A part of a payment that is to go back."""

    reason = Text(2000, shortest=1, required=True, metadata={"description": "Kept in the ledger."})


class RefundDone(RequestSchema):
    """A refund that has gone back."""

    reference = Line(200, required=True, metadata={"example": "re_3Nl9"})


class PaymentWaiver(RequestSchema):
    """Why a payment is let go."""

    reason = Text(2000, shortest=1, required=True, metadata={"description": "Kept in the audit log."})


class CheckoutWish(RequestSchema):
    """Where the person returns to from the page of the payment provider."""

    success_url = Line(2000, required=True, metadata={"example": "https://app.example.org/paid"})
    cancel_url = Line(2000, required=True, metadata={"example": "https://app.example.org/bookings"})


class Checkout(ResponseSchema):
    """The page of the payment provider."""

    url = fields.String(metadata={"example": "https://checkout.stripe.com/c/pay/cs_live_a1"})


class Taken(ResponseSchema):
    """An event was taken."""

    received = fields.Boolean(metadata={"example": True})


Payments = page_of(Payment, "Payments")
