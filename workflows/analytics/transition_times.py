"""How long each step of a booking and its session took in a period, as histograms with averages and percentiles."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    Uuid,
    any_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from models.analytics import session_metrics
from models.base import enum_literal
from models.bookings import BookingStatus, bookings
from models.payments import PaymentMode, payments
from models.sessions import sessions
from workflows.analytics.scope import Period, Scope

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE


class Transition(StrEnum):
    """From which step to which a time was taken."""

    REQUEST_TO_DECISION = "request_to_decision"  # accepted or declined by the mentor; an instant listing takes none
    ACCEPTANCE_TO_SESSION = "acceptance_to_session"
    START_DELAY = "start_delay"  # after the time agreed on; before it below zero
    LENGTH = "length"  # from the start to the completion


# In milliseconds. A bucket begins at a bound and ends below the next one; there is one more below the first bound.
BOUNDS: dict[Transition, tuple[int, ...]] = {
    Transition.REQUEST_TO_DECISION: (
        *(minutes * _MINUTE for minutes in (1, 5, 15, 30)),
        *(hours * _HOUR for hours in (1, 2, 4, 8, 16, 24, 48, 72)),
    ),
    Transition.ACCEPTANCE_TO_SESSION: (
        *(50, 100, 250, 500),
        *(int(seconds * _SECOND) for seconds in (1, 2.5, 5, 10, 30, 60, 300)),
    ),
    Transition.START_DELAY: tuple(minutes * _MINUTE for minutes in (-10, -5, 0, 1, 5, 10, 15, 30, 60)),
    Transition.LENGTH: tuple(minutes * _MINUTE for minutes in (5, 15, 30, 45, 60, 90, 120, 180, 240, 480)),
}
# Clocks differ: what comes after something else takes no time at the least. Only a start may be early.
MAY_BE_NEGATIVE = Transition.START_DELAY

# By a trigger no booking changes once it is accepted, but by a move, which keeps when that was. That of an instant
# listing is accepted as it is written.
_ACCEPTED_AT = func.coalesce(bookings.c.decided_at, bookings.c.updated_at)
# What is paid before is decided when its payment is asked for, and accepted when that has arrived.
_ASKED_AT = (
    select(func.min(payments.c.created_at))
    .where(
        bookings.c.payment_mode == enum_literal(PaymentMode.BEFORE),
        payments.c.seat_id.is_(None),
        or_(payments.c.booking_id == bookings.c.id, payments.c.series_id == bookings.c.series_id),
    )
    .correlate(bookings)
    .scalar_subquery()
)
DECIDED_AT = func.coalesce(_ASKED_AT, _ACCEPTED_AT)
WAS_REQUESTED = func.coalesce(
    bookings.c.created_at < _ASKED_AT, bookings.c.version - bookings.c.reschedule_count > 1, type_=Boolean
)
_TOOK: dict[Transition, ColumnElement[Any]] = {
    Transition.REQUEST_TO_DECISION: DECIDED_AT - bookings.c.created_at,
    Transition.ACCEPTANCE_TO_SESSION: sessions.c.created_at - _ACCEPTED_AT,
    Transition.START_DELAY: sessions.c.started_at - sessions.c.start_time,
    Transition.LENGTH: sessions.c.completed_at - sessions.c.started_at,
}


@dataclass(frozen=True)
class Bucket:
    """How many times lay from `from_seconds` to before `to_seconds`; None for an open end."""

    from_seconds: float | None
    to_seconds: float | None
    count: int


@dataclass(frozen=True)
class Histogram:
    """The times of one kind of step."""

    transition: Transition
    count: int
    milliseconds: int
    buckets: tuple[Bucket, ...]

    @property
    def average_seconds(self) -> float | None:
        """The mean, exact to the millisecond; None without any times."""
        return round(self.milliseconds / self.count / 1000, 3) if self.count else None

    def percentile(self, share: float) -> float | None:
        """About how many seconds that share of the times stayed below, by even spread within a bucket.

        Of an open end nothing more is known than its bound. None without any times.
        """
        wanted, below = share * self.count, 0
        for bucket in self.buckets:
            if bucket.count and below + bucket.count >= wanted:
                return _within(bucket, (wanted - below) / bucket.count)
            below += bucket.count
        return None


def transition_times_query(*, period: Period, scope: Scope) -> Select[Any]:
    """A row for each bucket that holds anything: `transition`, `bucket`, `held`, `milliseconds`.

    A step counts in the period in which it ended.
    """
    decided = bookings.c.status.in_([BookingStatus.ACCEPTED, BookingStatus.DECLINED])
    of_booking = (decided, WAS_REQUESTED, period.covers_booking(DECIDED_AT), scope.covers(bookings))
    with_booking = sessions.join(bookings, bookings.c.id == sessions.c.booking_id)

    def of_session(transition: Transition, ended_at: ColumnElement[Any], source: FromClause = sessions) -> Select[Any]:
        return _times(transition, source, period.covers_session(ended_at), scope.covers(sessions))

    times = union_all(
        _times(Transition.REQUEST_TO_DECISION, bookings, *of_booking),
        of_session(Transition.ACCEPTANCE_TO_SESSION, sessions.c.created_at, with_booking),
        of_session(Transition.START_DELAY, sessions.c.started_at),
        of_session(Transition.LENGTH, sessions.c.completed_at),
    )
    return select(times.subquery("times"))


def milliseconds_of(transition: Transition) -> ColumnElement[Any]:
    """How long the step took, in whole milliseconds, downwards."""
    # By way of whole microseconds, which a double holds exactly: `extract` is exact as well, and takes twice the time.
    whole = func.floor(func.round(func.date_part("epoch", _TOOK[transition]) * 1_000_000) / 1000)
    return whole if transition is MAY_BE_NEGATIVE else func.greatest(0, whole)


def record_metrics(db: Connection, session_ids: list[UUID]) -> None:
    """Record the measures of these completed sessions, in the order of their ids."""
    booking, session = bookings.c, sessions.c
    measures = {step: milliseconds_of(step) for step in Transition}
    decision = measures[Transition.REQUEST_TO_DECISION]
    measures[Transition.REQUEST_TO_DECISION] = case((WAS_REQUESTED, decision))
    booked = func.floor(func.date_part("epoch", session.end_time - session.start_time) / 60)
    values = {
        "session_id": session.id,
        "mentor_profile_id": session.mentor_profile_id,
        "course_id": session.course_id,
        "completed_at": session.completed_at,
        "booked_minutes": cast(booked, Integer),
        **{f"{step}_ms": cast(took, BigInteger) for step, took in measures.items()},
    }
    measured = (
        select(*values.values())
        .join_from(sessions, bookings, booking.id == session.booking_id)
        .where(session.id == any_(literal(session_ids, ARRAY(Uuid))), session.completed_at.is_not(None))
        .order_by(session.id)
    )
    db.execute(insert(session_metrics).from_select(list(values), measured).on_conflict_do_nothing())


def _times(transition: Transition, source: FromClause, *within: ColumnElement[bool]) -> Select[Any]:
    milliseconds = milliseconds_of(transition)
    bucket = func.width_bucket(milliseconds, literal(BOUNDS[transition], ARRAY(Double))).label("bucket")
    return (
        select(
            literal(transition.value, Text).label("transition"),
            bucket,
            func.count().label("held"),
            cast(func.sum(milliseconds), BigInteger).label("milliseconds"),
        )
        .select_from(source)
        .where(*within)
        .group_by(bucket)
    )


def histograms_of(rows: Iterable[Row[Any]]) -> list[Histogram]:
    """A histogram per kind of step, in the order of a life, with empty buckets too."""
    found = {(row.transition, row.bucket): row for row in rows}
    return [_histogram(transition, found) for transition in Transition]


def _histogram(transition: Transition, found: dict[tuple[str, int], Row[Any]]) -> Histogram:
    lowest = None if transition is MAY_BE_NEGATIVE else 0.0
    edges = [lowest, *(bound / 1000 for bound in BOUNDS[transition]), None]
    rows = [found.get((transition, number)) for number in range(len(edges) - 1)]
    buckets = tuple(
        Bucket(low, high, row.held if row else 0) for low, high, row in zip(edges, edges[1:], rows, strict=False)
    )
    held = [row for row in rows if row]
    return Histogram(transition, sum(row.held for row in held), sum(row.milliseconds for row in held), buckets)


def _within(bucket: Bucket, share: float) -> float:
    low, high = bucket.from_seconds, bucket.to_seconds
    if low is None or high is None:
        return (low if low is not None else high) or 0.0
    return round(low + (high - low) * share, 3)
