"""Tests of how long a push is of use, as a table."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from workflows.events.event import Event
from workflows.events.event_types import BookingUndecided, SessionCancelled, SessionReminderSet, SessionStarted
from workflows.notifications.pushes import useful_until

NOON = datetime(2030, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR


def happened(kind: type[Event], occurred_at: datetime, **told: Any) -> Event:
    """An event that tells what matters here, and of all else nothing of interest."""
    all_else = {each.name: UUID(int=1) for each in fields(kind) if each.name not in {"id", "sequence"}}
    return kind(**{**all_else, "actor": "system", "occurred_at": occurred_at, **told})


@pytest.mark.parametrize(
    ("event", "until"),
    [
        # A day, whatever happened.
        (happened(SessionCancelled, NOON), NOON + DAY),
        # A reminder until the session begins or the next reminder comes, however long ago it was set.
        (happened(SessionReminderSet, NOON - 30 * DAY, useful_until=NOON + HOUR), NOON + HOUR),
        (happened(SessionReminderSet, NOON - 30 * DAY, useful_until=NOON + 3 * DAY), NOON + DAY),
        # A request that waits, until it runs out.
        (happened(BookingUndecided, NOON, expires_at=NOON + 2 * HOUR), NOON + 2 * HOUR),
        # That it has begun, for as long as it lasts from then on: it may have begun late.
        (happened(SessionStarted, NOON, start_time=NOON - 9 * HOUR, end_time=NOON - 8 * HOUR), NOON + HOUR),
    ],
)
def test_a_push_is_useful_for_a_day_at_most(event: Event, until: datetime) -> None:
    assert useful_until(event, written_at=NOON) == until
