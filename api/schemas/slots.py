"""Slots: the times on offer, and why others are not."""

from marshmallow import fields, validate

from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.fields import Id, Moment, QueryFlag, QueryWhole, TimeZone

REASONS = ("beyond_horizon", "too_soon", "time_off", "outside_hours", "busy", "limit")


class SlotQuery(RequestSchema):
    from_ = Moment(data_key="from", required=True, metadata={"example": "2030-05-04T00:00:00Z"})
    to = Moment(
        required=True, metadata={"description": "Exclusive; at most 92 days later.", "example": "2030-05-11T00:00:00Z"}
    )
    duration_minutes = QueryWhole(
        5,
        1440,
        metadata={"description": "By default the listing's; without a listing, the shortest on offer.", "example": 60},
    )
    listing_id = Id(
        metadata={"description": "This listing; by default the cheapest of the duration, as for direct booking."}
    )
    step_minutes = QueryWhole(5, 1440, metadata={"description": "By default the mentor's own."})
    time_zone = TimeZone()
    explain = QueryFlag(
        load_default=False, metadata={"description": "Also the other times, with reasons; at most 7 days."}
    )


class Slot(ResponseSchema):
    start_time = Moment()
    end_time = Moment()
    mentor_profile_ids = fields.List(Id(), metadata={"description": "The mentors who are free then."})


class RefusedSlot(ResponseSchema):
    start_time = Moment()
    end_time = Moment()
    mentor_profile_id = Id()
    reason = fields.String(validate=validate.OneOf(REASONS), metadata={"description": "The first reason that applies."})


class Slots(ResponseSchema):
    """Slots, the earliest first."""

    duration_minutes = fields.Integer(metadata={"description": "Of each of them."})
    items = fields.List(fields.Nested(Slot))
    refused = fields.List(fields.Nested(RefusedSlot), metadata={"description": "Only with `explain=true`."})
    stale_calendars = fields.List(
        Id(),
        metadata={
            "description": "Only with `explain=true`: the mentors who are `busy` at all times, since an outside"
            " calendar of theirs cannot be read and their rules refuse bookings meanwhile."
        },
    )

    next_from = Moment(
        metadata={
            "description": "Only where the stretch is too much for one answer: its slots from this time on are left"
            " out. Ask again with this `from` and the same `to`."
        }
    )

    optional = ("refused", "stale_calendars", "next_from")
