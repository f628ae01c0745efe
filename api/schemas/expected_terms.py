"""What a client may send of the terms that it has shown, on every route that books, joins, holds or buys."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, post_load, validates_schema

from api.schemas.base import RequestSchema
from api.schemas.fields import Id, Money, Whole
from workflows.terms.expected_terms import ExpectedTerms

_PRICE = (
    "The price that was shown: another one is refused with 409 `price_changed` and `details.price`. Of a series, the"
    " price of one session. With a bundle's credit the price is 0, in any currency."
)
_CANCELLATION = (
    "The cancellation policy that was shown: a worse one is refused with 409 `terms_changed` and"
    " `details.cancellation`. Null is the policy of an offer that mentees cannot cancel; no policy is worse."
)


class ExpectedCancellation(RequestSchema):
    """A cancellation policy as it was shown."""

    window_hours = Whole(0, 8_784, required=True, metadata={"example": 24})
    late_fee_percent = Whole(0, 100, required=True, metadata={"example": 50})


class ExpectedPriceBody(RequestSchema):
    """Base of bodies that may hold the price that was shown."""

    expected_price = fields.Nested(Money, allow_none=True, metadata={"description": _PRICE})

    @post_load
    def as_arguments(self, body: dict[str, Any], **_options: Any) -> Any:
        """Keep what was shown as one value, `expected`."""
        price, policy = body.pop("expected_price", None) or {}, body.pop("expected_cancellation", None) or {}
        shown = {"price_amount": price.get("amount"), "price_currency": price.get("currency"), **policy}
        body["expected"] = ExpectedTerms(**shown)
        return body


class ExpectedTermsBody(ExpectedPriceBody):
    """Base of bodies that may hold the price and the cancellation policy that were shown."""

    expected_cancellation = fields.Nested(
        ExpectedCancellation, allow_none=True, metadata={"description": _CANCELLATION}
    )


class ListingOrDuration(ExpectedTermsBody):
    """Base of bodies that name a listing of one mentor, by its id or by its duration."""

    listing_id = Id(
        load_default=None,
        allow_none=True,
        metadata={"description": "The mentor's listing; without it, the cheapest of that duration."},
    )
    duration_minutes = Whole(
        5,
        1440,
        load_default=None,
        allow_none=True,
        metadata={"description": "Required without `listingId`; beside it, its duration.", "example": 60},
    )

    @validates_schema
    def _has_either(self, body: dict[str, Any], **_options: Any) -> None:
        if body["listing_id"] is None and body["duration_minutes"] is None:
            raise ValidationError("Give listingId or durationMinutes.", "durationMinutes")
