"""Tests of iCalendar's lines: what people write stays a value, and every line is one that all programs can read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from workflows.calendar.lines import LONGEST, calendar, moment, person, text

WORDS = st.text(st.characters(codec="utf-8"), max_size=400)


def read(*lines: str) -> Event:
    """The one entry with these lines, as a calendar program reads it."""
    (found,) = Calendar.from_ical(calendar([], ["BEGIN:VEVENT", *lines, "END:VEVENT"])).walk("VEVENT")
    assert isinstance(found, Event)
    return found


def without_gaps(words: str) -> str:
    """Words as they may come back: white space and control characters are one blank."""
    return " ".join("".join(" " if not each.isprintable() else each for each in words).split())


@pytest.mark.parametrize(
    "words",
    [
        "Compilers, and more; really",
        "C:\\New\\name \\, \\; \\n",
        "Ünï 你好 👩‍👩‍👧‍👦",
        'She said "yes"',
        "x" * 74 + "ü" * 100,
        "," * 200,
        "\\" * 201,
        "👩‍👩‍👧‍👦" * 50,
    ],
)
def test_what_somebody_wrote_is_read_as_they_wrote_it(words: str) -> None:
    assert str(read(text("SUMMARY", words))["SUMMARY"]) == words


@pytest.mark.parametrize(
    "end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\x1b"]
)
def test_nothing_that_somebody_wrote_begins_a_line(end: str) -> None:
    hostile = f"Eve{end}ATTENDEE:mailto:eve@example.org{end}END:VEVENT{end}BEGIN:VALARM"
    found = read(person("ORGANIZER", hostile, f"no-reply@example.org{end}X-A:b"), text("SUMMARY", hostile))
    assert "ATTENDEE" not in found
    assert found.subcomponents == []
    assert set(found) == {"ORGANIZER", "SUMMARY"}
    assert found["ORGANIZER"].params["CN"].startswith("Eve ATTENDEE:mailto:")


def test_our_own_line_feeds_stay() -> None:
    assert str(read(text("DESCRIPTION", "One.\nTwo, three.\n\nFour."))["DESCRIPTION"]) == "One.\nTwo, three.\n\nFour."


@given(words=WORDS, who=WORDS)
def test_whatever_it_is_the_object_stays_whole(words: str, who: str) -> None:
    lines = [text("SUMMARY", words.replace("\n", " ")), person("ATTENDEE", who, "ada@example.org", "RSVP=FALSE")]
    raw = calendar([], ["BEGIN:VEVENT", *lines, "END:VEVENT"])
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    for line in raw.split(b"\r\n"):
        assert len(line) <= LONGEST
        # Folded between characters.
        line.decode()
    found = read(*lines)
    assert set(found) == {"SUMMARY", "ATTENDEE"}
    assert str(found["ATTENDEE"]) == "mailto:ada@example.org"
    assert found["ATTENDEE"].params["RSVP"] == "FALSE"


@given(words=WORDS)
def test_what_is_printable_comes_back(words: str) -> None:
    wanted = without_gaps(words)
    assert str(read(text("SUMMARY", wanted))["SUMMARY"]) == wanted


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Grace Hopper", "Grace Hopper"),
        ("Hopper, Grace; Rear Admiral: USN", "Hopper, Grace; Rear Admiral: USN"),
        ('Grace "Amazing" Hopper', "Grace 'Amazing' Hopper"),
        ("caret ^n and ^'", "caret ^n and ^'"),
        ("Zoë 👩‍💻", "Zoë 👩‍💻"),
    ],
)
def test_a_person_has_a_name_that_is_no_syntax(name: str, shown: str) -> None:
    assert read(person("ORGANIZER", name, "grace@example.org"))["ORGANIZER"].params["CN"] == shown


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("ada+calendar@example.org", "mailto:ada+calendar@example.org"),
        ("o'hara_%tag&x=1?@example.org", "mailto:o'hara_%25tag%26x%3D1%3F@example.org"),
        ("ada@example.org\r\nX-A:b", "mailto:ada@example.org%0D%0AX-A%3Ab"),
    ],
)
def test_an_address_is_a_mailto_uri(address: str, uri: str) -> None:
    assert str(read(person("ATTENDEE", "Ada", address))["ATTENDEE"]) == uri


def test_a_time_is_in_utc_whatever_zone_it_came_in() -> None:
    berlin = datetime.fromisoformat("2030-05-04T11:00:00.5+02:00")
    assert moment("DTSTART", berlin) == "DTSTART:20300504T090000Z"
    assert read(moment("DTSTART", berlin))["DTSTART"].dt == datetime(2030, 5, 4, 9, tzinfo=UTC)


def test_a_line_of_75_octets_is_not_folded_and_one_of_76_is() -> None:
    for length, lines in ((75, 1), (76, 2), (75 + 74, 2), (75 + 75, 3)):
        raw = calendar([], ["X" * length])
        body = raw.split(b"\r\n")[4:-2]
        assert len(body) == lines, length
        assert all(len(line) <= LONGEST for line in body)
