"""Courses, and the listings that mentors offer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import (
    MAX_AMOUNT,
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
from config.addresses import require_meeting_link
from models.catalog import (
    MAX_REMINDER_MINUTES,
    MAX_REMINDERS,
    MAX_SESSIONS_OF_A_BUNDLE,
    MAX_VALID_DAYS,
    BookingMode,
    LocationKind,
    ProductKind,
)
from workflows.accounts.actions import stored_skill
from workflows.catalog.listings import Listing as ListingRecord
from workflows.identity.access import is_mentor
from workflows.identity.actor import Actor

MINUTES_OF_A_YEAR = 527_040
HOURS_OF_A_YEAR = 8_784
_VALIDITY = "How many days a bundle can be used from its purchase on; null for no end."
_DURATION = "Of each session that it pays for; null for any."


class CancellationPolicy(RequestSchema):
    """How long mentees can cancel without a fee, and the fee afterwards as a percentage of the price."""

    window_hours = Whole(0, HOURS_OF_A_YEAR, metadata={"example": 24})
    late_fee_percent = Whole(0, 100, metadata={"example": 50})


class Cancellation(fields.Nested):
    """A listing's cancellation policy from its two columns; null if mentees cannot cancel."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CancellationPolicy, allow_none=True, **kwargs)

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing) -> Any:  # noqa: ARG002
        """The policy of a listing."""
        if obj.cancellation_window_hours is None:
            return None
        return {"window_hours": obj.cancellation_window_hours, "late_fee_percent": obj.late_fee_percent}


class Location(RequestSchema):
    """Where sessions take place."""

    kind = fields.Enum(LocationKind, by_value=True, required=True)
    value = Line(
        500,
        allow_none=True,
        metadata={
            "example": "12 Market Street, second bell",
            "description": "The address, or the number; without it, the mentor shares it otherwise. Or the link to meet"
            " at online, in which `{room}` stands for the session's own room; without it, the operator's service makes"
            " one.",
        },
    )

    @ma.validates_schema
    def require_link(self, location: dict[str, Any], **_options: Any) -> None:
        """Require a link where people meet online.

        Raises:
            ValidationError: it is none.
        """
        if location["kind"] is LocationKind.ONLINE and location.get("value") is not None:
            try:
                require_meeting_link(location["value"])
            except ma.ValidationError as error:
                raise ma.ValidationError(error.messages, "value") from error

    @ma.post_load
    def as_stored(self, location: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """As the column holds it: without a value that is null."""
        return {name: str(value) for name, value in location.items() if value is not None}


class ShownLocation(ResponseSchema):
    """Where sessions take place."""

    kind = fields.String(validate=validate.OneOf([kind.value for kind in LocationKind]))
    value = fields.String(allow_none=True, dump_default=None)


class AgreedLocation(fields.Nested):
    """Where a booked session takes place: address and number once it is accepted, until it is cancelled."""

    def __init__(self) -> None:
        described = (
            "As agreed at the booking; `value` is null until it is accepted, and once it is cancelled. The link of an"
            " online session is its `joinUrl`. Null: online."
        )
        super().__init__(ShownLocation, allow_none=True, metadata={"description": described})

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing) -> Any:  # noqa: ARG002
        """The kind, and an address or a number that is shown by now; never a link."""
        location = obj.location
        if location and location["kind"] != LocationKind.ONLINE and obj.shows_place:
            return location
        return kind_alone(location)


class PublicLocation(AgreedLocation):
    """Where sessions take place, as everyone sees it: the kind alone."""

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing) -> Any:  # noqa: ARG002
        """The kind."""
        return kind_alone(obj.location)


def kind_alone(location: dict[str, Any] | None) -> dict[str, Any] | None:
    """A location without the link, the address or the number."""
    return location and {"kind": location["kind"]}


def _each_once(minutes: list[int]) -> None:
    if len(set(minutes)) < len(minutes):
        raise ma.ValidationError("Must not repeat a value.")


class Reminders(fields.List[int]):
    """Minutes before the start at which both parties are reminded: up to five different ones."""

    def __init__(self, **kwargs: Any) -> None:
        described = "Minutes before the start at which both parties are reminded; null for the operator's default."
        shown = {"example": [1440, 60], "uniqueItems": True, "description": described}
        longest = validate.Length(max=MAX_REMINDERS)
        super().__init__(Whole(1, MAX_REMINDER_MINUTES), validate=[longest, _each_once], metadata=shown, **kwargs)


class ListingChanges(RequestSchema):
    """Changes to a listing; omitted fields keep their value."""

    title = Line(200, metadata={"example": "Career advice"})
    description = Text(5000, allow_none=True)
    duration_minutes = Whole(5, 1440, metadata={"example": 60})
    price = Price()
    course_id = Id(allow_none=True)
    booking_mode = fields.Enum(BookingMode, by_value=True)
    early_start_minutes = Whole(0, MINUTES_OF_A_YEAR, allow_none=True)
    min_notice_minutes = Whole(0, MINUTES_OF_A_YEAR)
    buffer_before_minutes = Whole(0, 1440)
    buffer_minutes = Whole(0, 1440)
    cancellation = Cancellation()
    reminder_minutes = Reminders(allow_none=True)
    location = fields.Nested(Location, allow_none=True)
    active = TrueOrFalse(metadata={"description": "Whether the listing can be booked."})

    @ma.post_load
    def as_columns(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Split price and cancellation policy into their columns."""
        return columns_of_offer(body)


class NewListing(ListingChanges):
    """A new listing; the defaults are documented at the operation."""

    class Meta(RequestSchema.Meta):
        """New listings are active."""

        exclude = ("active",)

    title = Line(200, required=True, metadata={"example": "Career advice"})
    duration_minutes = Whole(5, 1440, required=True, metadata={"example": 60})
    price = Price(required=True)


class Listing(ResponseSchema):
    """A mentor's offer."""

    id = Id()
    mentor_profile_id = Id()
    title = fields.String()
    description = fields.String(allow_none=True)
    duration_minutes = fields.Integer()
    price = Price()
    course_id = Id(allow_none=True, dump_default=None)
    booking_mode = fields.Enum(BookingMode, by_value=True)
    early_start_minutes = fields.Integer(allow_none=True)
    min_notice_minutes = fields.Integer()
    buffer_before_minutes = fields.Integer()
    buffer_minutes = fields.Integer()
    cancellation = Cancellation()
    reminder_minutes = fields.List(fields.Integer(), allow_none=True)
    location = fields.Nested(ShownLocation, allow_none=True)
    active = fields.Boolean()


class ListingFilters(ListQuery):
    """Filters of listings."""

    mentor_profile_id = Id()
    course_id = Id()


Listings = page_of(Listing, "Listings")


def listing_as_seen_by(actor: Actor, listing: ListingRecord) -> ListingRecord:
    """A listing; its link, address or number is shown to its mentor and operators alone."""
    public = kind_alone(listing.location)
    if public == listing.location or actor.operator or is_mentor(actor, listing):
        return listing
    return replace(listing, location=public)


def columns_of_offer(body: dict[str, Any]) -> dict[str, Any]:
    """A body with its price and its cancellation policy split into their columns."""
    columns = _with_price_columns(body)
    if "cancellation" in columns:
        del columns["cancellation"]
        columns |= _policy(body["cancellation"])
    return columns


class OfferFilters(ListQuery):
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


def _with_price_columns(body: dict[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in body.items() if name != "price"}
    if "price" in body:
        price = body["price"] or {"amount": None, "currency": None}
        columns |= {"price_amount": price["amount"], "price_currency": price["currency"]}
    return columns


def _policy(cancellation: dict[str, int] | None) -> dict[str, int | None]:
    if cancellation is None:
        return {"cancellation_window_hours": None}
    names = {"window_hours": "cancellation_window_hours", "late_fee_percent": "late_fee_percent"}
    return {names[name]: value for name, value in cancellation.items()}


class NewCourse(RequestSchema):
    """A new course."""

    title = Line(200, required=True, metadata={"example": "Linear algebra I"})
    description = Text(5000, load_default=None, allow_none=True)


class CourseChanges(RequestSchema):
    """Changes to a course; omitted fields keep their value."""

    title = Line(200, metadata={"example": "Linear algebra I"})
    description = Text(5000, allow_none=True)
    active = TrueOrFalse(metadata={"description": "Whether the course is listed."})


class CourseFilters(OfferFilters):
    """Filters of courses."""

    q = SearchText("title or description")
    skill = Line(60, metadata={"description": "That the listing's mentor has, regardless of case.", "example": "go"})


class Course(ResponseSchema):
    """A subject that several mentors can offer listings of."""

    id = Id()
    title = fields.String()
    description = fields.String(allow_none=True)
    active = fields.Boolean()
    created_at = Moment()


Courses = page_of(Course, "Courses")


class ProductChanges(RequestSchema):
    """Changes to a product; omitted fields keep their value."""

    title = Line(200, metadata={"example": "Five sessions"})
    price = Price()
    valid_days = Whole(1, MAX_VALID_DAYS, allow_none=True, metadata={"example": 180, "description": _VALIDITY})
    active = TrueOrFalse(metadata={"description": "Whether the product is sold."})

    @ma.post_load
    def as_columns(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Split the price into its columns."""
        return _with_price_columns(body)


class NewProduct(ProductChanges):
    """A new product of a course."""

    class Meta(RequestSchema.Meta):
        """New products are active."""

        exclude = ("active",)

    kind = fields.Enum(ProductKind, by_value=True, required=True)
    title = Line(200, required=True, metadata={"example": "Five sessions"})
    session_count = Whole(
        1, MAX_SESSIONS_OF_A_BUNDLE, metadata={"example": 5, "description": "Required for a bundle; otherwise 1."}
    )
    duration_minutes = Whole(5, 1440, allow_none=True, metadata={"example": 60, "description": _DURATION})
    price = Price(required=True)


class Product(ResponseSchema):
    """What is sold for a course."""

    id = Id()
    course_id = Id()
    kind = fields.Enum(ProductKind, by_value=True)
    title = fields.String()
    session_count = fields.Integer()
    duration_minutes = fields.Integer(allow_none=True, metadata={"description": _DURATION})
    price = Price()
    valid_days = fields.Integer(allow_none=True, metadata={"description": _VALIDITY})
    active = fields.Boolean()


Products = page_of(Product, "Products")
