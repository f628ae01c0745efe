"""Group sessions, as each caller sees them, and the templates by which they are scheduled."""

from datetime import time
from typing import Any

from marshmallow import fields

from api.schemas.availability import ClockTime
from api.schemas.base import ExternalListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.bookings import Booking
from api.schemas.fields import OPTIONAL, Day, Id, Line, Moment, Price, QueryFlag, TimeZone, TrueOrFalse, Whole
from api.schemas.payments import AmountOf
from api.schemas.questions import Questions
from api.schemas.sessions import Participant
from api.schemas.terms import Cancellation, OfferedTerms, OfferedTermsBody, PublicLocation
from models.groups import MAX_CAPACITY

_WEEKDAY = {"description": "0 for Monday to 6 for Sunday.", "example": 0}
_COURSE = {"description": "The mentor must have an active listing of it."}
_PRICE = "Of one seat; null or omitted for the price of the course's only active product for a group seat."


class LocalTime(ClockTime):
    """A local time of day, `HH:MM`, as the time that the column holds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> time:  # type: ignore[override]
        hours, minutes = divmod(super()._deserialize(value, attr, data, **kwargs), 60)
        return time(hours, minutes)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:  # noqa: ARG002
        return f"{value:%H:%M}"


class GroupTemplateChanges(OfferedTermsBody):
    title = Line(200, metadata={"example": "Exercises in linear algebra"})
    course_id = Id(allow_none=True, metadata=_COURSE)
    weekday = Whole(0, 6, metadata=_WEEKDAY)
    start_time = LocalTime("18:00")
    time_zone = TimeZone()
    capacity = Whole(1, MAX_CAPACITY, metadata={"example": 6})
    price = Price(allow_none=True, metadata={"description": _PRICE})
    active = TrueOrFalse(metadata={"description": "Whether groups can be scheduled by it."})


class NewGroupTemplate(GroupTemplateChanges):
    """A new template; the defaults are documented at the operation."""

    class Meta(RequestSchema.Meta):
        """New templates are active."""

        exclude = ("active",)

    mentor_profile_id = Id(
        **OPTIONAL, metadata={"description": "Required for operators; mentors make templates of their own."}
    )
    title = Line(200, required=True, metadata={"example": "Exercises in linear algebra"})
    weekday = Whole(0, 6, required=True, metadata=_WEEKDAY)
    start_time = LocalTime("18:00", required=True)
    time_zone = TimeZone(required=True)
    duration_minutes = Whole(5, 1440, required=True, metadata={"example": 60})
    capacity = Whole(1, MAX_CAPACITY, required=True, metadata={"example": 6})


class GroupTemplate(OfferedTerms):
    product_id = Id(allow_none=True, metadata={"description": "The product whose price was taken."})
    weekday = fields.Integer(metadata=_WEEKDAY)
    start_time = LocalTime("18:00")
    time_zone = fields.String(metadata={"example": "Europe/Berlin"})
    capacity = fields.Integer()
    created_at = Moment()


class GroupTemplateFilters(ExternalListQuery):
    mentor_profile_id = Id(metadata={"description": "For operators; mentors see their own."})
    course_id = Id()
    active = QueryFlag()


GroupTemplates = page_of(GroupTemplate, "GroupTemplates")


class SchedulePeriod(RequestSchema):
    """From a date to another one, both included, in the template's time zone."""

    first = Day(data_key="from", required=True, metadata={"example": "2030-05-01"})
    last = Day(data_key="to", required=True, metadata={"example": "2030-07-31"})


class ScheduledDate(ResponseSchema):
    date = fields.Date()
    booking_id = Id()


class ConflictingDate(ResponseSchema):
    """A date on which the mentor's time is taken, or off."""

    date = fields.Date()
    code = fields.String(metadata={"example": "slot_taken", "enum": ["slot_taken", "outside_hours"]})
    in_the_way = Id(
        data_key="with", allow_none=True, metadata={"description": "The booking, hold or time off in the way."}
    )


class SkippedDate(ResponseSchema):
    """A date that was left out: it exists already, is over, or the clocks skip its time."""

    date = fields.Date()
    code = fields.String(metadata={"example": "no_such_time", "enum": ["exists", "no_such_time", "past"]})


class Schedule(ResponseSchema):
    made = fields.List(fields.Nested(ScheduledDate))
    conflicts = fields.List(fields.Nested(ConflictingDate))
    skipped = fields.List(fields.Nested(SkippedDate))


class Capacity(RequestSchema):
    capacity = Whole(1, MAX_CAPACITY, required=True, metadata={"example": 8})


class GroupSessionItem(Booking):
    """A group session in a list: its booking with its seats, and the caller's own place."""

    template_id = Id()
    location = PublicLocation()
    questions = Questions()
    date = fields.Date(attribute="occurs_on", metadata={"description": "In the template's time zone."})
    seats_offered = fields.Integer(metadata={"description": "Kept for people on the waiting list who may take them."})
    cancellation_policy = Cancellation(metadata={"description": "Null: participants cannot leave."})
    cancelled_at = Moment(allow_none=True, metadata={"description": "When the group's session was cancelled."})
    joined = fields.Boolean(metadata={"description": "Whether the caller has a seat."})
    waitlist_position = fields.Integer(allow_none=True, metadata={"description": "The caller's; 1 is next."})

    optional: tuple[str, ...] = ()


class LeftSeat(ResponseSchema):
    user_id = Id()
    name = fields.String()
    late = fields.Boolean(metadata={"description": "Whether it was left inside the policy's window."})
    fee = AmountOf("fee_amount")
    refund = AmountOf("refund_amount")
    credit_returned = fields.Boolean(
        allow_none=True, metadata={"description": "Whether the session of the bundle came back; null if none paid."}
    )
    reason = fields.String(allow_none=True, metadata={"description": "For the mentor and operators only."})
    left_at = Moment(attribute="created_at")
    waived_at = Moment(
        allow_none=True,
        metadata={
            "description": "When the fee was waived, or the group cancelled; then there is no fee, and all goes back."
        },
    )


class GroupSession(GroupSessionItem):
    participants = fields.List(
        fields.Nested(Participant), allow_none=True, metadata={"description": "For the mentor and operators only."}
    )
    cancellations = fields.List(
        fields.Nested(LeftSeat),
        metadata={
            "description": "The latest 100 seats that were left, and what that cost: for the mentor and operators all,"
            " for others their own."
        },
    )


class GroupSessionFilters(ExternalListQuery):
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
