"""Tests of a template's dates and start times, across changes of the clocks."""

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import uuid4

import pytest

from models.payments import PaymentMode
from models.terms import RescheduleMode
from workflows.groups.schedule import dates_of, start_of
from workflows.groups.templates import GroupTemplate

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def template(**fields: Any) -> GroupTemplate:
    columns: dict[str, Any] = {
        "id": uuid4(),
        "version": 1,
        "mentor_profile_id": uuid4(),
        "course_id": None,
        "product_id": None,
        "title": "Exercises",
        "weekday": 0,
        "start_time": time(9),
        "time_zone": "Europe/Berlin",
        "duration_minutes": 60,
        "capacity": 3,
        "price_amount": 0,
        "price_currency": "EUR",
        "early_start_minutes": 15,
        "buffer_minutes": 0,
        "cancellation_window_hours": 24,
        "late_fee_percent": 50,
        "no_show_fee_percent": 100,
        "location": None,
        "payment_mode": PaymentMode.NONE,
        "reschedule_mode": RescheduleMode.OFF,
        "reschedule_window_hours": 24,
        "reschedule_max_times": 2,
        "questions": [],
        "external_id": None,
        "metadata": None,
        "active": True,
        "created_at": CREATED,
    }
    return GroupTemplate(**{**columns, **fields})


@pytest.mark.parametrize(
    ("weekday", "first", "last", "days"),
    [
        # 2 March 2026 is a Monday.
        (0, 2, 2, [2]),
        (0, 2, 9, [2, 9]),
        (0, 1, 8, [2]),
        (6, 1, 8, [1, 8]),
        (1, 4, 9, []),
        (1, 4, 3, []),
    ],
)
def test_dates_are_those_of_the_weekday(weekday: int, first: int, last: int, days: list[int]) -> None:
    found = dates_of(template(weekday=weekday), date(2026, 3, first), date(2026, 3, last))
    assert [day.day for day in found] == days


def test_the_wall_clock_time_is_kept_across_the_change() -> None:
    weekly = template()
    assert start_of(weekly, date(2026, 3, 23)) == datetime(2026, 3, 23, 8, tzinfo=UTC)
    assert start_of(weekly, date(2026, 3, 30)) == datetime(2026, 3, 30, 7, tzinfo=UTC)


def test_a_time_that_the_clocks_skip_is_none() -> None:
    early = template(weekday=6, start_time=time(2, 30))
    assert start_of(early, date(2026, 3, 29)) is None
    assert start_of(early, date(2026, 3, 22)) is not None


def test_of_a_time_that_exists_twice_it_is_the_first() -> None:
    early = template(weekday=6, start_time=time(2, 30))
    assert start_of(early, date(2026, 10, 25)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_date_that_a_zone_skipped_has_no_time() -> None:
    # Samoa went from 29 to 31 December 2011.
    assert start_of(template(time_zone="Pacific/Apia"), date(2011, 12, 30)) is None
