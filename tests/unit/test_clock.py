"""Tests of time in the rules: aware in, UTC kept, zones by their IANA names."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from workflows.kernel.clock import in_utc, zone
from workflows.kernel.errors import Invalid


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        # UTC stays UTC.
        (datetime(2030, 5, 4, 9, tzinfo=UTC), datetime(2030, 5, 4, 9, tzinfo=UTC)),
        # An offset is taken off.
        (datetime(2030, 5, 4, 9, tzinfo=timezone(timedelta(hours=2))), datetime(2030, 5, 4, 7, tzinfo=UTC)),
        # A zone's summer time counts.
        (datetime(2030, 7, 1, 9, tzinfo=zone("Europe/Berlin")), datetime(2030, 7, 1, 7, tzinfo=UTC)),
        (datetime(2030, 1, 1, 9, tzinfo=zone("Europe/Berlin")), datetime(2030, 1, 1, 8, tzinfo=UTC)),
        # Of a wall-clock time that exists twice, the first is meant.
        (datetime(2030, 10, 27, 2, 30, tzinfo=zone("Europe/Berlin")), datetime(2030, 10, 27, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_kept_in_utc(moment: datetime, expected: datetime) -> None:
    assert in_utc(moment) == expected
    assert in_utc(moment).tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(Invalid):
        in_utc(datetime(2030, 5, 4, 9))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    "moment",
    [
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12))),
    ],
)
def test_a_time_that_utc_cannot_hold_is_refused(moment: datetime) -> None:
    with pytest.raises(Invalid):
        in_utc(moment)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kathmandu"])
def test_iana_zones_are_known(name: str) -> None:
    assert zone(name).key == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "Mars/Olympus",
            "Europe",
            "../etc/passwd",
            "/etc/localtime",
            "Europe/Berlin\x00",
            "a" * 5000,
            "GMT+25",
            "ä/ö",
        ),
        # What only this machine knows, or knows in its own way.
        *("localtime", "posixrules", "Factory", "right/Europe/Berlin", "posix/UTC", "posix/Europe/Berlin", "tzdata.zi"),
        # A name is written as it is written, whether or not the machine's files care.
        *("europe/berlin", "utc"),
    ],
)
def test_what_is_no_iana_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        zone(name)
    assert refusal.value.details == {"timeZone": ["unknown zone"]}
