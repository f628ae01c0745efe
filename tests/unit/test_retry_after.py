"""Tests of the receiver's Retry-After header (RFC 9110, section 10.2.3)."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.http_client import parse_retry_after

DAY = timedelta(days=1)
# No clock of this machine shows it.
NOW = datetime(2031, 5, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # Seconds.
        ("0", timedelta()),
        ("120", timedelta(minutes=2)),
        (" 120 ", timedelta(minutes=2)),
        # At most a day, however much is asked for.
        ("86401", DAY),
        ("9" * 300, DAY),
        ("9" * 10_000, DAY),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        # A date in the past is now.
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta()),
        # Anything else is ignored.
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("²", None),
        ("2030-05-04T09:00:00Z", None),
        # Beyond what Python's dates can hold.
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        (f"Wed, 21 Oct 2015 07:28:00 +{'9' * 20}", None),
    ],
)
def test_a_wish_is_read_as_the_standard_says(value: str, expected: timedelta | None) -> None:
    assert parse_retry_after(429, value, now=NOW) == expected


def test_a_date_is_compared_with_the_databases_clock() -> None:
    date = format_datetime(NOW + timedelta(minutes=5), usegmt=True)
    assert parse_retry_after(429, date, now=NOW) == timedelta(minutes=5)


@pytest.mark.parametrize(("status", "heard"), [(429, True), (503, True), (500, False), (200, False), (404, False)])
def test_a_wish_counts_where_the_standard_has_one(status: int, heard: bool) -> None:
    assert (parse_retry_after(status, "120", now=NOW) is not None) is heard


def test_without_the_header_there_is_no_wish() -> None:
    assert parse_retry_after(429, None, now=NOW) is None


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60))
def test_whatever_a_receiver_writes_there_is_no_trouble(value: str) -> None:
    found = parse_retry_after(503, value, now=NOW)
    assert found is None or timedelta() <= found <= DAY
