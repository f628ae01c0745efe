"""The weekly hours that a mentor has said, as they stand; and how to find them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by

from models.availability import availability_rules, weekly_hours
from models.people import mentor_profiles
from workflows.errors import Forbidden
from workflows.identity.actor import Actor
from workflows.records import Record


@dataclass(frozen=True, order=True)
class Span:
    """One open stretch of a weekday.

    Args:
        weekday: 0 for Monday to 6 for Sunday.
        opens: in minutes since midnight, by the clocks of its hours' zone.
        closes: the same; 1440 is the midnight at the day's end.
    """

    weekday: int
    opens: int
    closes: int


@dataclass(frozen=True)
class Hours:
    """What a mentor has said of their week.

    Args:
        time_zone: an IANA name: the hours keep to its clocks, whatever these do.
        spans: in their order, and none over another; where there are none, every time is open.
    """

    time_zone: str
    spans: tuple[Span, ...] = ()

    @classmethod
    def read(cls, time_zone: str, spans: Iterable[Iterable[int]]) -> Self:
        """The hours of a row of `weekly_hours`, with its `spans_as_json`."""
        return cls(time_zone, tuple(Span(*span) for span in spans))


@dataclass(frozen=True, kw_only=True)
class WeeklyHours(Record):
    """A mentor's present hours; `version` is 0 for a mentor who has never said any."""

    table = weekly_hours

    mentor_profile_id: UUID
    time_zone: str
    version: int
    spans: list[list[int]]

    @property
    def hours(self) -> Hours:
        """The same as they are reckoned with."""
        return Hours.read(self.time_zone, self.spans)

    @classmethod
    def query(cls) -> Select[Any]:
        mentor, said = mentor_profiles.c, weekly_hours.c
        return select(
            mentor.id.label("mentor_profile_id"),
            func.coalesce(said.time_zone, mentor.time_zone).label("time_zone"),
            func.coalesce(said.revision, 0).label("version"),
            spans_as_json().label("spans"),
        ).join_from(mentor_profiles, weekly_hours, present_of(mentor.id), isouter=True)


def weekly_hours_query(mentor_profile_id: UUID) -> Select[Any]:
    """The present hours of the mentor of that id; who has said none is open at every time, on their own clocks."""
    return WeeklyHours.query().where(mentor_profiles.c.id == mentor_profile_id)


def present_of(mentor_profile_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a row of `weekly_hours` holds for the mentor now."""
    return and_(weekly_hours.c.mentor_profile_id == mentor_profile_id, weekly_hours.c.until.is_(None))


def spans_as_json() -> ColumnElement[Any]:
    """The spans of a row of `weekly_hours`, in their order; none where there is no such row."""
    return func.coalesce(_spans(), text("'[]'::jsonb"))


def _spans() -> ScalarSelect[Any]:
    span = availability_rules.c
    each = func.jsonb_build_array(span.weekday, span.opens, span.closes)
    in_order = func.jsonb_agg(aggregate_order_by(each, span.weekday, span.opens))
    return select(in_order).where(span.weekly_hours_id == weekly_hours.c.id).scalar_subquery()


def owner_of(actor: Actor, found: WeeklyHours) -> None:
    """Refuse everybody but the mentor whose hours these are.

    Raises:
        Forbidden: another mentor's hours.
    """
    if actor.mentor_profile_id != found.mentor_profile_id:
        raise Forbidden("Mentors say their own hours alone.")
