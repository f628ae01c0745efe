"""Bookings."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Metadata, Moment, OneLine, Price, Text
from models.bookings import BookingKind, BookingStatus


class NewBooking(RequestSchema):
    """A request for a listing at a time."""

    listing_id = Id(required=True)
    start_time = Moment(required=True, metadata={"example": "2030-05-04T09:00:00Z"})
    end_time = Moment(
        load_default=None, allow_none=True, metadata={"description": "Must be `startTime` plus the listing's duration."}
    )
    title = OneLine(200, load_default=None, allow_none=True)
    notes = Text(5000, load_default=None, allow_none=True)
    metadata = Metadata(
        load_default=None, allow_none=True, metadata={"description": "At most 16 kB; copied to the session."}
    )


class Reason(RequestSchema):
    """An optional reason."""

    reason = Text(1000, load_default=None, allow_none=True)


class Booking(ResponseSchema):
    """A booking of a listing at a time."""

    id = Id()
    listing_id = Id(allow_none=True, metadata={"description": "Null for a group."})
    mentor_profile_id = Id()
    mentee_user_id = Id(allow_none=True)
    kind = fields.Enum(BookingKind, by_value=True)
    start_time = Moment()
    end_time = Moment()
    duration_minutes = fields.Integer()
    status = fields.Enum(BookingStatus, by_value=True)
    title = fields.String(allow_none=True)
    notes = fields.String(allow_none=True)
    metadata = fields.Dict(allow_none=True)
    price = Price()
    course_id = Id(allow_none=True, dump_default=None)
    product_id = Id(allow_none=True, metadata={"description": "The product whose price was taken."})
    bundle_purchase_id = Id(allow_none=True, metadata={"description": "The bundle that paid for it."})
    series_id = Id(allow_none=True, metadata={"description": "The series of a recurring booking."})
    session_id = Id(allow_none=True, metadata={"description": "The session's id, once the booking is accepted."})
    decline_reason = fields.String(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class BookingFilters(ListQuery):
    """Filters of the caller's bookings."""

    role = fields.String(
        validate=validate.OneOf(["mentee", "mentor"]),
        metadata={"description": "The caller's role; by default both. Only mentors may ask for `mentor`."},
    )
    status = fields.Enum(BookingStatus, by_value=True, metadata={"description": "Only bookings that have this status."})


Bookings = page_of(Booking, "Bookings")
