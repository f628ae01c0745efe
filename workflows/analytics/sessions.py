"""What happened to sessions in a period: by day, week, mentor or course; or the period's sessions by their status."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Date, Select, Text, cast, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from models.analytics import SESSION_COUNTERS
from models.catalog import courses
from models.people import mentor_profiles, users
from models.sessions import sessions
from workflows.analytics.period import Period
from workflows.analytics.slots import Slots, slots_of
from workflows.analytics.whose import Whose
from workflows.paging import Page


class Grouping(StrEnum):
    """By what counts are told apart."""

    DAY = "day"
    WEEK = "week"
    MENTOR = "mentor"
    COURSE = "course"
    STATUS = "status"


# What a row is about, by grouping.
SUBJECTS: dict[Grouping, tuple[str, ...]] = {
    Grouping.DAY: ("day",),
    Grouping.WEEK: ("week",),
    Grouping.MENTOR: ("mentor_profile_id", "mentor_name"),
    Grouping.COURSE: ("course_id", "course_title"),
    Grouping.STATUS: ("status",),
}
# And what is told of it. Seats are those that were taken and not given back; below zero where more were given back.
COUNTS = (
    *("created", "started", "completed", "cancelled", "late_cancellations", "minutes"),
    *("seats", "seats_joined", "seats_left"),
)
OF_STATUS = ("sessions", "minutes")

ISO_DAY = "YYYY-MM-DD"


def session_counts_query(page: Page, *, period: Period, group: Grouping, whose: Whose) -> Select[Any]:
    """The rows of a grouping that have something to count, in the order of their `key`; one more than asked.

    A week begins on Monday, and is named by it. Of `status` the rows are the sessions that were to begin in the
    period, as they stand now; of the others, what happened in the period.
    """
    query = _GROUPED[group](period, whose)
    key = query.selected_columns["key"]
    if page.after is not None:
        query = query.where(key > page.after[0])
    return query.order_by(key).limit(page.limit + 1)


def _by_day(period: Period, whose: Whose) -> Select[Any]:
    slots = slots_of(period)
    return _counted(slots, whose, func.to_char(slots.day, ISO_DAY), slots.day.label("day"))


def _by_week(period: Period, whose: Whose) -> Select[Any]:
    slots = slots_of(period)
    monday = cast(func.date_trunc(literal("week"), slots.day), Date)
    grouped = _counted(slots, whose, func.to_char(monday, ISO_DAY)).subquery()
    return select(*grouped.c, cast(grouped.c.key, Date).label("week"))


def _by_mentor(period: Period, whose: Whose) -> Select[Any]:
    slots = slots_of(period)
    mentor = slots.table.c.mentor_profile_id
    grouped = _counted(slots, whose, cast(mentor, Text), mentor).subquery()
    return (
        select(*grouped.c, users.c.name.label("mentor_name"))
        .join_from(grouped, mentor_profiles, mentor_profiles.c.id == grouped.c.mentor_profile_id)
        .join(users, users.c.id == mentor_profiles.c.user_id)
    )


def _by_course(period: Period, whose: Whose) -> Select[Any]:
    slots = slots_of(period)
    course = slots.table.c.course_id
    # What is of no course comes first.
    grouped = _counted(slots, whose, func.coalesce(cast(course, Text), ""), course).subquery()
    return select(*grouped.c, courses.c.title.label("course_title")).outerjoin_from(
        grouped, courses, courses.c.id == grouped.c.course_id
    )


def _by_status(period: Period, whose: Whose) -> Select[Any]:
    length = func.extract("epoch", sessions.c.end_time - sessions.c.start_time) / 60
    status = sessions.c.status
    within = (sessions.c.start_time >= period.start, sessions.c.start_time < period.end)
    return (
        select(
            cast(status, Text).label("key"),
            status,
            func.count().label("sessions"),
            cast(func.floor(func.sum(length)), BigInteger).label("minutes"),
        )
        .where(*within, whose.of(sessions))
        .group_by(status)
    )


def _counted(slots: Slots, whose: Whose, key: ColumnElement[Any], *of: ColumnElement[Any]) -> Select[Any]:
    """The sums of the counters by `key`; rows in which no session's counter moved are left out."""
    sums = {name: cast(func.sum(slots.table.c[name]), BigInteger) for name in SESSION_COUNTERS}
    seats = (sums["seats_joined"] - sums["seats_left"]).label("seats")
    named = key.label("key")
    grouped = (
        select(named, *of, *(total.label(name) for name, total in sums.items()), seats)
        .select_from(slots.source)
        .where(slots.within, whose.of(slots.table))
        .group_by(named, *of)
        .having(func.sum(sum((slots.table.c[name] for name in SESSION_COUNTERS), start=literal(0))) > 0)
        .subquery("counted")
    )
    return select(*grouped.c)


_GROUPED: dict[Grouping, Callable[[Period, Whose], Select[Any]]] = {
    Grouping.DAY: _by_day,
    Grouping.WEEK: _by_week,
    Grouping.MENTOR: _by_mentor,
    Grouping.COURSE: _by_course,
    Grouping.STATUS: _by_status,
}
