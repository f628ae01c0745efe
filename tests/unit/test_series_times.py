"""Tests of the times of a series: the same wall-clock time each week, across changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.bookings.series import MAX_OCCURRENCES, Occurrence, Recurrence, occurrences
from workflows.kernel.errors import Invalid

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_the_wall_clock_time_stays_across_the_end_of_summer_time() -> None:
    # The clocks of Berlin are put back on 27 October 2030.
    times = occurrences(Recurrence(count=3), at("2030-10-16T17:00:00+02:00"), BERLIN)
    assert [time.start for time in times] == [
        at("2030-10-16T17:00:00+02:00"),
        at("2030-10-23T17:00:00+02:00"),
        at("2030-10-30T17:00:00+01:00"),
    ]


def test_a_time_that_the_clocks_skip_does_not_exist() -> None:
    # On 31 March 2030 they are put forward from 02:00 to 03:00.
    times = occurrences(Recurrence(count=3), at("2030-03-24T02:30:00+01:00"), BERLIN)
    assert times == [
        Occurrence(at("2030-03-24T01:30:00+00:00")),
        Occurrence(at("2030-03-31T01:30:00+00:00"), exists=False),
        Occurrence(at("2030-04-07T00:30:00+00:00")),
    ]


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    times = occurrences(Recurrence(count=2), at("2030-10-20T02:30:00+02:00"), BERLIN)
    assert times[1] == Occurrence(at("2030-10-27T02:30:00+02:00"))


def test_the_first_is_taken_as_it_is() -> None:
    second_half_past_two = at("2030-10-27T02:30:00+01:00")
    times = occurrences(Recurrence(count=2), second_half_past_two, BERLIN)
    assert times == [Occurrence(second_half_past_two), Occurrence(at("2030-11-03T02:30:00+01:00"))]


def test_weeks_may_be_left_out() -> None:
    times = occurrences(Recurrence(count=3, every_weeks=2), at("2030-05-06T09:00:00Z"), "UTC")
    assert [time.start.date() for time in times] == [date(2030, 5, 6), date(2030, 5, 20), date(2030, 6, 3)]


@pytest.mark.parametrize(
    ("until", "count"), [("2030-05-06", 1), ("2030-05-12", 1), ("2030-05-13", 2), ("2031-04-28", 52)]
)
def test_the_last_date_is_included(until: str, count: int) -> None:
    recurrence = Recurrence(until=date.fromisoformat(until))
    assert len(occurrences(recurrence, at("2030-05-06T09:00:00Z"), "UTC")) == count


def test_the_last_date_is_one_of_the_time_zone() -> None:
    # In Auckland it is already Tuesday.
    first, monday = at("2030-05-06T20:00:00Z"), date(2030, 5, 13)
    assert len(occurrences(Recurrence(until=monday), first, "UTC")) == 2
    assert len(occurrences(Recurrence(until=monday), first, "Pacific/Auckland")) == 1


@pytest.mark.parametrize("until", ["2030-05-05", "2031-05-05", "2999-01-01"])
def test_a_last_date_that_makes_none_or_too_many_is_refused(until: str) -> None:
    with pytest.raises(Invalid) as refusal:
        occurrences(Recurrence(until=date.fromisoformat(until)), at("2030-05-06T09:00:00Z"), "UTC")
    assert list(refusal.value.details or {}) == ["recurrence.until"]


@given(
    hours=st.integers(0, 90_000),
    count=st.integers(1, MAX_OCCURRENCES),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]),
)
def test_each_time_that_exists_shows_the_same_clock(hours: int, count: int, zone: str) -> None:
    first = datetime(2025, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hours)
    there = ZoneInfo(zone)
    times = occurrences(Recurrence(count=count), first, zone)
    assert len(times) == count
    begun = first.astimezone(there)
    for number, time in enumerate(times):
        shown = time.start.astimezone(there)
        assert (shown.time() == begun.time()) is time.exists
        if time.exists:
            assert shown.date() == begun.date() + timedelta(weeks=number)
