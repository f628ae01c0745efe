"""Numbers: what happened to sessions, how far requests came, how long steps took, and which hours are booked."""

from typing import Any

from api.database import database
from api.openapi.examples import MENTOR_ID
from api.routes.blueprints import Area, refuses
from api.routes.context import OPERATOR_OR_MENTOR
from api.routes.csv_tables import CSV
from api.routes.reports import Question, Report, Rows, reports
from api.schemas import analytics as shapes
from workflows.analytics.availability import Availability, availability_of, mentor_zone_query
from workflows.analytics.counts import (
    COUNTS,
    STATUS_COUNTS,
    SUBJECTS,
    Conversion,
    Grouping,
    conversion_query,
    session_counts_query,
)
from workflows.analytics.earnings import EARNED_BY, EARNINGS, EarningsGrouping, earnings_query
from workflows.analytics.scope import Period
from workflows.analytics.transition_times import Histogram, histograms_of, transition_times_query
from workflows.kernel.errors import Invalid, NotFound

analytics = Area("Analytics", "Numbers for operators, and for mentors about themselves; as JSON or as tables in CSV.")


def _as_table(example: str) -> Any:
    return analytics.alt_response(
        200,
        schema={"type": "string"},
        content_type=CSV,
        description="The whole table, by `Accept: text/csv`.",
        example=example,
    )


_PERCENTILES = {"p50_seconds": 0.5, "p90_seconds": 0.9, "p99_seconds": 0.99}


@analytics.route("/analytics/sessions")
@_as_table(
    "day,created,started,completed,cancelled,lateCancellations,minutes,seats,seatsJoined,seatsLeft,"
    "seatsLeftLate,seatsRefunded\r\n"
    "2030-05-04,14,11,11,2,1,630,3,6,1,1,2\r\n"
)
@analytics.response(200, shapes.SessionCounts)
@reports(OPERATOR_OR_MENTOR, shapes.SessionReportFilters)
def count_sessions(question: Question, *, group_by: Grouping) -> Report:
    """Count what happened to sessions, by hour, day or week on the clocks of a zone, by mentor or by course.

    Items are those with something to count. By `status` they are the sessions that begin in the period, as they stand
    now; otherwise what happened in the period, wherever its sessions lie.
    """
    counts = STATUS_COUNTS if group_by is Grouping.STATUS else COUNTS
    return Report(
        name=f"sessions-by-{group_by}",
        query=lambda page: session_counts_query(page, period=question.period, group=group_by, scope=question.scope),
        body=lambda rows: {"items": _as_they_are(rows)},
        columns=(*SUBJECTS[group_by], *counts),
        lines=_as_they_are,
        listed=True,
    )


@analytics.route("/analytics/earnings")
@_as_table("month,currency,sessions,charged,refunded,fees,net\r\n2030-05,USD,11,46000,4000,2000,42000\r\n")
@analytics.response(200, shapes.Earnings)
@reports(OPERATOR_OR_MENTOR, shapes.EarningsFilters)
def sum_earnings(question: Question, *, group_by: EarningsGrouping) -> Report:
    """Sum what was charged and is to go back in the period, by month on the clocks of a zone or by mentor, by currency.

    Amounts are minor units, by the ledger of payments; `net` is what was charged less `refunded`, which counts since it
    is owed. `fees` are those of cancelled sessions and seats that are paid before, as they stand now. `sessions` are
    the completed ones, however they are paid. Items are those that have anything.
    """
    return Report(
        name=f"earnings-by-{group_by}",
        query=lambda page: earnings_query(page, period=question.period, group=group_by, scope=question.scope),
        body=lambda rows: {"items": _as_they_are(rows)},
        columns=(EARNED_BY[group_by], "currency", *EARNINGS),
        lines=_as_they_are,
        listed=True,
    )


@analytics.route("/analytics/conversion")
@_as_table(
    "from,to,requests,accepted,sessions,completed,reviewed,acceptedRate,sessionsRate,completedRate,reviewedRate\r\n"
    "2030-05-01T00:00:00Z,2030-06-01T00:00:00Z,200,160,160,140,70,0.8,0.8,0.7,0.35\r\n"
)
@analytics.response(200, shapes.Conversion)
@reports(OPERATOR_OR_MENTOR, shapes.InZone)
def get_conversion(question: Question) -> Report:
    """Tell how many of the requests made in the period were accepted, became sessions, were completed and reviewed.

    Of these same requests, whenever the rest followed. Requests for instant listings are accepted as they are made;
    groups, which are not requested, are left out.
    """
    span = question.period
    counts = ("requests", "accepted", "sessions", "completed", "reviewed")
    return Report(
        name="conversion",
        query=lambda _page: conversion_query(period=span, scope=question.scope),
        body=lambda rows: _conversion(rows, span),
        columns=("from", "to", *counts, *(f"{part}_rate" for part in counts[1:])),
        lines=lambda rows: [_in_one_line(_conversion(rows, span))],
    )


@analytics.route("/analytics/transition-times")
@_as_table(
    "transition,transitionCount,averageSeconds,p50Seconds,p90Seconds,p99Seconds,fromSeconds,toSeconds,count\r\n"
    "request_to_decision,160,5400.0,3600.0,14400.0,72000.0,,3600.0,80\r\n"
    "request_to_decision,160,5400.0,3600.0,14400.0,72000.0,3600.0,,80\r\n"
)
@analytics.response(200, shapes.TransitionTimes)
@reports(OPERATOR_OR_MENTOR, shapes.OfDays)
def get_transition_times(question: Question) -> Report:
    """Tell how long steps took: deciding, making the session, starting late or early, and the meeting itself.

    Each as a histogram with its average, and estimates of its median, 90th and 99th percentile. A period is of whole
    days of UTC: moments are refused.
    """
    return Report(
        name="transition-times",
        query=lambda _page: transition_times_query(period=question.period, scope=question.scope),
        body=lambda rows: {"items": [{**vars(each), **_of_all_times(each)} for each in histograms_of(rows)]},
        columns=(
            "transition",
            "transition_count",
            "average_seconds",
            *_PERCENTILES,
            "from_seconds",
            "to_seconds",
            "count",
        ),
        lines=lambda rows: [line for each in histograms_of(rows) for line in _lines(each)],
    )


@analytics.route("/analytics/availability")
@refuses("not_found")
@_as_table(
    "mentorProfileId,timeZone,from,to,weekday,hour,openMinutes,bookedMinutes\r\n"
    f"{MENTOR_ID},America/New_York,2030-05-01T00:00:00Z,2030-06-01T00:00:00Z,0,9,240,180\r\n"
)
@analytics.response(200, shapes.Availability)
@reports(OPERATOR_OR_MENTOR, shapes.AvailabilityFilters)
def get_availability(question: Question) -> Report:
    """Tell how many minutes of each hour of the week a mentor is open and booked in the period, on the mentor's clocks.

    Booked is what sessions take that are not cancelled, in the future too. An hour that comes twice when clocks change
    counts twice.
    """
    mentor = question.scope.mentor_profile_id
    if mentor is None:
        raise Invalid(
            "Name the mentor whose hours are meant.", details={"mentorProfileId": ["Missing data for required field."]}
        )

    def hours(rows: Rows) -> Availability:
        if not rows:
            raise NotFound("There is no such mentor.")
        return availability_of(database(), mentor, question.period_in(rows[0].time_zone))

    return Report(
        name="availability",
        query=lambda _page: mentor_zone_query(mentor),
        body=lambda rows: _availability(hours(rows)),
        columns=("mentor_profile_id", "time_zone", "from", "to", "weekday", "hour", "open_minutes", "booked_minutes"),
        lines=lambda rows: _in_hours(_availability(hours(rows))),
    )


def _availability(found: Availability) -> dict[str, Any]:
    span = found.period
    about = {"mentor_profile_id": found.mentor_profile_id, "time_zone": span.zone.key}
    return {**about, "from_": span.start, "to": span.end, "items": found.hours}


def _in_hours(week: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**week, "from": week["from_"], **vars(hour)} for hour in week["items"]]


def _as_they_are(rows: Rows) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]


def _conversion(rows: Rows, span: Period) -> dict[str, Any]:
    found = Conversion.of(rows[0])
    parts = {name: count for name, count in vars(found).items() if name != "requests"}
    rates = {name: found.rate(count) for name, count in parts.items()}
    return {"from_": span.start, "to": span.end, **vars(found), "rates": rates}


def _in_one_line(conversion: dict[str, Any]) -> dict[str, Any]:
    rates = {f"{part}_rate": rate for part, rate in conversion["rates"].items()}
    return {**conversion, "from": conversion["from_"], **rates}


def _lines(each: Histogram) -> list[dict[str, Any]]:
    of_step = {"transition": each.transition, "transition_count": each.count, **_of_all_times(each)}
    return [{**of_step, **vars(bucket)} for bucket in each.buckets]


def _of_all_times(each: Histogram) -> dict[str, float | None]:
    percentiles = {name: each.percentile(share) for name, share in _PERCENTILES.items()}
    return {"average_seconds": each.average_seconds, **percentiles}
