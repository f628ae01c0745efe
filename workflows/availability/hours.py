"""The weekly hours that a mentor has said, as they stand; and how to find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, func, select, text
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
        spans: in their order, and none over another; where there are none, every time can be booked.
    """

    time_zone: str
    spans: tuple[Span, ...]

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The hours that a query's `as_json` holds."""
        return cls(stored["time_zone"], tuple(Span(*span) for span in stored["spans"]))


@dataclass(frozen=True, kw_only=True)
class WeeklyHours(Record):
    """A mentor's present hours; `version` is 0 for a mentor who has never said any."""

    table = weekly_hours

    mentor_profile_id: UUID
    hours: Hours
    version: int

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The hours that a row of `weekly_hours_query` holds."""
        said = row.hours or {"time_zone": row.time_zone, "spans": [], "version": 0}
        return cls(mentor_profile_id=row.id, hours=Hours.read(said), version=said["version"])


def weekly_hours_query(mentor_profile_id: UUID) -> Select[Any]:
    """The mentor's present hours; of a mentor who has said none, at least the zone of their clocks."""
    own = mentor_profiles.c
    return select(own.id, own.time_zone, present_hours(own.id).label("hours")).where(own.id == mentor_profile_id)


def present_hours(mentor_profile_id: ColumnElement[UUID]) -> ScalarSelect[Any]:
    """The present hours of the mentor in another query's row, as JSON; null where they have never said any."""
    present = (weekly_hours.c.mentor_profile_id == mentor_profile_id, weekly_hours.c.until.is_(None))
    return select(as_json()).where(*present).scalar_subquery()


def as_json() -> ColumnElement[Any]:
    """A row of `weekly_hours` with its spans."""
    span = availability_rules.c
    each = func.jsonb_build_array(span.weekday, span.opens, span.closes)
    in_order = func.jsonb_agg(aggregate_order_by(each, span.weekday, span.opens))
    spans = select(in_order).where(span.weekly_hours_id == weekly_hours.c.id).scalar_subquery()
    said = weekly_hours.c
    return func.jsonb_build_object(
        *("time_zone", said.time_zone),
        *("version", said.revision),
        *("spans", func.coalesce(spans, text("'[]'::jsonb"))),
    )


def owner_of(actor: Actor, found: WeeklyHours) -> None:
    """Refuse everybody but the mentor whose hours these are.

    Raises:
        Forbidden: another mentor's hours.
    """
    if actor.mentor_profile_id != found.mentor_profile_id:
        raise Forbidden("Mentors say their own hours alone.")
