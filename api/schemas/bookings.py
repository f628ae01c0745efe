"""Bookings: requests, decisions, and how they are shown."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Id, Metadata, Moment, OneLine, Price, Text
from models.bookings import BookingKind, BookingStatus


class NewBooking(RequestSchema):
    """A mentee asks for a listing at a time."""

    listing_id = Id(required=True)
    start_time = Moment(required=True, metadata={"example": "2030-05-04T09:00:00Z"})
    end_time = Moment(
        load_default=None, allow_none=True, metadata={"description": "The listing's duration after the start."}
    )
    title = OneLine(200, load_default=None, allow_none=True)
    notes = Text(5000, load_default=None, allow_none=True)
    metadata = Metadata(
        load_default=None, allow_none=True, metadata={"description": "At most 16 kB; copied to the session."}
    )


class Reason(RequestSchema):
    """Why, where somebody would like to say it."""

    reason = Text(1000, load_default=None, allow_none=True)


class Booking(ResponseSchema):
    """The decision about one mentor, one time and one listing."""

    id = Id()
    listing_id = Id()
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
    product_id = Id(allow_none=True, dump_default=None)
    bundle_purchase_id = Id(allow_none=True, dump_default=None)
    session_id = Id(allow_none=True, metadata={"description": "The session's id from the moment of acceptance."})
    decline_reason = fields.String(allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class BookingFilters(ListQuery):
    """Which of the caller's bookings to list."""

    role = fields.String(
        validate=validate.OneOf(["mentee", "mentor"]),
        metadata={"description": "As which party; both when left out."},
    )
    status = fields.Enum(BookingStatus, by_value=True)


Bookings = page_of(Booking, "Bookings")
