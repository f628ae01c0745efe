"""Weekly hours."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.fields import Id, TimeZone, Whole
from models.availability import MINUTES_OF_A_DAY
from workflows.availability import hours
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


class NewOpeningHours(RequestSchema):
    """A time span of a weekday in which the mentor can be booked."""

    weekday = Whole(0, 6, required=True, metadata=_WEEKDAY)
    start_time = ClockTime("09:00", required=True)
    end_time = ClockTime("12:30", end=True, required=True)

    @validates_schema
    def _ends_later(self, span: dict[str, Any], **_: Any) -> None:
        if span["end_time"] <= span["start_time"]:
            reason = "Must be after `startTime`; split hours over midnight into two, to 24:00 and from 00:00."
            raise ValidationError(reason, field_name="end_time")

    @post_load
    def _as_span(self, span: dict[str, Any], **_: Any) -> hours.Span:
        return hours.Span(span["weekday"], span["start_time"], span["end_time"])


class NewWeeklyHours(RequestSchema):
    """All opening hours of a mentor's week."""

    hours = fields.List(
        fields.Nested(NewOpeningHours),
        required=True,
        validate=validate.Length(max=MAX_SPANS),
        metadata={"description": "In any order, without overlaps. With an empty list, every time can be booked."},
    )
    time_zone = TimeZone(load_default=None, allow_none=True)


class OpeningHours(ResponseSchema):
    """A time span of a weekday in which the mentor can be booked."""

    weekday = fields.Integer(metadata=_WEEKDAY)
    start_time = ClockTime("09:00", attribute="opens")
    end_time = ClockTime("12:30", end=True, attribute="closes")


class WeeklyHours(ResponseSchema):
    """A mentor's week in order; without hours, every time can be booked."""

    mentor_profile_id = Id()
    time_zone = fields.String(metadata={"description": "The time zone of the hours.", "example": "UTC"})
    hours = fields.List(fields.Nested(OpeningHours), attribute="hours.spans")
