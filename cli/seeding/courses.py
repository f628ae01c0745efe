"""Seeded courses: what is sold for each, and the weekly group that one of its mentors holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cli.seeding.bookings import EffectRunner
from models.catalog import ProductKind
from workflows.groups.schedule import schedule
from workflows.groups.templates import create_template
from workflows.identity.actor import Actor

PRODUCTS: list[dict[str, Any]] = [
    {"kind": ProductKind.SINGLE, "title": "A session", "price_amount": 4_500, "price_currency": "EUR"},
    {
        "kind": ProductKind.BUNDLE,
        "title": "Five sessions",
        "session_count": 5,
        "valid_days": 180,
        "price_amount": 20_000,
        "price_currency": "EUR",
    },
    {"kind": ProductKind.GROUP_SEAT, "title": "A seat in a group", "price_amount": 1_500, "price_currency": "EUR"},
]
WEDNESDAY, EVENING = 2, time(18, 30)
SEATS = 6
AHEAD = timedelta(days=14)


@dataclass(frozen=True)
class GroupPlan:
    """A weekly group of a course, on Wednesday evenings of the mentor's time zone."""

    mentor: Actor
    course_id: UUID
    title: str
    time_zone: str


def schedule_group(db: Connection, plan: GroupPlan, *, now: datetime) -> int:
    """Write the template and schedule the next two weeks; return how many sessions were made."""
    template = create_template(
        db,
        actor=plan.mentor,
        columns={
            "course_id": plan.course_id,
            "title": f"{plan.title}: exercises",
            "weekday": WEDNESDAY,
            "start_time": EVENING,
            "time_zone": plan.time_zone,
            "duration_minutes": 90,
            "capacity": SEATS,
        },
    )
    today = now.astimezone(ZoneInfo(plan.time_zone)).date()
    made = schedule(db, actor=plan.mentor, template=template, first=today, last=today + AHEAD, now=now).made
    effects = EffectRunner(db, now)
    effects.run_immediate()
    return len(made)
