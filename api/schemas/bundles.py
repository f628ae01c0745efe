"""Bundles of sessions, and the ledger of their credits."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from api.schemas.base import ExternalBody, ExternalListQuery, ExternalShown, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import OPTIONAL, Choice, Id, Moment, Price, Text, Whole
from api.schemas.payments import OwnPayment
from api.schemas.terms import ExpectedPriceBody
from models.bundles import BundleEntryKind
from workflows.bundles.records import BundleStatus

MAX_ADJUSTMENT = 1000


class BundlePurchase(ExpectedPriceBody, ExternalBody):
    product_id = Id(required=True, metadata={"description": "An active product of the course, of the kind `bundle`."})
    student_id = Id(
        **OPTIONAL, metadata={"description": "Who buys it: the caller, or any user if the caller is an operator."}
    )


class BundleAdjustment(RequestSchema):
    credits = Whole(
        -MAX_ADJUSTMENT,
        MAX_ADJUSTMENT,
        load_default=0,
        metadata={"example": 1, "description": "Added to what is left and, if positive, to the total."},
    )
    valid_to = Moment(
        allow_none=True, metadata={"description": "The end of the validity from now on; null for no end."}
    )
    reason = Text(2000, shortest=1, required=True, metadata={"description": "Kept in the ledger and the audit log."})

    @ma.post_load
    def as_arguments(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Tell an end that is null from one that is not given."""
        changes = {name: body.pop(name) for name in ("valid_to",) if name in body}
        return {**body, "changes": changes}


class BundleEntry(ResponseSchema):
    id = Id()
    kind = Choice(BundleEntryKind)
    credits = fields.Integer(metadata={"description": "How many came, or if negative went."})
    balance = fields.Integer(metadata={"description": "How many were left after it."})
    booking_id = Id(allow_none=True, metadata={"description": "The booking that the credit paid for."})
    reason = fields.String(allow_none=True)
    created_at = Moment()


class ListedBundle(ExternalShown):
    id = Id()
    mentee_user_id = Id()
    course_id = Id()
    product_id = Id()
    total_sessions = fields.Integer()
    remaining_sessions = fields.Integer()
    duration_minutes = fields.Integer(
        allow_none=True, metadata={"description": "Of each session that it pays for; null for any."}
    )
    price = Price()
    valid_from = Moment()
    valid_to = Moment(allow_none=True, metadata={"description": "It pays for nothing from then on; null for no end."})
    status = Choice(
        BundleStatus,
        metadata={"description": "Expired from `validTo` on; before that exhausted while no session is left."},
    )
    payment = OwnPayment()
    created_at = Moment()


class Bundle(ListedBundle):
    ledger = fields.List(
        fields.Nested(BundleEntry), metadata={"description": "The latest 500 entries, the oldest of them first."}
    )


class BundleFilters(ExternalListQuery):
    mentee_user_id = Id(metadata={"description": "Whose bundles; for operators, who otherwise see all."})


Bundles = page_of(ListedBundle, "Bundles")
