"""Group sessions, as each caller sees them."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import ListQuery, ResponseSchema, page_of
from api.schemas.bookings import Booking
from api.schemas.catalog import Cancellation
from api.schemas.fields import Id, Moment, QueryFlag


class Participant(ResponseSchema):
    """A person with a seat."""

    user_id = Id()
    name = fields.String()
    present = fields.Boolean(allow_none=True, metadata={"description": "Null until attendance is recorded."})


class GroupSessionItem(Booking):
    """A group session in a list: its booking with its seats, and the caller's own place."""

    template_id = Id()
    date = fields.Date(attribute="occurs_on", metadata={"description": "In the template's time zone."})
    capacity = fields.Integer()
    seats_taken = fields.Integer()
    seats_offered = fields.Integer(metadata={"description": "Kept for people on the waiting list who may take them."})
    full = fields.Boolean(metadata={"description": "Whether every seat is taken or offered."})
    cancellation_policy = Cancellation(metadata={"description": "Null: participants cannot leave."})
    cancelled_at = Moment(allow_none=True, metadata={"description": "When the group's session was cancelled."})
    joined = fields.Boolean(metadata={"description": "Whether the caller has a seat."})
    waitlist_position = fields.Integer(allow_none=True, metadata={"description": "The caller's; 1 is next."})


class GroupSession(GroupSessionItem):
    """A group session: its booking with its seats, and the caller's own place."""

    participants = fields.List(
        fields.Nested(Participant), allow_none=True, metadata={"description": "For the mentor and operators only."}
    )


class GroupSessionFilters(ListQuery):
    """Filters of group sessions."""

    course_id = Id()
    mentor_profile_id = Id()
    open = QueryFlag(
        metadata={
            "description": "Only those that can be joined: not begun, not cancelled, with a free seat; or all others."
        }
    )
    from_time = Moment(
        data_key="from",
        metadata={
            "description": "Only those that start at or after this time; now by default, unless `to` is given.",
            "example": "2030-05-04T09:00:00Z",
        },
    )
    to_time = Moment(
        data_key="to",
        metadata={"description": "Only those that start before this time.", "example": "2030-06-04T09:00:00Z"},
    )


GroupSessions = page_of(GroupSessionItem, "GroupSessions")
