"""Courses, and the listings that mentors offer."""

from dataclasses import replace
from typing import Any

import marshmallow as ma
from marshmallow import fields

from api.schemas.base import ExternalBody, ExternalListQuery, ExternalShown, RequestSchema, page_of
from api.schemas.fields import (
    OPTIONAL,
    Choice,
    Currency,
    Id,
    Line,
    Moment,
    Price,
    QueryWhole,
    SearchText,
    Text,
    TrueOrFalse,
    Whole,
)
from api.schemas.payments import payment_mode
from api.schemas.terms import OfferedTerms, OfferedTermsBody, Reminders, kind_alone, with_price_columns
from models.catalog import MAX_SESSIONS_OF_A_BUNDLE, MAX_VALID_DAYS, BookingMode, ProductKind
from workflows.accounts.actions import stored_skill
from workflows.catalog.listings import Listing as ListingRecord
from workflows.identity.access import is_mentor
from workflows.identity.actor import Actor
from workflows.kernel.clock import MINUTES_OF_A_YEAR
from workflows.kernel.money import MAX_AMOUNT

_VALIDITY = "How many days a bundle can be used from its purchase on; null for no end."
_DURATION = "Of each session that it pays for; null for any."


class ListingChanges(OfferedTermsBody):
    title = Line(200, metadata={"example": "Career advice"})
    description = Text(5000, allow_none=True)
    course_id = Id(allow_none=True)
    booking_mode = Choice(BookingMode)
    min_notice_minutes = Whole(0, MINUTES_OF_A_YEAR)
    buffer_before_minutes = Whole(0, 1440)
    reminder_minutes = Reminders(allow_none=True)
    active = TrueOrFalse(metadata={"description": "Whether the listing can be booked."})


class NewListing(ListingChanges):
    """A new listing; the defaults are documented at the operation."""

    class Meta(RequestSchema.Meta):
        """New listings are active."""

        exclude = ("active",)

    title = Line(200, required=True, metadata={"example": "Career advice"})
    duration_minutes = Whole(5, 1440, required=True, metadata={"example": 60})
    price = Price(required=True)


class Listing(OfferedTerms):
    description = fields.String(allow_none=True)
    booking_mode = Choice(BookingMode)
    min_notice_minutes = fields.Integer()
    buffer_before_minutes = fields.Integer()
    reminder_minutes = fields.List(fields.Integer(), allow_none=True)


class ListingFilters(ExternalListQuery):
    mentor_profile_id = Id()
    course_id = Id()


Listings = page_of(Listing, "Listings")


def listing_as_seen_by(actor: Actor, listing: ListingRecord) -> ListingRecord:
    """A listing; its link, address or number is shown to its mentor and operators alone."""
    public = kind_alone(listing.location)
    if public == listing.location or actor.operator or is_mentor(actor, listing):
        return listing
    return replace(listing, location=public)


class OfferFilters(ExternalListQuery):
    """Filters about one offer: an active listing for which all of them hold."""

    max_price = QueryWhole(
        0,
        MAX_AMOUNT,
        metadata={
            "example": 5000,
            "description": "The listing's price at most, in minor units of its own currency; see `currency`.",
        },
    )
    currency = Currency(metadata={"example": "USD", "description": "The listing's currency, an ISO 4217 code."})
    duration_minutes = QueryWhole(5, 1440, metadata={"example": 60, "description": "The listing's duration."})

    @ma.post_load
    def as_searched(self, query: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """The skill as profiles hold it, and no words where there are only blanks."""
        if "skill" in query:
            query["skills"] = [stored_skill(query.pop("skill"))]
        if not query.get("q", "").strip():
            query.pop("q", None)
        return query


class NewCourse(ExternalBody):
    title = Line(200, required=True, metadata={"example": "Linear algebra I"})
    description = Text(5000, **OPTIONAL)


class CourseChanges(ExternalBody):
    title = Line(200, metadata={"example": "Linear algebra I"})
    description = Text(5000, allow_none=True)
    active = TrueOrFalse(metadata={"description": "Whether the course is listed."})


class CourseFilters(OfferFilters):
    q = SearchText("title or description")
    skill = Line(60, metadata={"description": "That the listing's mentor has, regardless of case.", "example": "go"})


class Course(ExternalShown):
    """A subject that several mentors can offer listings of."""

    id = Id()
    title = fields.String()
    description = fields.String(allow_none=True)
    active = fields.Boolean()
    created_at = Moment()


Courses = page_of(Course, "Courses")


class ProductChanges(ExternalBody):
    title = Line(200, metadata={"example": "Five sessions"})
    price = Price()
    valid_days = Whole(1, MAX_VALID_DAYS, allow_none=True, metadata={"example": 180, "description": _VALIDITY})
    payment_mode = payment_mode()
    active = TrueOrFalse(metadata={"description": "Whether the product is sold."})

    @ma.post_load
    def as_columns(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        return with_price_columns(body)


class NewProduct(ProductChanges):
    class Meta(RequestSchema.Meta):
        """New products are active."""

        exclude = ("active",)

    kind = Choice(ProductKind, required=True)
    title = Line(200, required=True, metadata={"example": "Five sessions"})
    session_count = Whole(
        1, MAX_SESSIONS_OF_A_BUNDLE, metadata={"example": 5, "description": "Required for a bundle; otherwise 1."}
    )
    duration_minutes = Whole(5, 1440, allow_none=True, metadata={"example": 60, "description": _DURATION})
    price = Price(required=True)


class Product(ExternalShown):
    id = Id()
    course_id = Id()
    kind = Choice(ProductKind)
    title = fields.String()
    session_count = fields.Integer()
    duration_minutes = fields.Integer(allow_none=True, metadata={"description": _DURATION})
    price = Price()
    valid_days = fields.Integer(allow_none=True, metadata={"description": _VALIDITY})
    payment_mode = payment_mode()
    active = fields.Boolean()


Products = page_of(Product, "Products")
