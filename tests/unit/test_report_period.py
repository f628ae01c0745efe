"""Tests of the period of a report: whose midnight begins it, how long it may be, and when clocks change within it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from workflows.analytics.scope import Edge, Period, period_of
from workflows.kernel.errors import Invalid

NOW = datetime(2026, 5, 4, 12, 34, 56, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def asked(first: Edge | None, last: Edge | None, zone: str = "UTC") -> Period:
    return period_of(first, last, zone, now=NOW)


def test_both_days_are_in_it() -> None:
    found = asked(date(2026, 5, 1), date(2026, 5, 3))
    assert (found.start, found.end) == (at("2026-05-01T00:00Z"), at("2026-05-04T00:00Z"))


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        # A day of 23 hours, one of 25, and one whose clocks change by half an hour.
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00Z", "2026-03-09T04:00Z"),
        ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00Z", "2026-04-05T13:30Z"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30Z", "2026-10-04T13:00Z"),
        # Where midnight is left out the day begins at one; where it comes twice, at the first of them.
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00Z", "2026-04-24T21:00Z"),
        ("America/Havana", date(2025, 11, 2), "2025-11-02T04:00Z", "2025-11-03T05:00Z"),
        ("Asia/Kathmandu", date(2026, 5, 1), "2026-04-30T18:15Z", "2026-05-01T18:15Z"),
    ],
)
def test_a_day_is_the_zones(zone: str, day: date, start: str, end: str) -> None:
    found = asked(day, day, zone)
    assert (found.start, found.end) == (at(start), at(end))


def test_a_moment_counts_with_its_quarter_of_an_hour() -> None:
    found = asked(at("2026-05-01T10:14:59.999999Z"), at("2026-05-01T12:00:00.000001+02:00"))
    assert (found.start, found.end) == (at("2026-05-01T10:00Z"), at("2026-05-01T10:15Z"))
    assert asked(at("2026-05-01T10:00Z"), at("2026-05-01T10:15Z")) == found


def test_thirty_days_up_to_today_are_usual() -> None:
    found = asked(None, None)
    assert (found.start, found.end) == (at("2026-04-05T00:00Z"), at("2026-05-05T00:00Z"))
    there = period_of(None, None, "Pacific/Kiritimati", now=NOW)
    assert there.end == at("2026-05-05T10:00Z"), "it is tomorrow there already"
    assert asked(None, date(2026, 3, 31)).start == at("2026-03-02T00:00Z")
    assert asked(None, at("2026-03-31T00:00Z")).start == at("2026-03-01T00:00Z")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
def test_a_leap_year_is_the_longest(zone: str) -> None:
    assert asked(date(2028, 1, 1), date(2028, 12, 31), zone)
    assert asked(date(2026, 4, 1), date(2027, 4, 1), zone), "though clocks do not show the same offset at its ends"
    with pytest.raises(Invalid, match="366"):
        asked(date(2028, 1, 1), date(2029, 1, 1), zone)


# A day may be the first and the last, a moment may not.
@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (date(2026, 5, 2), date(2026, 5, 1), "Must not lie before `from`."),
        (at("2026-05-01T10:00Z"), at("2026-05-01T10:00Z"), "Must lie after `from`."),
        (date(2026, 5, 1), at("2026-05-01T00:00Z"), "Must lie after `from`."),
        (date(2026, 6, 1), None, "Must not lie before `from`."),
    ],
)
def test_a_period_must_end_after_it_begins(first: Edge, last: Edge | None, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        asked(first, last)
    assert refused.value.details == {"to": [reason]}


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(Invalid):
        asked(None, None, "Europe/Atlantis")


def test_offsets_change_with_daylight_saving() -> None:
    found = asked(date(2026, 1, 1), date(2026, 12, 31), "Australia/Lord_Howe").offsets()
    assert [(since, by / timedelta(hours=1)) for since, by in found] == [
        (at("2025-12-31T13:00Z"), 11),
        (at("2026-04-04T15:00Z"), 10.5),
        (at("2026-10-03T15:30Z"), 11),
    ]


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "America/St_Johns", "Antarctica/Troll", "Asia/Tehran"])
def test_offsets_match_the_zone_throughout_a_year(zone: str) -> None:
    found = asked(date(2026, 1, 1), date(2026, 12, 31), zone)
    offsets, moment, by = found.offsets(), found.start, timedelta()
    while moment < found.end:
        if offsets and offsets[0][0] == moment:
            by = offsets.pop(0)[1]
        assert by == moment.astimezone(found.zone).utcoffset(), moment
        moment += timedelta(minutes=15)
    assert offsets == []
