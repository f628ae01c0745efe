"""Weekly hours, hours of single dates, time off, rules of booking, and holds."""

import re
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import OPTIONAL, Day, Id, Moment, Text, TimeZone, TrueOrFalse, Whole
from api.schemas.terms import ListingOrDuration
from models.availability import MAX_HORIZON_DAYS, MAX_LIMIT, MIN_STEP_MINUTES, MINUTES_OF_A_DAY
from workflows.availability import hours, rules
from workflows.availability.hours import clock_time

MAX_SPANS = 100
_SHOWN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_WEEKDAY = {"description": "0 for Monday to 6 for Sunday.", "example": 0}


class ClockTime(fields.String):
    """A local time of day, `HH:MM`, loaded as minutes since midnight.

    Args:
        example: for the documentation.
        end: whether 24:00, the end of the day, is allowed.
    """

    def __init__(self, example: str, *, end: bool = False, **kwargs: Any) -> None:
        pattern = f"^({_SHOWN.pattern}{'|24:00' if end else ''})$"
        super().__init__(metadata={"example": example, "pattern": pattern}, **kwargs)
        self._end = end

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # type: ignore[override]
        shown: str = super()._deserialize(value, attr, data, **kwargs)
        if self._end and shown == clock_time(MINUTES_OF_A_DAY):
            return MINUTES_OF_A_DAY
        parts = _SHOWN.fullmatch(shown)
        if parts is None:
            raise ValidationError(f"Must be a time from 00:00 to {'24:00' if self._end else '23:59'}, such as 09:30.")
        return int(parts[1]) * 60 + int(parts[2])

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:  # noqa: ARG002
        return clock_time(value)


class NewSpan(RequestSchema):
    start_time = ClockTime("09:00", required=True)
    end_time = ClockTime("12:30", end=True, required=True)

    @validates_schema
    def _ends_later(self, span: dict[str, Any], **_: Any) -> None:
        if span["end_time"] <= span["start_time"]:
            reason = "Must be after `startTime`; split hours over midnight into two, to 24:00 and from 00:00."
            raise ValidationError(reason, field_name="end_time")

    @post_load
    def as_span(self, span: dict[str, Any], **_: Any) -> Any:
        """From and to, in minutes since midnight."""
        return span["start_time"], span["end_time"]


class NewOpeningHours(NewSpan):
    weekday = Whole(0, 6, required=True, metadata=_WEEKDAY)

    @post_load
    def as_span(self, span: dict[str, Any], **_: Any) -> Any:
        return hours.Span(span["weekday"], span["start_time"], span["end_time"])


class NewWeeklyHours(RequestSchema):
    hours = fields.List(
        fields.Nested(NewOpeningHours),
        required=True,
        validate=validate.Length(max=MAX_SPANS),
        metadata={"description": "In any order, without overlaps. With an empty list, every time can be booked."},
    )
    time_zone = TimeZone(**OPTIONAL)


class OpeningHours(ResponseSchema):
    weekday = fields.Integer(metadata=_WEEKDAY)
    start_time = ClockTime("09:00", attribute="opens")
    end_time = ClockTime("12:30", end=True, attribute="closes")


class WeeklyHours(ResponseSchema):
    """A mentor's week in order; without hours, every time can be booked."""

    mentor_profile_id = Id()
    time_zone = fields.String(metadata={"description": "The time zone of the hours.", "example": "UTC"})
    hours = fields.List(fields.Nested(OpeningHours), attribute="hours.spans")


class NewDateHours(RequestSchema):
    hours = fields.List(
        fields.Nested(NewSpan),
        required=True,
        validate=validate.Length(max=MAX_SPANS),
        metadata={"description": "In any order, without overlaps. With an empty list, nothing can be booked."},
    )


class SpanOfDate(ResponseSchema):
    start_time = ClockTime("09:00", attribute="opens")
    end_time = ClockTime("12:30", end=True, attribute="closes")


class DateHours(ResponseSchema):
    """The opening hours of one date, which replace the weekly hours."""

    mentor_profile_id = Id()
    date = Day(attribute="day", metadata={"example": "2030-05-04"})
    time_zone = fields.String(metadata={"description": "The time zone of the date and its hours.", "example": "UTC"})
    hours = fields.List(
        fields.Nested(SpanOfDate), metadata={"description": "In their order; empty where nothing can be booked."}
    )


Dates = page_of(DateHours, "Dates")


class DateFilters(ListQuery):
    from_day = Day(data_key="from", metadata={"description": "Only this date and later ones."})
    to_day = Day(data_key="to", metadata={"description": "Only this date and earlier ones."})


class NewTimeOff(RequestSchema):
    start_time = Moment(required=True, metadata={"example": "2030-05-04T09:00:00Z"})
    end_time = Moment(required=True, metadata={"example": "2030-05-18T09:00:00Z"})
    reason = Text(
        1000,
        **OPTIONAL,
        metadata={"description": "For the mentor and operators; with `cancelSessions`, also for the mentees."},
    )
    cancel_sessions = TrueOrFalse(
        load_default=False,
        metadata={"description": "Cancel the sessions in the way; the mentees get their money back."},
    )


class TimeOff(ResponseSchema):
    """A time in which the mentor cannot be booked."""

    id = Id()
    start_time = Moment()
    end_time = Moment()
    reason = fields.String(allow_none=True, metadata={"description": "For the mentor and operators; else null."})


TimesOff = page_of(TimeOff, "TimesOff")


class TimeOffFilters(ListQuery):
    from_time = Moment(data_key="from", metadata={"description": "Only what ends after this time."})
    to_time = Moment(data_key="to", metadata={"description": "Only what starts before this time."})


_RULES = {
    "step_minutes": "How many minutes the times on offer are apart; other times can be booked too.",
    "horizon_days": "How many days ahead a session may start; null for five years.",
    "max_per_day": "Sessions on one day of the mentor's time zone; null for no limit.",
    "max_per_week": "Sessions in one ISO week of the mentor's time zone; null for no limit.",
    "max_per_mentee_per_day": "Sessions of one mentee on one day; null for no limit.",
    "max_per_mentee_per_week": "Sessions of one mentee in one ISO week; null for no limit.",
    "stale_calendars": "Whether bookings are refused while an outside calendar cannot be read.",
}


def _limit(name: str, maximum: int = MAX_LIMIT) -> Whole:
    return Whole(1, maximum, **OPTIONAL, metadata={"description": _RULES[name]})


class NewBookingRules(RequestSchema):
    step_minutes = Whole(
        MIN_STEP_MINUTES,
        MINUTES_OF_A_DAY,
        load_default=rules.DEFAULT_STEP_MINUTES,
        metadata={"description": _RULES["step_minutes"]},
    )
    horizon_days = _limit("horizon_days", MAX_HORIZON_DAYS)
    max_per_day = _limit("max_per_day")
    max_per_week = _limit("max_per_week")
    max_per_mentee_per_day = _limit("max_per_mentee_per_day")
    max_per_mentee_per_week = _limit("max_per_mentee_per_week")
    stale_calendars = fields.String(
        load_default="ignore",
        validate=validate.OneOf(["ignore", "refuse"]),
        metadata={"description": _RULES["stale_calendars"]},
    )


class BookingRules(ResponseSchema):
    mentor_profile_id = Id()
    step_minutes = fields.Integer(metadata={"description": _RULES["step_minutes"]})
    horizon_days = fields.Integer(allow_none=True, metadata={"description": _RULES["horizon_days"]})
    max_per_day = fields.Integer(allow_none=True)
    max_per_week = fields.Integer(allow_none=True)
    max_per_mentee_per_day = fields.Integer(allow_none=True)
    max_per_mentee_per_week = fields.Integer(allow_none=True)
    stale_calendars = fields.String(metadata={"example": "ignore"})


class NewHold(ListingOrDuration):
    start_time = Moment(required=True, metadata={"example": "2030-05-04T09:00:00Z"})


class Hold(ResponseSchema):
    """A time of a mentor that is kept for the caller."""

    id = Id()
    mentor_profile_id = Id()
    start_time = Moment()
    end_time = Moment()
    expires_at = Moment()
    created_at = Moment(metadata={"description": "To know how long it is held, whatever the caller's clock shows."})
