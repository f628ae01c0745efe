"""Tests of the busy times of iCalendar files: zones, recurrences, what does not count, and bombs."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.calendar_expansion import MALFORMED, TOO_MUCH, expand_apart
from workflows.availability.expansion import expand
from workflows.availability.feed_reading import window_at
from workflows.availability.intervals import CalendarRefused, merged

START, END = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = "Europe/Berlin"
# Tests that do not measure time give the process enough for a machine with other work.
ENOUGH_SECONDS = 60
HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN")


def calendar(*lines: str, uid: str = "1@elsewhere", head: tuple[str, ...] = HEAD) -> bytes:
    """A calendar with one event of these lines; `+` begins another one of the same UID."""
    content = [*head, "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20300101T000000Z"]
    for line in lines:
        another = ("END:VEVENT", "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20300101T000000Z")
        content += another if line == "+" else (line,)
    return ("\r\n".join([*content, "END:VEVENT", "END:VCALENDAR"]) + "\r\n").encode()


def found(content: bytes, time_zone: str = BERLIN) -> list[str]:
    """The busy times of 2030 in a short form, in their order."""
    times = merged(expand(content, START, END, time_zone).busy)
    return [f"{start:%m-%d %H:%M} {(end - start) / HOUR:g}h" for start, end in times]


AT_NINE = "DTSTART;TZID=Europe/Berlin:20300201T090000"
TO_TEN = "DTEND;TZID=Europe/Berlin:20300201T100000"
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=3"
CASES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "in UTC": (("DTSTART:20300201T080000Z", "DTEND:20300201T093000Z"), ["02-01 08:00 1.5h"]),
    "in a zone": ((AT_NINE, TO_TEN), ["02-01 08:00 1h"]),
    "in a zone of Windows": (
        ("DTSTART;TZID=Pacific Standard Time:20300201T090000", "DURATION:PT1H"), ["02-01 17:00 1h"],
    ),
    "in an unknown zone": (("DTSTART;TZID=Mars/Olympus:20300201T090000", "DURATION:PT1H"), ["02-01 08:00 1h"]),
    "without a zone": (("DTSTART:20300201T090000", "DTEND:20300201T100000"), ["02-01 08:00 1h"]),
    "from one zone to another": (
        (AT_NINE, "DTEND;TZID=America/New_York:20300201T120000"),
        ["02-01 08:00 9h"],
    ),
    "by a duration": ((AT_NINE, "DURATION:PT45M"), ["02-01 08:00 0.75h"]),
    "without an end": ((AT_NINE,), []),
    "before its start": ((AT_NINE, "DTEND;TZID=Europe/Berlin:20300201T080000"), ["02-01 07:00 1h"]),
    "a day": (("DTSTART;VALUE=DATE:20300201",), ["01-31 23:00 24h"]),
    "days": (("DTSTART;VALUE=DATE:20300201", "DTEND;VALUE=DATE:20300204"), ["01-31 23:00 72h"]),
    "the day of a change in spring": (("DTSTART;VALUE=DATE:20300331",), ["03-30 23:00 23h"]),
    "the day of a change in autumn": (("DTSTART;VALUE=DATE:20301027",), ["10-26 22:00 25h"]),
    "a time that the clocks skip": (("DTSTART:20300331T023000", "DURATION:PT1H"), ["03-31 01:30 1h"]),
    "a time that the clocks show twice": (("DTSTART:20301027T023000", "DURATION:PT30M"), ["10-27 00:30 1.5h"]),
    "each week": ((AT_NINE, TO_TEN, WEEKLY), ["02-01 08:00 1h", "02-08 08:00 1h", "02-15 08:00 1h"]),
    "each week across a change": (
        ("DTSTART;TZID=Europe/Berlin:20300327T090000", "DTEND;TZID=Europe/Berlin:20300327T100000", WEEKLY),
        ["03-27 08:00 1h", "04-03 07:00 1h", "04-10 07:00 1h"],
    ),
    "each week across a change without a zone": (
        ("DTSTART:20301023T090000", "DTEND:20301023T100000", WEEKLY),
        ["10-23 07:00 1h", "10-30 08:00 1h", "11-06 08:00 1h"],
    ),
    "each day over a night of a change": (
        ("DTSTART;TZID=Europe/Berlin:20300330T220000", "DTEND;TZID=Europe/Berlin:20300331T040000"),
        ["03-30 21:00 5h"],
    ),
    "but one of them": (
        (AT_NINE, TO_TEN, WEEKLY, "EXDATE;TZID=Europe/Berlin:20300208T090000"),
        ["02-01 08:00 1h", "02-15 08:00 1h"],
    ),
    "and one more": (
        (AT_NINE, TO_TEN, WEEKLY, "RDATE;TZID=Europe/Berlin:20300220T090000"),
        ["02-01 08:00 1h", "02-08 08:00 1h", "02-15 08:00 1h", "02-20 08:00 1h"],
    ),
    "one of them moved": (
        (AT_NINE, TO_TEN, WEEKLY, "+", "RECURRENCE-ID;TZID=Europe/Berlin:20300208T090000",
         "DTSTART;TZID=Europe/Berlin:20300209T120000", "DTEND;TZID=Europe/Berlin:20300209T123000"),
        ["02-01 08:00 1h", "02-09 11:00 0.5h", "02-15 08:00 1h"],
    ),
    "one of them cancelled": (
        (AT_NINE, TO_TEN, WEEKLY, "+", "RECURRENCE-ID;TZID=Europe/Berlin:20300208T090000", "STATUS:CANCELLED",
         "DTSTART;TZID=Europe/Berlin:20300208T090000", "DTEND;TZID=Europe/Berlin:20300208T100000"),
        ["02-01 08:00 1h", "02-15 08:00 1h"],
    ),
    "cancelled": ((AT_NINE, TO_TEN, "STATUS:CANCELLED"), []),
    "transparent": ((AT_NINE, TO_TEN, "TRANSP:TRANSPARENT"), []),
    "opaque": ((AT_NINE, TO_TEN, "TRANSP:OPAQUE"), ["02-01 08:00 1h"]),
    "tentative": ((AT_NINE, TO_TEN, "STATUS:TENTATIVE"), ["02-01 08:00 1h"]),
    "begun before the window, with a folded end": (
        ("DTSTART:20290301T080000Z", "DTEND;X-LONG=some", " thing:20300101T", " 020000Z"), ["01-01 00:00 2h"],
    ),
    "free or busy alone": (
        ("DTSTART:20291201T080000Z", "DTEND:20291201T093000Z", "END:VEVENT", "BEGIN:VFREEBUSY", "UID:2",
         "DTSTART:20300101T000000Z", "DTEND:20310101T000000Z",
         "FREEBUSY:20300201T080000Z/20300201T093000Z,20300202T080000Z/PT1H",
         "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20300203T080000Z/PT2H",
         "FREEBUSY;FBTYPE=FREE:20300204T080000Z/PT2H", "FREEBUSY:20291231T230000Z/", " 20300101T010000Z",
         "END:VFREEBUSY", "BEGIN:VEVENT", "UID:3"),
        ["01-01 00:00 1h", "02-01 08:00 1.5h", "02-02 08:00 1h", "02-03 08:00 2h"],
    ),
    "before the window": (("DTSTART:20291201T080000Z", "DTEND:20291201T093000Z"), []),
    "begun before the window": (("DTSTART:20290301T080000Z", "DTEND:20300101T020000Z"), ["01-01 00:00 2h"]),
    "a duration from before the window": (("DTSTART:20291201T000000Z", "DURATION:P32D"), ["01-01 00:00 24h"]),
    "until the year 9999": (
        ("DTSTART;VALUE=DATE:20301231", "DTEND;VALUE=DATE:99991231"), ["12-30 23:00 25h"],
    ),
    "since the year 1": (("DTSTART:00010101T000000", "DTEND:20300101T020000"), ["01-01 00:00 1h"]),
    "for very long": (("DTSTART:20301231T230000Z", "DURATION:P9999999W"), ["12-31 23:00 1h"]),
    "each year since long ago": (
        ("DTSTART:19990505T080000Z", "DURATION:PT1H", "RRULE:FREQ=YEARLY"), ["05-05 08:00 1h"],
    ),
    "malformed": (("DTSTART:tomorrow",), []),
    "without a start": (("SUMMARY:x",), []),
    "malformed beside another": (
        ("DTSTART:20300201T080000Z", "DURATION:PT1H", "RRULE:FREQ=SOMETIMES", "END:VEVENT", "BEGIN:VEVENT", "UID:2",
         "DTSTART:20300301T080000Z", "DURATION:PT1H"),
        ["03-01 08:00 1h"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_event_is_busy_at_its_times(case: str) -> None:
    lines, expected = CASES[case]
    assert found(calendar(*lines)) == expected


def test_times_without_a_zone_are_of_the_calendars_or_the_mentors() -> None:
    floating = ("DTSTART:20300201T090000", "DURATION:PT1H")
    assert found(calendar(*floating), "Asia/Tokyo") == ["02-01 00:00 1h"]
    assert found(calendar(*floating, head=(*HEAD, "X-WR-TIMEZONE:America/New_York"))) == ["02-01 14:00 1h"]
    assert found(calendar(*floating, head=(*HEAD, "X-WR-TIMEZONE:Mars/Olympus"))) == ["02-01 08:00 1h"]


@pytest.mark.parametrize(("answer", "busy"), [("DECLINED", False), ("ACCEPTED", True), ("NEEDS-ACTION", True)])
def test_declined_invitations_do_not_count(answer: str, busy: bool) -> None:
    invited = (
        "ATTENDEE;PARTSTAT=DECLINED:mailto:else@example.org",
        f"ATTENDEE;PARTSTAT={answer}:MAILTO:Grace@example.org",
    )
    by_mail = expand(calendar(AT_NINE, TO_TEN, *invited), START, END, BERLIN, "grace@example.org")
    named = (*HEAD, "X-WR-CALNAME:grace@example.org")
    by_name = expand(calendar(AT_NINE, TO_TEN, *invited, head=named), START, END, BERLIN, "other@example.org")
    assert (bool(by_mail.busy), bool(by_name.busy)) == (busy, busy)
    assert expand(calendar(AT_NINE, TO_TEN, *invited), START, END, BERLIN).busy


def test_an_invitation_with_two_answers_is_busy() -> None:
    invited = "ATTENDEE;PARTSTAT=DECLINED,ACCEPTED:mailto:grace@example.org"
    assert expand(calendar(AT_NINE, TO_TEN, invited), START, END, BERLIN, "grace@example.org").busy


def test_entries_with_a_uuid_are_told_apart() -> None:
    uid = "3fe0ff2f-7e6c-4cb0-9f43-3a2b8a5f8c11"
    times = expand(calendar(AT_NINE, TO_TEN, uid=uid), START, END, BERLIN)
    assert (list(times.named), times.busy) == ([UUID(uid)], [])
    assert not expand(calendar(AT_NINE, TO_TEN, uid="x" * 36), START, END, BERLIN).named


def test_several_calendars_in_one_file_count_all() -> None:
    one, two = calendar(AT_NINE, TO_TEN), calendar("DTSTART:20300301T080000Z", "DURATION:PT1H")
    assert found(one + two) == ["02-01 08:00 1h", "03-01 08:00 1h"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html></html>",
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
        calendar(AT_NINE)[:-30],
        b"\xff\xfe\x00",
        b"BEGIN:VCALENDAR",
    ],
)
def test_what_is_no_calendar_is_refused(content: bytes) -> None:
    with pytest.raises(CalendarRefused):
        expand(content, START, END, BERLIN)


def test_too_many_entries_are_refused() -> None:
    hourly = [
        f"BEGIN:VEVENT\r\nUID:{n}\r\nDTSTART:20290101T000000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=HOURLY\r\nEND:VEVENT"
        for n in range(3)
    ]
    content = "\r\n".join([*HEAD, *hourly, "END:VCALENDAR", ""]).encode()
    with pytest.raises(CalendarRefused, match="more than 20000 entries"):
        expand(content, START, END, BERLIN)


BOMBS = {
    # No such day: the search for the next one goes on for hours.
    "never": ("DTSTART:20300101T000000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"),
    "since long ago": ("DTSTART:16010101T000000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY;BYSETPOS=1;BYMINUTE=0"),
    "folded": ("DTSTART:20200101T000000Z", "DURATION:PT1H", "RRULE:INTERVAL=1;FREQ=SE", " CONDLY"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_with_its_processor_time(bomb: str) -> None:
    with pytest.raises(CalendarRefused, match=TOO_MUCH):
        expand_apart(calendar(*BOMBS[bomb]), START, END, BERLIN, seconds=ENOUGH_SECONDS, processor_seconds=1)


def test_a_process_that_takes_too_long_is_ended() -> None:
    began = monotonic()
    with pytest.raises(CalendarRefused, match=TOO_MUCH):
        expand_apart(calendar(*BOMBS["never"]), START, END, BERLIN, seconds=0.5)
    assert monotonic() - began < 5


def test_the_process_has_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", "a secret of this process")
    python, environment = tmp_path / "python", tmp_path / "environment"
    python.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        f"open({str(environment)!r}, 'w').write(json.dumps(dict(os.environ)))\n"
        'print(\'{"busy": [], "named": {}}\')\n'
    )
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    expand_apart(calendar(AT_NINE, TO_TEN), START, END, BERLIN, seconds=ENOUGH_SECONDS)
    # The interpreter itself adds its own locale.
    assert json.loads(environment.read_text()).keys() <= {"LC_CTYPE"}


def test_the_process_finds_its_modules_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = calendar(AT_NINE, TO_TEN)
    monkeypatch.chdir(tmp_path)
    assert expand_apart(content, START, END, BERLIN, seconds=ENOUGH_SECONDS) == expand(content, START, END, BERLIN)


def test_a_process_returns_what_it_finds_and_refuses() -> None:
    uid = "3fe0ff2f-7e6c-4cb0-9f43-3a2b8a5f8c11"
    content = calendar(AT_NINE, TO_TEN, WEEKLY) + calendar(AT_NINE, TO_TEN, uid=uid)
    assert expand_apart(content, START, END, BERLIN, seconds=ENOUGH_SECONDS) == expand(content, START, END, BERLIN)
    with pytest.raises(CalendarRefused, match="not an iCalendar file"):
        expand_apart(b"<html>", START, END, BERLIN, seconds=ENOUGH_SECONDS)
    with pytest.raises(CalendarRefused, match=MALFORMED):
        expand_apart(content, START, END, "Mars/Olympus", seconds=ENOUGH_SECONDS)


def test_the_window_is_a_year_and_moves_once_a_month() -> None:
    window = window_at(datetime(2030, 11, 22, 19, 30, tzinfo=UTC), BERLIN)
    assert (window.start, window.end) == (datetime(2030, 11, 21, tzinfo=UTC), datetime(2031, 12, 1, tzinfo=UTC))
    ends = {window_at(START + number * HOUR, BERLIN).end for number in range(0, 24 * 365, 7)}
    assert len(ends) == 12
    for number in range(366):
        now = START + number * DAY
        assert now + 365 * DAY <= window_at(now, BERLIN).end


ZONES = ("UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana")
TIMES = st.datetimes(datetime(2030, 1, 2), datetime(2030, 12, 20)).map(lambda time: time.replace(microsecond=0))  # noqa: DTZ001


@settings(max_examples=100, deadline=None)
@given(TIMES, st.integers(1, 36 * 60), st.integers(1, 20), st.integers(1, 3), st.sampled_from(ZONES), st.booleans())
@example(datetime(2030, 12, 20), 60, 5, 3, BERLIN, True)  # noqa: DTZ001 - it ends with the window
def test_daily_events_keep_their_wall_clock_time(
    first: datetime, minutes: int, count: int, interval: int, zone: str, floating: bool
) -> None:
    begins = f"DTSTART:{first:%Y%m%dT%H%M%S}" if floating else f"DTSTART;TZID={zone}:{first:%Y%m%dT%H%M%S}"
    rule = f"RRULE:FREQ=DAILY;INTERVAL={interval};COUNT={count}"
    content = calendar(begins, f"DURATION:PT{minutes}M", rule)
    there, expected = ZoneInfo(zone), []
    for number in range(count):
        shown = first + number * interval * DAY
        start = shown.replace(tzinfo=there).astimezone(UTC)
        end = (shown + timedelta(minutes=minutes)).replace(tzinfo=there).astimezone(UTC)
        end = end if start < end else start + timedelta(minutes=minutes)
        expected.append((max(start, START), min(end, END)))
    within: list[Any] = [(start, end) for start, end in expected if start < end]
    assert merged(expand(content, START, END, zone).busy) == merged(within)
