"""Counts of a period: what happened to sessions by hour, day, week, mentor or course; by status; conversion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Date,
    FromClause,
    Row,
    Select,
    Text,
    Uuid,
    and_,
    cast,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from models.bookings import BookingKind, BookingStatus, bookings
from models.catalog import courses
from models.events import events
from models.people import mentor_profiles, users
from models.reviews import reviews
from models.sessions import OutcomeType, SessionStatus, sessions
from workflows.analytics.scope import Period, Scope
from workflows.events.event_types import SeatJoined, SeatLeft, SeatRefunded
from workflows.kernel.paging import Page


class Grouping(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MENTOR = "mentor"
    COURSE = "course"
    STATUS = "status"


# The subject of a row, by grouping.
SUBJECTS: dict[Grouping, tuple[str, ...]] = {
    Grouping.HOUR: ("hour",),
    Grouping.DAY: ("day",),
    Grouping.WEEK: ("week",),
    Grouping.MENTOR: ("mentor_profile_id", "mentor_name"),
    Grouping.COURSE: ("course_id", "course_title"),
    Grouping.STATUS: ("status",),
}
# Seats are those that were taken, less those given back and those refunded with a cancelled group.
COUNTS = (
    *("created", "started", "completed", "cancelled", "late_cancellations", "minutes"),
    *("seats", "seats_joined", "seats_left", "seats_left_late", "seats_refunded"),
)
STATUS_COUNTS = ("sessions", "minutes")
_SUMMED = tuple(name for name in COUNTS if name != "seats")

_SECONDS = func.date_part("epoch", sessions.c.end_time - sessions.c.start_time)
_MINUTES = cast(func.floor(func.sum(_SECONDS) / 60), BigInteger)
# No table has seats yet: their events are all there is of them.
_SEATS = (
    select(
        events.c.type,
        events.c.occurred_at.label("at"),
        cast(events.c.data["mentor_profile_id"].as_string(), Uuid).label("mentor_profile_id"),
        cast(events.c.data["course_id"].as_string(), Uuid).label("course_id"),
        events.c.data["late"].as_boolean().label("late"),
    )
    # Literal, so that the index over these alone is known to be enough.
    .where(events.c.type.in_([literal_column(f"'{each.type}'") for each in (SeatJoined, SeatLeft, SeatRefunded)]))
    .subquery("seats")
)
_ISO_DAY, _ISO_HOUR = "YYYY-MM-DD", 'YYYY-MM-DD"T"HH24:MI'


def session_counts_query(page: Page, *, period: Period, group: Grouping, scope: Scope) -> Select[Any]:
    """The rows of a grouping that have something to count, in the order of their `key`; one more than the page's limit.

    An hour is named by its beginning in UTC, a week by its Monday. Of `status` the rows are the sessions that were to
    begin in the period, as they stand now; of the others, what happened in the period.
    """
    query = _by_status(period, scope) if group is Grouping.STATUS else _by_subject(period, group, scope)
    key = query.selected_columns["key"]
    if page.after is not None:
        query = query.where(key > page.after[0])
    return query.order_by(key).limit(page.limit + 1)


def _by_status(period: Period, scope: Scope) -> Select[Any]:
    status = sessions.c.status
    return (
        select(cast(status, Text).label("key"), status, func.count().label("sessions"), _MINUTES.label("minutes"))
        .where(period.covers(sessions.c.start_time), scope.covers(sessions))
        .group_by(status)
    )


def _by_subject(period: Period, group: Grouping, scope: Scope) -> Select[Any]:
    happened = _happened(period, group, scope).subquery("happened")
    subject = happened.c.subject
    sums = {name: cast(func.sum(happened.c[name]), BigInteger) for name in _SUMMED}
    seats = (sums["seats_joined"] - sums["seats_left"] - sums["seats_refunded"]).label("seats")
    counts = [*(total.label(name) for name, total in sums.items()), seats]
    # Rows without a course come first.
    match group:
        case Grouping.HOUR:
            key = func.to_char(func.timezone("UTC", subject), _ISO_HOUR)
        case Grouping.DAY | Grouping.WEEK:
            key = func.to_char(subject, _ISO_DAY)
        case _:
            key = func.coalesce(cast(subject, Text), "")
    total = select(key.label("key"), subject, *counts).group_by(subject).subquery("total")
    query = select(total.c.key, *(total.c[name] for name in COUNTS))
    match group:
        case Grouping.MENTOR:
            return (
                query.add_columns(total.c.subject.label("mentor_profile_id"), users.c.name.label("mentor_name"))
                .join_from(total, mentor_profiles, mentor_profiles.c.id == total.c.subject)
                .join(users, users.c.id == mentor_profiles.c.user_id)
            )
        case Grouping.COURSE:
            return query.add_columns(
                total.c.subject.label("course_id"), courses.c.title.label("course_title")
            ).outerjoin_from(total, courses, courses.c.id == total.c.subject)
        case _:
            return query.add_columns(total.c.subject.label(group.value))


def _happened(period: Period, group: Grouping, scope: Scope) -> CompoundSelect[Any]:
    """Each step of a session counted separately, by `subject`: a scan and a hash for each step cost least."""

    def counted(source: FromClause, at: ColumnElement[Any], within: ColumnElement[bool], **counts: Any) -> Select[Any]:
        match group:
            case Grouping.HOUR:
                subject = period.local_hour(at)
            case Grouping.DAY:
                subject = period.local_day(at)
            case Grouping.WEEK:
                subject = cast(func.date_trunc(literal("week", Text), period.local_time(at)), Date)
            case _:
                subject = source.c.mentor_profile_id if group is Grouping.MENTOR else source.c.course_id
        columns = [counts.get(name, literal(0)).label(name) for name in _SUMMED]
        named = subject.label("subject")
        return select(named, *columns).where(within, scope.covers(source)).group_by(named)

    def step(at: ColumnElement[Any], **counts: Any) -> Select[Any]:
        return counted(sessions, at, period.covers_session(at), **counts)

    row, cancellation, left = sessions.c, sessions.c.cancellation, _SEATS.c.type == SeatLeft.type
    # A mentee who did not come owes what a late cancellation costs, and has not cancelled.
    late = and_(
        cancellation["late"].as_boolean(), cancellation["type"].as_string().is_distinct_from(OutcomeType.NO_SHOW)
    )
    return union_all(
        step(row.created_at, created=func.count()),
        step(row.started_at, started=func.count()),
        step(row.completed_at, completed=func.count(), minutes=_MINUTES),
        step(row.cancelled_at, cancelled=func.count(), late_cancellations=func.count().filter(late)),
        counted(
            _SEATS,
            _SEATS.c.at,
            period.covers(_SEATS.c.at),
            seats_joined=func.count().filter(_SEATS.c.type == SeatJoined.type),
            seats_left=func.count().filter(left),
            seats_left_late=func.count().filter(left, _SEATS.c.late),
            seats_refunded=func.count().filter(_SEATS.c.type == SeatRefunded.type),
        ),
    )


@dataclass(frozen=True)
class Conversion:
    """How far the requests of a period have come, whenever they did; groups, which are not requested, are left out."""

    requests: int
    accepted: int
    sessions: int
    completed: int
    reviewed: int

    @classmethod
    def of(cls, row: Row[Any]) -> Conversion:
        return cls(**row._mapping)

    def rate(self, part: int) -> float | None:
        """The share of the requests that came so far, 0 to 1; None where there were none."""
        return round(part / self.requests, 4) if self.requests else None


def conversion_query(*, period: Period, scope: Scope) -> Select[Any]:
    """One row: the requests made in the period, bookings of instant listings among them, and how far they have come."""
    counts: list[ColumnElement[Any]] = [
        func.count().label("requests"),
        func.count().filter(bookings.c.status == BookingStatus.ACCEPTED).label("accepted"),
        func.count(sessions.c.id).label("sessions"),
        func.count().filter(sessions.c.status == SessionStatus.COMPLETED).label("completed"),
        func.count(reviews.c.id).label("reviewed"),
    ]
    return (
        select(*counts)
        .join_from(bookings, sessions, sessions.c.booking_id == bookings.c.id, isouter=True)
        # One at the most: a single mentee reviews a session once.
        .join(reviews, reviews.c.session_id == sessions.c.id, isouter=True)
        .where(
            bookings.c.kind == BookingKind.INDIVIDUAL,
            period.covers_booking(bookings.c.created_at),
            scope.covers(bookings),
        )
    )
