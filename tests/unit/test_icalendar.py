"""Tests of the iCalendar serializer: user input is escaped, and every line is folded; read by the icalendar library."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from workflows.calendar.icalendar import MAX_LINE_OCTETS, calendar, person, text, utc_time

INPUT = st.text(st.characters(codec="utf-8"), max_size=400)


def parse(*lines: str) -> Event:
    """The only entry with these lines, as a calendar client parses it."""
    (found,) = Calendar.from_ical(calendar([], ["BEGIN:VEVENT", *lines, "END:VEVENT"])).walk("VEVENT")
    assert isinstance(found, Event)
    return found


@pytest.mark.parametrize(
    "value",
    [
        "Compilers, and more; really",
        "C:\\New\\name \\, \\; \\n",
        'She said "yes"',
        "One.\nTwo, three.\n\nFour.",
        "x" * 74 + "ü" * 100,
        "," * 200,
        "\\" * 201,
        "Ünï 你好 " + "👩‍👩‍👧‍👦" * 50,
    ],
)
def test_text_is_read_as_it_was_written(value: str) -> None:
    assert str(parse(text("SUMMARY", value))["SUMMARY"]) == value


@pytest.mark.parametrize(
    "end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\x1b"]
)
def test_input_cannot_begin_a_line(end: str) -> None:
    hostile = f"Eve{end}ATTENDEE:mailto:eve@example.org{end}END:VEVENT{end}BEGIN:VALARM"
    found = parse(person("ORGANIZER", hostile, f"no-reply@example.org{end}X-A:b"), text("SUMMARY", hostile))
    assert set(found) == {"ORGANIZER", "SUMMARY"}
    assert found.subcomponents == []
    assert found["ORGANIZER"].params["CN"].startswith("Eve ATTENDEE:mailto:")


@given(value=INPUT, name=INPUT)
def test_any_input_gives_folded_lines_that_are_read_back(value: str, name: str) -> None:
    printable = " ".join("".join(each if each.isprintable() else " " for each in value).split())
    lines = [
        text("SUMMARY", printable),
        text("DESCRIPTION", value),
        person("ATTENDEE", name, "ada@example.org", "RSVP=FALSE"),
    ]
    raw = calendar([], ["BEGIN:VEVENT", *lines, "END:VEVENT"])
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    for line in raw.split(b"\r\n"):
        assert len(line) <= MAX_LINE_OCTETS
        line.decode()  # folded between characters
    found = parse(*lines)
    assert set(found) == {"SUMMARY", "DESCRIPTION", "ATTENDEE"}
    assert str(found["SUMMARY"]) == printable
    assert str(found["ATTENDEE"]) == "mailto:ada@example.org"
    assert found["ATTENDEE"].params["RSVP"] == "FALSE"


@pytest.mark.parametrize(
    ("name", "common_name"),
    [
        ("Hopper, Grace; Rear Admiral: USN", "Hopper, Grace; Rear Admiral: USN"),
        ('Grace "Amazing" Hopper', "Grace 'Amazing' Hopper"),
        ("caret ^n and ^'", "caret ^n and ^'"),
        ("Zoë 👩‍💻", "Zoë 👩‍💻"),
    ],
)
def test_names_are_quoted_parameters(name: str, common_name: str) -> None:
    assert parse(person("ORGANIZER", name, "grace@example.org"))["ORGANIZER"].params["CN"] == common_name


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("ada+calendar@example.org", "mailto:ada+calendar@example.org"),
        ("o'hara_%tag&x=1?@example.org", "mailto:o'hara_%25tag%26x%3D1%3F@example.org"),
        ("ada@example.org\r\nX-A:b", "mailto:ada@example.org%0D%0AX-A%3Ab"),
    ],
)
def test_addresses_are_mailto_uris(address: str, uri: str) -> None:
    assert str(parse(person("ATTENDEE", "Ada", address))["ATTENDEE"]) == uri


def test_times_are_in_utc() -> None:
    line = utc_time("DTSTART", datetime.fromisoformat("2030-05-04T11:00:00.5+02:00"))
    assert line == "DTSTART:20300504T090000Z"
    assert parse(line).decoded("DTSTART") == datetime(2030, 5, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(("octets", "lines"), [(75, 1), (76, 2), (75 + 74, 2), (75 + 75, 3)])
def test_lines_are_folded_at_75_octets(octets: int, lines: int) -> None:
    body = calendar([], ["X" * octets]).split(b"\r\n")[4:-2]
    assert len(body) == lines
    assert all(len(line) <= MAX_LINE_OCTETS for line in body)
