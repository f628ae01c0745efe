"""When weekly hours are open, also where clocks change."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.availability.hours import Hours, Span, describe_weekday
from workflows.availability.open_times import open_times

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SUNDAY = 6


def at(moment: str) -> datetime:
    """A moment by its ISO form."""
    return datetime.fromisoformat(moment)


def clock(shown: str) -> int:
    """Minutes since midnight."""
    hours, minutes = shown.split(":")
    return int(hours) * 60 + int(minutes)


def weekly(time_zone: str, *spans: tuple[int, str, str]) -> Hours:
    """Hours by weekday, beginning and end."""
    return Hours(time_zone, tuple(sorted(Span(day, clock(opens), clock(closes)) for day, opens, closes in spans)))


# Each a Sunday on which clocks change, with what is open of a span on that day, in UTC.
CHANGES = [
    # Berlin leaves out the hour from two.
    ("Europe/Berlin", "2026-03-29", "01:00", "04:00", "2026-03-29T00:00Z", "2026-03-29T02:00Z"),
    ("Europe/Berlin", "2026-03-29", "02:30", "04:00", "2026-03-29T01:00Z", "2026-03-29T02:00Z"),
    ("Europe/Berlin", "2026-03-29", "01:30", "02:30", "2026-03-29T00:30Z", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-03-29", "02:00", "03:00", None, None),
    ("Europe/Berlin", "2026-03-29", "02:10", "02:50", None, None),
    # And has it twice: what begins or ends in it does so the first time.
    ("Europe/Berlin", "2026-10-25", "01:00", "04:00", "2026-10-24T23:00Z", "2026-10-25T03:00Z"),
    ("Europe/Berlin", "2026-10-25", "02:30", "04:00", "2026-10-25T00:30Z", "2026-10-25T03:00Z"),
    ("Europe/Berlin", "2026-10-25", "01:00", "02:30", "2026-10-24T23:00Z", "2026-10-25T00:30Z"),
    ("America/New_York", "2026-03-08", "01:00", "04:00", "2026-03-08T06:00Z", "2026-03-08T08:00Z"),
    ("America/New_York", "2026-11-01", "00:00", "24:00", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
    # Half an hour.
    ("Australia/Lord_Howe", "2026-10-04", "01:45", "03:00", "2026-10-03T15:15Z", "2026-10-03T16:00Z"),
    ("Australia/Lord_Howe", "2026-10-04", "02:10", "02:40", "2026-10-03T15:30Z", "2026-10-03T15:40Z"),
    ("Australia/Lord_Howe", "2026-04-05", "01:00", "02:00", "2026-04-04T14:00Z", "2026-04-04T15:30Z"),
    # Midnight itself is left out.
    ("America/Santiago", "2026-09-06", "00:00", "02:00", "2026-09-06T04:00Z", "2026-09-06T05:00Z"),
    # Put back from one minute past midnight, so that Saturday's last hour comes once more after Sunday has begun.
    ("America/St_Johns", "2010-11-07", "00:00", "02:00", "2010-11-07T02:30Z", "2010-11-07T05:30Z"),
]


@pytest.mark.parametrize(("zone", "day", "opens", "closes", "since", "until"), CHANGES)
def test_hours_keep_their_wall_clock_time_across_changes(
    zone: str, day: str, opens: str, closes: str, since: str | None, until: str | None
) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = list(open_times(weekly(zone, (SUNDAY, opens, closes)), noon - DAY, noon + DAY))
    assert found == ([(at(since), at(until))] if since and until else [])


def test_a_skipped_day_has_no_open_time() -> None:
    # Samoa went from Thursday, 29 December 2011 to the 31st.
    hours = weekly("Pacific/Apia", (3, "22:00", "24:00"), (4, "09:00", "17:00"), (5, "00:00", "01:00"))
    describe_weekday = at("2011-12-29T12:00Z"), at("2011-12-31T12:00Z")
    assert list(open_times(hours, *describe_weekday)) == [(at("2011-12-30T08:00Z"), at("2011-12-30T11:00Z"))]


def test_touching_spans_are_merged_also_over_midnight() -> None:
    hours = weekly("UTC", (0, "09:00", "12:00"), (0, "12:00", "24:00"), (1, "00:00", "01:00"), (1, "02:00", "03:00"))
    assert list(open_times(hours, at("2026-05-04T00:00Z"), at("2026-05-06T00:00Z"))) == [
        (at("2026-05-04T09:00Z"), at("2026-05-05T01:00Z")),
        (at("2026-05-05T02:00Z"), at("2026-05-05T03:00Z")),
    ]


ALL_WEEK = [(day, "00:00", "24:00") for day in range(7)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham"])
def test_open_all_week_is_one_interval_of_a_year(zone: str) -> None:
    start, end = at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z")
    assert list(open_times(weekly(zone, *ALL_WEEK), start, end)) == [(start, end)]


def test_before_it_begins_or_after_it_ends_nothing_is_open() -> None:
    hours, moment = weekly("UTC", *ALL_WEEK), at("2026-05-04T10:00Z")
    assert list(open_times(hours, moment, moment)) == []
    assert list(open_times(hours, moment, moment - DAY)) == []


# A mentor in Berlin is open on Mondays from nine to twelve.
@pytest.mark.parametrize(
    ("start", "minutes", "open_"),
    [
        ("2026-05-04T07:00Z", 180, True),
        ("2026-05-04T07:00Z", 181, False),
        ("2026-05-04T06:59Z", 60, False),
        ("2026-05-04T09:30Z", 60, False),
        ("2026-05-05T07:00Z", 60, False),
        # In winter, an hour later by UTC.
        ("2026-12-07T07:00Z", 60, False),
        ("2026-12-07T08:00Z", 180, True),
        # The same moment in another zone.
        ("2026-05-04T00:00-07:00", 60, True),
    ],
)
def test_a_time_is_open_when_all_of_it_is(start: str, minutes: int, open_: bool) -> None:
    begin = at(start)
    found = list(open_times(weekly("Europe/Berlin", (0, "09:00", "12:00")), begin, begin + minutes * MINUTE))
    assert (found == [(begin, begin + minutes * MINUTE)]) is open_


def test_without_spans_every_time_is_open() -> None:
    stretch = (at("2026-05-04T03:00Z"), at("2026-05-04T04:00Z"))
    assert list(open_times(weekly("Europe/Berlin"), *stretch)) == [stretch]


def test_an_end_in_a_repeated_hour_is_the_first_one() -> None:
    start, end = at("2010-11-06T20:00Z"), at("2010-11-07T03:15Z")
    found = open_times(weekly("America/St_Johns", (SUNDAY, "00:00", "02:00")), start, end)
    assert list(found) == [(at("2010-11-07T02:30Z"), end)]


def test_a_refusal_names_the_hours_of_that_weekday() -> None:
    hours = weekly("Europe/Berlin", (0, "09:00", "12:00"), (0, "12:00", "12:30"), (0, "18:00", "24:00"))
    assert "Mondays from 09:00 to 12:30, from 18:00 to 24:00" in describe_weekday(hours, at("2026-05-03T22:30Z"))
    assert "Tuesdays" in describe_weekday(hours, at("2026-05-04T22:30Z"))


EDGES = st.integers(min_value=0, max_value=96).map(lambda quarter: quarter * 15)
SPANS = st.tuples(st.integers(0, 6), EDGES, EDGES).filter(lambda span: span[1] < span[2]).map(lambda span: Span(*span))


def apart(spans: list[Span]) -> tuple[Span, ...]:
    """Those that overlap none before them."""
    kept: list[Span] = []
    for span in sorted(spans):
        if not kept or kept[-1].weekday != span.weekday or kept[-1].closes <= span.opens:
            kept.append(span)
    return tuple(kept)


@given(
    spans=st.lists(SPANS, max_size=12).map(apart),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    first=st.dates(date(2026, 1, 1), date(2026, 12, 1)),
    days=st.integers(1, 9),
)
def test_without_clock_changes_open_is_what_the_spans_contain(
    spans: tuple[Span, ...], zone: str, first: date, days: int
) -> None:
    there = ZoneInfo(zone)
    start = datetime(first.year, first.month, first.day, 7, 30, tzinfo=UTC)
    end = start + days * DAY
    found = list(open_times(Hours(zone, spans), start, end))
    assert all(earlier[1] < later[0] for earlier, later in pairwise(found))
    unchanged = (start - DAY).astimezone(there).utcoffset() == (end + DAY).astimezone(there).utcoffset()
    for quarter in range(days * 96 if unchanged else 0):
        moment = start + quarter * 15 * MINUTE
        shown = moment.astimezone(there)
        minutes = shown.hour * 60 + shown.minute
        within = [span for span in spans if span.weekday == shown.weekday() and span.opens <= minutes < span.closes]
        expected = bool(within) or not spans
        assert any(since <= moment < until for since, until in found) == expected, shown
