"""Tests of the words of notifications: on the reader's clock, and harmless whatever somebody called themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import UndefinedError

from workflows.notifications.compose import Quotation, Words, as_html, compose

HOSTILE = '<script>alert("x")</script> & <img src=x onerror=y>'
KINDS = (
    *("booking_requested", "booking_accepted", "booking_cancelled", "booking_declined"),
    *("booking_reminder", "session_reminder"),
    *("session_created", "session_started", "session_completed", "session_cancelled"),
    *("review_unlocked", "seat_joined", "seat_left"),
)
OF_NO_BOOKING = ("bundle_exhausted",)
ABOUT_ENDPOINTS = ("webhook_endpoint_disabled", "webhook_endpoint_exhausted", "webhook_endpoint_failing")
ENDED = {
    "actor": "user:1",
    "cancelled_by": "mentee",
    "mentee_user_id": "1",
    "fee_amount": 2000,
    "refund_amount": 2000,
    "currency": "USD",
    "late": True,
    "session_id": 7,
    "mentor_profile_id": 8,
}


def words(kind: str, *, zone: str = "UTC", start: datetime = datetime(2030, 5, 4, 9, tzinfo=UTC), **told: Any) -> Words:
    """A notification of that kind, to the mentee unless said otherwise."""
    about = {
        "event": SimpleNamespace(
            start_time=start, end_time=start.replace(minute=50), expires_at=start, capacity=8, seats_taken=3, **ENDED
        ),
        "reader": SimpleNamespace(time_zone=zone, acts_as={"user:1"}),
        "reader_is_mentor": False,
        "mentor": "Grace Hopper",
        "mentees": "Ada Lovelace",
        "others": "Grace Hopper",
        "title": "Compilers",
        "expired": False,
        "reason": None,
        "refund_requested": True,
        "who": "Ada Lovelace",
        "starts_in": "1 hour",
    }
    return compose(kind, **(about | told))


def test_every_template_is_a_kind_that_is_tested_here() -> None:
    templates = {each.name for each in (files("workflows.notifications") / "templates").iterdir()}
    assert templates == {
        "mail.html.j2",
        "mail.txt.j2",
        # Held in tests/integration/test_channels.py.
        "notice_session_cancelled.txt.j2",
        "notice_session_created.txt.j2",
        *(f"{kind}.txt.j2" for kind in KINDS + OF_NO_BOOKING + ABOUT_ENDPOINTS),
    }


@pytest.mark.parametrize(
    ("zone", "start", "shown"),
    [
        # Summer time, on both sides of the ocean.
        ("Europe/Berlin", datetime(2030, 7, 1, 9, tzinfo=UTC), "Monday, 1 July 2030, 11:00 (Europe/Berlin)"),
        ("America/New_York", datetime(2030, 7, 1, 9, tzinfo=UTC), "Monday, 1 July 2030, 05:00 (America/New_York)"),
        # Winter time.
        ("Europe/Berlin", datetime(2030, 1, 7, 9, tzinfo=UTC), "Monday, 7 January 2030, 10:00 (Europe/Berlin)"),
        # An hour before and an hour after the clocks go forward: two hours apart on the wall.
        ("Europe/Berlin", datetime(2030, 3, 31, 0, 30, tzinfo=UTC), "01:30 (Europe/Berlin)"),
        ("Europe/Berlin", datetime(2030, 3, 31, 1, 30, tzinfo=UTC), "03:30 (Europe/Berlin)"),
        # Before and after they go back: the same on the wall.
        ("Europe/Berlin", datetime(2030, 10, 27, 0, 30, tzinfo=UTC), "02:30 (Europe/Berlin)"),
        ("Europe/Berlin", datetime(2030, 10, 27, 1, 30, tzinfo=UTC), "02:30 (Europe/Berlin)"),
        # The date is the reader's, too.
        ("Pacific/Auckland", datetime(2030, 5, 4, 20, tzinfo=UTC), "Sunday, 5 May 2030, 08:00 (Pacific/Auckland)"),
        # Zones need not be whole hours.
        ("Asia/Kathmandu", datetime(2030, 5, 4, 9, tzinfo=UTC), "14:45 (Asia/Kathmandu)"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_times_are_on_the_readers_own_clock(kind: str, zone: str, start: datetime, shown: str) -> None:
    assert shown in words(kind, zone=zone, start=start).body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader_is_mentor", [True, False])
@pytest.mark.parametrize("title", ["Compilers", None])
def test_every_kind_has_a_title_of_one_line_and_a_body(kind: str, reader_is_mentor: bool, title: str | None) -> None:
    for told in ({"expired": True, "reason": "On holiday"}, {"expired": False, "reason": None}):
        found = words(kind, reader_is_mentor=reader_is_mentor, title=title, **told)
        assert found.title
        assert "\n" not in found.title
        assert found.body
        assert "None" not in found.title + found.body


def test_a_declined_booking_says_why_where_the_mentor_said_so() -> None:
    said = words("booking_declined", reason=Quotation("On holiday")).body
    assert "was declined. Grace Hopper writes:\n\n> On holiday\n\nYou are welcome" in said
    assert "was declined." in words("booking_declined").body


def test_an_expired_request_is_told_from_one_that_was_taken_back() -> None:
    assert "has expired" in words("booking_cancelled", expired=True).body
    assert "Ada Lovelace took back the request" in words("booking_cancelled", expired=False).body


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("webhook_endpoint_disabled", "is told nothing any more: The receiver answered 410 Gone."),
        ("webhook_endpoint_exhausted", "has used up its attempts"),
        ("webhook_endpoint_failing", "no message since Saturday, 4 May 2030, 11:00 (Europe/Berlin)"),
    ],
)
def test_the_owner_of_an_endpoint_is_told_which_and_what(kind: str, told: str) -> None:
    found = compose(
        kind,
        url="https://partner.example/hook",
        failing_since=datetime(2030, 5, 4, 9, tzinfo=UTC),
        reason="The receiver answered 410 Gone.",
        time_zone="Europe/Berlin",
    )
    assert found.title
    assert "\n" not in found.title
    assert "https://partner.example/hook" in found.body
    assert told in found.body


def test_only_the_mentee_is_invited_to_review() -> None:
    assert "You may review Grace Hopper" in words("session_completed").body
    assert "review" not in words("session_completed", reader_is_mentor=True).body


# The fee, the refund, whether it was asked for → what the mentee reads.
@pytest.mark.parametrize(
    ("fee", "refund", "asked", "said"),
    [
        (
            167,
            166,
            True,
            "Of the price of JPY 333, a fee of JPY 167 is kept for cancelling late, and JPY 166 goes back",
        ),
        (333, 0, True, "The whole price of JPY 333 is kept as the fee for cancelling late."),
        (167, 0, False, "A fee of JPY 167 is kept for cancelling late. No refund was asked for."),
        (0, 333, True, "No fee is due. The price of JPY 333 goes back to you."),
        (0, 0, True, "No fee is due."),
        (0, 0, False, "No fee is due. No refund was asked for."),
    ],
)
def test_a_cancellation_speaks_of_money_that_is_there_and_of_no_second_payment(
    fee: int, refund: int, asked: bool, said: str
) -> None:
    start = datetime(2030, 5, 4, 9, tzinfo=UTC)
    told = ENDED | {"fee_amount": fee, "refund_amount": refund, "currency": "JPY"}
    event = SimpleNamespace(start_time=start, **told)
    assert words("session_cancelled", event=event, refund_requested=asked).body.splitlines()[-1].startswith(said)
    notice = compose("notice_session_cancelled", event=event).body
    assert ("A fee of JPY" in notice, "No fee is due." in notice) == (fee > 0, fee == 0)
    assert ("is to go back." in notice, "Nothing goes back." in notice) == (refund > 0, refund == 0)


def test_a_name_that_a_template_wants_and_nobody_gave_raises() -> None:
    with pytest.raises(UndefinedError):
        compose("booking_declined", event=SimpleNamespace(start_time=datetime(2030, 5, 4, tzinfo=UTC)))


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_plain_text_as_given_and_escaped_in_html(kind: str) -> None:
    everywhere = dict.fromkeys(("mentor", "mentees", "others", "title", "reason", "who"), HOSTILE)
    found = words(kind, **everywhere)
    assert HOSTILE in found.title + found.body
    html = as_html(found)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("told", ["{{ 7 * 7 }}", "{% raw %}", "{{ event }}"])
def test_what_people_write_is_never_a_template(told: str) -> None:
    assert f"> {told}\n" in words("booking_declined", reason=Quotation(told)).body


# Every way to end a line, and what some programs take for one.
LINE_ENDS = ["\n", "\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00"]


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader_is_mentor", [True, False])
def test_no_name_and_no_title_adds_a_line(kind: str, end: str, reader_is_mentor: bool) -> None:
    def told(name: str) -> Words:
        who = dict.fromkeys(("mentor", "mentees", "others", "title", "who"), name)
        return words(kind, reader_is_mentor=reader_is_mentor, **who)

    # As if it had been written with blanks in the first place.
    assert told(f"Eve{end}Your account is suspended") == told("Eve Your account is suspended")


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
def test_every_line_of_a_reason_is_seen_to_be_the_mentors(end: str) -> None:
    said = words("booking_declined", reason=Quotation(f"On holiday{end}You are suspended"))
    ours = words("booking_declined", reason=Quotation("On holiday")).body.splitlines()
    quoted = [line for line in said.body.splitlines() if line.startswith(">")]
    assert [line for line in said.body.splitlines() if line not in quoted] == [line for line in ours if line[:1] != ">"]
    assert "On holiday" in quoted[0]
    assert "You are suspended" in quoted[-1]
    html = as_html(said)
    quotation = html[html.index("<blockquote") : html.index("</blockquote>")]
    assert "On holiday" in quotation
    assert "You are suspended" in quotation
    assert "welcome" not in quotation


def test_an_endpoints_reason_is_one_line_of_ours() -> None:
    found = compose("webhook_endpoint_disabled", url="https://x.example", reason="Gone.\n\nPay here", time_zone="UTC")
    assert "Gone. Pay here" in found.body


def test_paragraphs_become_paragraphs() -> None:
    html = as_html(Words("Title", "One.\n\nTwo & three.\n\n\n"))
    assert "<p>One.</p>" in html
    assert "<p>Two &amp; three.</p>" in html
    assert html.count("<p>") == 2
