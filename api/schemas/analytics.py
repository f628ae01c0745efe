"""Numbers about sessions and requests, as operators and mentors see them."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError, fields

from api.schemas.base import ListQuery, RequestSchema, ResponseSchema, page_of
from api.schemas.fields import Choice, Id, Moment, QueryWhole, TimeZone
from models.sessions import SessionStatus
from workflows.analytics.counts import Grouping
from workflows.analytics.earnings import EarningsGrouping
from workflows.analytics.scope import MAX_PERIOD_DAYS_BY_HOUR
from workflows.analytics.transition_times import Transition
from workflows.kernel.clock import NO_SUCH_YEAR, YEARS

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EITHER_FORM = "Must be a day, such as 2030-05-04, or a time with a zone, such as 2030-05-04T09:00:00Z (RFC 3339)."


class DayOrMoment(fields.String):
    """A day, or a time with its zone (RFC 3339)."""

    pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9:.]+([Zz]|[+-][0-9:]+))?$"

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": self.pattern, **(metadata or {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date | datetime:  # type: ignore[override]
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            moment: datetime = Moment(error_messages={"form": _EITHER_FORM}).deserialize(value, attr, data, **kwargs)
            return moment
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise ValidationError("There is no such day.") from error
        if day.year not in YEARS:
            raise ValidationError(NO_SUCH_YEAR)
        return day


class DayOfUtc(DayOrMoment):
    """A day of UTC, where moments are refused."""

    pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date | datetime:  # type: ignore[override]
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValidationError("Must be a day of UTC, such as 2030-05-01.")
        return super()._deserialize(value, attr, data, **kwargs)


class OfPeriod(RequestSchema):
    from_ = DayOrMoment(
        data_key="from",
        metadata={
            "example": "2030-05-01",
            "description": "A day, or a moment (RFC 3339), of which the quarter of an hour counts that it lies in."
            " 30 days in all where left out; a period has at most 366.",
        },
    )
    to = DayOrMoment(
        metadata={
            "example": "2030-05-31",
            "description": "The last day, which is in it, or the moment before which it ends. Today where left out.",
        }
    )
    mentor_profile_id = Id(metadata={"description": "For operators; mentors see their own numbers alone."})


class OfCourse(OfPeriod):
    course_id = Id()


class OfDays(OfCourse):
    """Which days of UTC are meant, and whose numbers."""

    from_ = DayOfUtc(
        data_key="from",
        metadata={"example": "2030-05-01", "description": "30 days in all where left out; at most 366."},
    )
    to = DayOfUtc(
        metadata={"example": "2030-05-31", "description": "The last day, which is in it. Today where left out."}
    )


class InZone(OfCourse):
    """Besides: on which clocks days begin."""

    time_zone = TimeZone(load_default="UTC")


class SessionReportFilters(InZone, ListQuery):
    limit = QueryWhole(1, 100, load_default=100)
    group_by = Choice(
        Grouping,
        load_default=Grouping.DAY,
        metadata={"description": f"By `hour`, a period has at most {MAX_PERIOD_DAYS_BY_HOUR} days."},
    )


class EarningsFilters(OfPeriod, ListQuery):
    limit = QueryWhole(1, 100, load_default=100)
    time_zone = TimeZone(load_default="UTC")
    group_by = Choice(EarningsGrouping, load_default=EarningsGrouping.MONTH)


class AvailabilityFilters(OfPeriod):
    mentor_profile_id = Id(metadata={"description": "Of an operator: required. Mentors see their own hours alone."})
    time_zone = TimeZone()


class SessionCount(ResponseSchema):
    """What happened to sessions in an hour, on a day, in a week, with a mentor or in a course; or those of a status."""

    optional = (
        *("hour", "day", "week", "mentor_profile_id", "mentor_name", "course_id", "course_title", "status", "sessions"),
        *("created", "started", "completed", "cancelled", "late_cancellations", "seats", "seats_joined", "seats_left"),
        *("seats_left_late", "seats_refunded"),
    )

    hour = Moment(metadata={"description": "When it began; an hour of the zone's clocks."})
    day = fields.Date()
    week = fields.Date(metadata={"description": "Its Monday."})
    mentor_profile_id = Id()
    mentor_name = fields.String()
    course_id = Id(allow_none=True, metadata={"description": "Null for what is of no course."})
    course_title = fields.String(allow_none=True)
    status = Choice(SessionStatus)
    sessions = fields.Integer(
        metadata={"description": "With a status: those to begin in the period, as they stand now."}
    )
    created = fields.Integer()
    started = fields.Integer()
    completed = fields.Integer()
    cancelled = fields.Integer()
    late_cancellations = fields.Integer(metadata={"description": "Of sessions; not where a party did not come."})
    minutes = fields.Integer(metadata={"description": "Of completed sessions; with a status, of those sessions."})
    seats = fields.Integer(
        metadata={"description": "Taken, not given back and not refunded; below zero where more were given back."}
    )
    seats_joined = fields.Integer()
    seats_left = fields.Integer()
    seats_left_late = fields.Integer(metadata={"description": "Of those that were left, late by the group's policy."})
    seats_refunded = fields.Integer(metadata={"description": "Of groups that were cancelled."})


SessionCounts = page_of(SessionCount, "SessionCounts")


class Earned(ResponseSchema):
    """Earnings of a month or of a mentor, in one currency; amounts in minor units."""

    optional = ("month", "mentor_profile_id")

    month = fields.String(metadata={"example": "2030-05", "description": "On the clocks of the zone."})
    mentor_profile_id = Id(allow_none=True, metadata={"description": "Null for what is of no mentor, as bundles."})
    currency = fields.String(metadata={"example": "USD"})
    sessions = fields.Integer(metadata={"description": "Completed in the period.", "example": 11})
    charged = fields.Integer(metadata={"example": 46000})
    refunded = fields.Integer(metadata={"description": "To go back, since it is owed.", "example": 4000})
    fees = fields.Integer(
        metadata={"description": "Of cancellations in the period, where the price is paid before.", "example": 2000}
    )
    net = fields.Integer(metadata={"description": "Charged, less what is to go back.", "example": 42000})


Earnings = page_of(Earned, "Earnings")


class Bucket(ResponseSchema):
    """How many times lay from one bound to before the next."""

    from_seconds = fields.Float(allow_none=True)
    to_seconds = fields.Float(allow_none=True)
    count = fields.Integer()


class TransitionTime(ResponseSchema):
    """How long one kind of step took; a start before its time is below zero.

    Percentiles are estimates by the buckets: even of a single time they tell where in its bucket it may have been.
    """

    transition = Choice(Transition)
    count = fields.Integer()
    average_seconds = fields.Float(allow_none=True)
    p50_seconds = fields.Float(allow_none=True)
    p90_seconds = fields.Float(allow_none=True)
    p99_seconds = fields.Float(allow_none=True)
    buckets = fields.List(fields.Nested(Bucket))


class TransitionTimes(ResponseSchema):
    items = fields.List(fields.Nested(TransitionTime))


class Rates(ResponseSchema):
    """Shares of the requests, 0 to 1; null where there were none."""

    accepted = fields.Float(allow_none=True)
    sessions = fields.Float(allow_none=True)
    completed = fields.Float(allow_none=True)
    reviewed = fields.Float(allow_none=True)


class Conversion(ResponseSchema):
    """The requests of a period, and how many of these same ones came how far, whenever they did."""

    from_ = Moment(data_key="from")
    to = Moment()
    requests = fields.Integer()
    accepted = fields.Integer()
    sessions = fields.Integer()
    completed = fields.Integer()
    reviewed = fields.Integer()
    rates = fields.Nested(Rates)


class HourOfWeek(ResponseSchema):
    """One hour of the week, by the clocks of the zone."""

    weekday = fields.Integer(metadata={"description": "0 for Monday to 6 for Sunday."})
    hour = fields.Integer()
    open_minutes = fields.Integer(
        allow_none=True,
        metadata={
            "description": "By the hours that held at the time, without time off; null for a mentor who has never set"
            " any."
        },
    )
    booked_minutes = fields.Integer()


class Availability(ResponseSchema):
    """The 168 hours of a week."""

    mentor_profile_id = Id()
    time_zone = fields.String()
    from_ = Moment(data_key="from")
    to = Moment()
    items = fields.List(fields.Nested(HourOfWeek))


class StatusCount(ResponseSchema):
    status = Choice(SessionStatus)
    sessions = fields.Integer()


class MentorCount(ResponseSchema):
    mentor_profile_id = Id()
    mentor_name = fields.String()
    sessions = fields.Integer()


class SessionsOfBookings(ResponseSchema):
    """Every accepted booking becomes a session."""

    sessions = fields.Integer()
    accepted_bookings = fields.Integer()
    rate = fields.Float(allow_none=True, metadata={"description": "Null without any accepted booking."})


class OverdueSession(ResponseSchema):
    """A session that is still in progress a day after its end."""

    session_id = Id()
    mentor_profile_id = Id()
    end_time = Moment()


class Summary(ResponseSchema):
    """How things stand, of all time."""

    sessions_by_status = fields.List(fields.Nested(StatusCount))
    sessions_by_mentor = fields.List(
        fields.Nested(MentorCount), metadata={"description": "The hundred with the most sessions."}
    )
    conversion = fields.Nested(SessionsOfBookings)
    overdue_sessions = fields.List(
        fields.Nested(OverdueSession), metadata={"description": "The hundred that began first."}
    )
