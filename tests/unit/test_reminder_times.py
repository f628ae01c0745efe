"""Tests of when people are reminded: real hours before the start, and nothing that has passed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from workflows.kernel.language import language_of
from workflows.notifications.reminders import reminders_of
from workflows.notifications.texts import in_words

START = datetime(2030, 5, 4, 9, tzinfo=UTC)
LONG_AGO = START - timedelta(days=90)


def test_a_reminder_is_useful_until_the_next() -> None:
    day, hour = reminders_of(START, (60, 1440), since=LONG_AGO)
    assert (day.minutes_before, day.remind_at) == (1440, START - timedelta(days=1))
    assert (hour.minutes_before, hour.remind_at) == (60, START - timedelta(hours=1))
    assert day.useful_until == hour.remind_at
    assert hour.useful_until == START


@pytest.mark.parametrize(
    ("ahead", "left"),
    [
        (timedelta(hours=25), [1440, 60]),
        (timedelta(hours=24, seconds=1), [1440, 60]),
        # Made a day ahead to the second: that day has begun already.
        (timedelta(hours=24), [60]),
        (timedelta(hours=2), [60]),
        (timedelta(hours=1), []),
        (timedelta(minutes=5), []),
    ],
)
def test_a_session_made_late_skips_what_has_passed(ahead: timedelta, left: list[int]) -> None:
    assert [each.minutes_before for each in reminders_of(START, (1440, 60), since=START - ahead)] == left


def test_none_and_doubled_times_are_what_they_say() -> None:
    assert reminders_of(START, (), since=LONG_AGO) == []
    assert [each.minutes_before for each in reminders_of(START, (5, 5), since=LONG_AGO)] == [5]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        # Both changes of the clocks, each between the reminder and the start.
        ("Europe/Berlin", "2030-03-31 09:00"),
        ("Europe/Berlin", "2030-10-27 09:00"),
        ("America/New_York", "2030-03-10 09:00"),
        ("America/New_York", "2030-11-03 09:00"),
        # Half an hour forward, and half an hour back.
        ("Australia/Lord_Howe", "2030-10-06 09:00"),
        ("Australia/Lord_Howe", "2030-04-07 09:00"),
        # No changes at all.
        ("Asia/Tokyo", "2030-03-31 09:00"),
    ],
)
def test_an_hour_is_an_hour_across_a_change_of_the_clocks(zone: str, start: str) -> None:
    begins = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    day, _hour = reminders_of(begins, (1440, 60), since=begins - timedelta(days=30))
    assert begins - day.remind_at == timedelta(hours=24)
    on_the_wall = day.remind_at.astimezone(ZoneInfo(zone))
    changes = zone != "Asia/Tokyo"
    # On the wall it is another time of day: what is promised is a day of 24 hours.
    assert (on_the_wall.strftime("%H:%M") != "09:00") == changes


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(hours=24), "24 hours"),
        # The sweep may come a second late.
        (timedelta(hours=24) - timedelta(seconds=1.5), "24 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=59, seconds=29), "59 minutes"),
        (timedelta(minutes=61), "1 hour and 1 minute"),
        (timedelta(hours=2, minutes=30), "2 hours and 30 minutes"),
        (timedelta(hours=23, minutes=10), "23 hours"),
        (timedelta(hours=47, minutes=50), "48 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=30), "30 days"),
        (timedelta(seconds=10), "1 minute"),
    ],
)
def test_how_long_it_is_is_said_as_people_say_it(length: timedelta, words: str) -> None:
    assert in_words(language_of("en"), length) == words
