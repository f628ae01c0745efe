"""Tests of the texts of notifications: in the reader's time zone, safe with hostile names, replaceable by operators."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import UndefinedError, nodes
from jinja2.exceptions import SecurityError

from workflows.notifications import kinds
from workflows.notifications import templating as texts
from workflows.notifications.templating import Templates, template_errors, template_names
from workflows.notifications.texts import (
    Footer,
    Framed,
    MailReader,
    Quotation,
    Words,
    as_html,
    as_text,
    compose,
    use_templates,
)

FRAMED = Framed(reader=MailReader(name="Ada", locale="en"))
HOSTILE = '<script>alert("x")</script> & <img src=x onerror=y>'
KINDS = (
    *("booking_requested", "booking_accepted", "booking_cancelled", "booking_declined"),
    *("booking_reminder", "session_reminder"),
    *("session_created", "session_started", "session_completed", "session_cancelled"),
    *("session_fee_waived", "session_overdue"),
    *("review_unlocked", "seat_joined", "seat_left"),
    *("seat_refunded", "waitlist_offered", "waitlist_dropped"),
)
ENDED: dict[str, Any] = {
    "actor": "user:1",
    "cancelled_by": "mentee",
    "mentee_user_id": "1",
    "fee_amount": 2000,
    "refund_amount": 2000,
    "waived_fee_amount": 2000,
    "no_show_reverted": False,
    "currency": "USD",
    "late": True,
    "cancellation_type": "client_request",
    "credit_returned": None,
    "credit_valid_to": None,
    "bundle_purchase_id": None,
    "reason": "lapsed",
    "occurred_at": datetime(2030, 5, 1, 9, tzinfo=UTC),
    "session_id": 7,
    "total_sessions": 5,
    "expired_sessions": 2,
    "valid_to": datetime(2030, 9, 4, 9, tzinfo=UTC),
    "mentor_profile_id": 8,
    "awaited_payment": False,
    "amount": 4000,
    "due_at": datetime(2030, 5, 1, 9, 30, tzinfo=UTC),
}


def words(
    kind: str,
    *,
    zone: str = "UTC",
    locale: str = "en-GB",
    start: datetime = datetime(2030, 5, 4, 9, tzinfo=UTC),
    **told: Any,
) -> Words:
    """A notification of that kind, to the mentee unless said otherwise."""
    about = {
        "event": SimpleNamespace(
            start_time=start, end_time=start.replace(minute=50), expires_at=start, capacity=8, seats_taken=3, **ENDED
        ),
        "reader": SimpleNamespace(time_zone=zone, locale=locale, acts_as={"user:1"}, present=None),
        "reader_is_mentor": False,
        "mentor": "Grace Hopper",
        "mentees": "Ada Lovelace",
        "others": "Grace Hopper",
        "title": "Compilers",
        "expired": False,
        "reason": None,
        "refund_requested": True,
        "who": "Ada Lovelace",
        "by_operator": False,
        "time_left": timedelta(hours=1),
        "left": 2,
        "free_until": None,
        "what": "the session with Grace Hopper",
        "came_late": False,
    }
    return compose(kind, **(about | told))


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
def test_times_are_in_the_readers_zone(kind: str, zone: str, start: datetime, shown: str) -> None:
    assert shown in words(kind, zone=zone, start=start).body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader_is_mentor", [True, False])
@pytest.mark.parametrize("title", ["Compilers", None])
def test_every_kind_has_a_title_of_one_line_and_a_body(kind: str, reader_is_mentor: bool, title: str | None) -> None:
    for told in (
        {"expired": True, "reason": "On holiday", "by_operator": True},
        {"expired": False, "reason": None, "by_operator": False},
    ):
        found = words(kind, reader_is_mentor=reader_is_mentor, title=title, **told)
        assert found.title
        assert "\n" not in found.title
        assert found.body
        assert "None" not in found.title + found.body


def test_a_decline_quotes_the_mentors_reason() -> None:
    said = words("booking_declined", reason=Quotation("On holiday")).body
    assert "Grace Hopper writes:\n\n> On holiday\n\n" in said
    assert "writes" not in words("booking_declined").body


def test_only_the_mentee_is_invited_to_review() -> None:
    assert "review Grace Hopper" in words("session_completed").body
    absent = words(
        "session_completed", reader=SimpleNamespace(time_zone="UTC", locale="en", acts_as={"user:1"}, present=False)
    ).body
    assert "review" not in absent
    assert "absent" in absent
    assert "review" not in words("session_completed", reader_is_mentor=True).body


# The fee, the refund → the amounts that the mentee reads.
@pytest.mark.parametrize(
    ("fee", "refund", "amounts"),
    [(167, 166, ["JP¥333", "JP¥167", "JP¥166"]), (333, 0, ["JP¥333"]), (0, 333, ["JP¥333"]), (0, 0, [])],
)
@pytest.mark.parametrize("requested", [True, False])
def test_a_cancellation_names_fee_and_refund(fee: int, refund: int, amounts: list[str], requested: bool) -> None:
    start = datetime(2030, 5, 4, 9, tzinfo=UTC)
    event = SimpleNamespace(
        start_time=start, **(ENDED | {"fee_amount": fee, "refund_amount": refund, "currency": "JPY"})
    )
    last = words("session_cancelled", event=event, refund_requested=requested).body.splitlines()[-1]
    assert re.findall(r"JP¥\d+", last) == amounts
    assert ("No refund was requested" in last) == (not requested and not refund)
    notice = compose("notice_session_cancelled", event=event).body
    assert re.findall(r"¥\d+", notice) == [f"¥{each}" for each in (fee, refund) if each]


@pytest.mark.parametrize(("fee", "said"), [(0, "The price of"), (2000, "The fee for")])
def test_a_refund_that_was_not_requested_is_granted_without_naming_a_fee(fee: int, said: str) -> None:
    event = SimpleNamespace(start_time=datetime(2030, 5, 4, 9, tzinfo=UTC), **(ENDED | {"waived_fee_amount": fee}))
    granted = words("session_fee_waived", event=event)
    assert granted.title.startswith(said)
    assert ("fee" in granted.body) == bool(fee)


# Where the refund comes without a request.
@pytest.mark.parametrize(("by", "kind"), [("mentee", "no_show"), ("mentor", "no_show"), ("mentor", "coach_request")])
@pytest.mark.parametrize("fee", [0, 4000])
def test_a_refund_that_needs_no_request_was_not_left_out(by: str, kind: str, fee: int) -> None:
    start, by_policy = datetime(2030, 5, 4, 9, tzinfo=UTC), {"cancelled_by": by, "cancellation_type": kind}
    event = SimpleNamespace(start_time=start, **(ENDED | by_policy | {"fee_amount": fee, "refund_amount": 0}))
    last = words("session_cancelled", event=event, refund_requested=False).body.splitlines()[-1]
    assert last.startswith("The whole price of US$40.00 is kept" if fee else "There is no fee.")
    assert "requested" not in last


@pytest.mark.parametrize(("returned", "said"), [(True, "is back in your bundle"), (False, "is kept as the fee")])
def test_a_cancellation_tells_whether_the_credit_returned(returned: bool, said: str) -> None:
    start = datetime(2030, 5, 4, 9, tzinfo=UTC)
    free = {"fee_amount": 0, "refund_amount": 0, "credit_returned": returned}
    body = words("session_cancelled", event=SimpleNamespace(start_time=start, **(ENDED | free))).body
    assert said in body.splitlines()[-1]


@pytest.mark.parametrize(
    ("kind", "reader_is_mentor"),
    [
        *(("session_cancelled", True), ("session_cancelled", False)),
        *(("session_fee_waived", True), ("session_fee_waived", False)),
        *(("seat_left", False), ("seat_refunded", False)),
    ],
)
@pytest.mark.parametrize(
    ("days", "said"),
    [
        (None, " is back in {} bundle.\n"),
        (-1, " cannot be used again: {} bundle ended on Tuesday, 30 April 2030, 09:00 (UTC)."),
        (0, " cannot be used again: {} bundle ended on Wednesday, 1 May 2030, 09:00 (UTC)."),
        (1, " is back in {} bundle. The bundle can be used until Thursday, 2 May 2030, 09:00 (UTC)."),
        (30, " is back in {} bundle. The bundle had ended, and is extended until Friday, 31 May 2030, 09:00 (UTC)."),
    ],
)
def test_a_returned_credit_says_until_when_it_can_be_used(
    kind: str, reader_is_mentor: bool, days: int | None, said: str
) -> None:
    returned: Any = {"credit_returned": True, "fee_amount": 0, "refund_amount": 0, "credit_valid_to": None}
    if days is not None:
        returned["credit_valid_to"] = ENDED["occurred_at"] + timedelta(days=days)
    event = SimpleNamespace(start_time=datetime(2030, 5, 4, 9, tzinfo=UTC), **(ENDED | returned))
    body = words(kind, event=event, reader_is_mentor=reader_is_mentor).body + "\n"
    assert said.format("the" if reader_is_mentor else "your") in body
    assert ("back in" in body) == (days is None or days > 0)


@pytest.mark.parametrize("kind", ["booking_declined", "booking_cancelled"])
def test_a_request_that_ends_says_that_its_credit_is_back(kind: str) -> None:
    event = SimpleNamespace(start_time=datetime(2030, 5, 4, 9, tzinfo=UTC), **(ENDED | {"credit_returned": True}))
    assert "The session that you paid with is back in your bundle.\n" in words(kind, event=event, expired=True).body
    assert "bundle" not in words(kind, expired=True).body


def test_a_booked_session_says_until_when_cancelling_is_free() -> None:
    end = datetime(2030, 5, 3, 9, tzinfo=UTC)
    said = "You can cancel it without a fee until Friday, 3 May 2030, 09:00 (UTC)."
    assert words("session_created", free_until=end).body.endswith(said)
    assert said not in words("session_created", free_until=end, reader_is_mentor=True).body
    assert "cancel" not in words("session_created").body


def test_a_missing_variable_raises() -> None:
    with pytest.raises(UndefinedError):
        compose("booking_declined", event=SimpleNamespace(start_time=datetime(2030, 5, 4, tzinfo=UTC)))


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_escaped_in_html(kind: str) -> None:
    everywhere: dict[str, Any] = dict.fromkeys(("mentor", "mentees", "others", "title", "reason", "who"), HOSTILE)
    found = words(kind, **everywhere)
    assert HOSTILE in found.title + found.body
    html = as_html(found, FRAMED)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("told", ["{{ 7 * 7 }}", "{% raw %}", "{{ event }}"])
def test_users_text_is_never_a_template(told: str) -> None:
    assert f"> {told}\n" in words("booking_declined", reason=Quotation(told)).body


# Every way to end a line, and what some programs take for one.
LINE_ENDS = ["\n", "\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00"]


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader_is_mentor", [True, False])
def test_no_name_and_no_title_adds_a_line(kind: str, end: str, reader_is_mentor: bool) -> None:
    def told(name: str) -> Words:
        who: dict[str, Any] = dict.fromkeys(("mentor", "mentees", "others", "title", "who"), name)
        return words(kind, reader_is_mentor=reader_is_mentor, **who)

    # As if it had been written with blanks in the first place.
    assert told(f"Eve{end}Your account is suspended") == told("Eve Your account is suspended")


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
def test_every_line_of_a_reason_is_marked_as_quoted(end: str) -> None:
    said = words("booking_declined", reason=Quotation(f"On holiday{end}You are suspended"))
    ours = words("booking_declined", reason=Quotation("On holiday")).body.splitlines()
    quoted = [line for line in said.body.splitlines() if line.startswith(">")]
    assert [line for line in said.body.splitlines() if line not in quoted] == [line for line in ours if line[:1] != ">"]
    assert "On holiday" in quoted[0]
    assert "You are suspended" in quoted[-1]
    html = as_html(said, FRAMED)
    quotation = html[html.index("<blockquote") : html.index("</blockquote>")]
    assert "On holiday" in quotation
    assert "You are suspended" in quotation
    assert "another time" not in quotation


def test_an_endpoints_reason_becomes_one_line() -> None:
    found = compose("webhook_endpoint_disabled", url="https://x.example", reason="Gone.\n\nPay here", time_zone="UTC")
    assert "Gone. Pay here" in found.body


def test_paragraphs_become_paragraphs() -> None:
    html = as_html(Words("Title", "One.\n\nTwo & three.\n\n\n"), FRAMED)
    assert "<p>One.</p>" in html
    assert "<p>Two &amp; three.</p>" in html
    assert html.count("<p>") == 2


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that an operator keeps templates in."""
    use_templates(tmp_path)
    yield tmp_path
    use_templates(None)


def write(folder: Path, name: str, text: str) -> None:
    """Put a template there."""
    (folder / name).write_text(text, encoding="utf-8")


def test_a_file_replaces_the_template_of_its_name_alone(folder: Path) -> None:
    write(folder, "session_created.txt.j2", "Booked: {{ title }}\nWith {{ others }}.\n")
    assert words("session_created") == Words("Booked: Compilers", "With Grace Hopper.")
    assert words("session_completed").title == "Your session with Grace Hopper is completed"
    assert template_errors(folder) == []


def test_operators_can_replace_the_frame_of_mails(folder: Path) -> None:
    write(folder, "mail.html.j2", "<h1>{{ title }}</h1>{% if footer %}<a href='{{ footer.link }}'>off</a>{% endif %}")
    html = as_html(Words("A & B", "x"), replace(FRAMED, footer=Footer("A session.", "https://t.example/u")))
    assert html == "<h1>A &amp; B</h1><a href='https://t.example/u'>off</a>"
    assert template_errors(folder) == []


def test_templates_have_no_words_that_no_catalogue_translates() -> None:
    environment = Templates().environment
    for name in template_names():
        assert environment.loader is not None
        tree = environment.parse(environment.loader.get_source(environment, name)[0], name)
        said = " ".join(data.data for data in tree.find_all(nodes.TemplateData))
        # Without tags and their attributes.
        outside = re.sub(r"<[^>]*>|<[^>]*$|[^<>]*>", "", said) if name.endswith(".html.j2") else said
        assert not re.search(r"[^\W\d_]", outside), (name, outside)


def test_every_kind_has_its_template() -> None:
    assert {f"{kind}.txt.j2" for kind in kinds.KINDS} <= set(template_names())


def test_our_own_templates_have_no_errors(tmp_path: Path) -> None:
    source = Path(texts.__file__).parent / "templates"
    for name in template_names():
        write(tmp_path, name, (source / name).read_text(encoding="utf-8"))
    assert len(template_names()) > 15
    assert template_errors(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        # A misspelt name would never be read.
        ("sesion_created.txt.j2", "Hello", "sesion_created.txt.j2 replaces no template"),
        ("session_created.txt", "Hello", "session_created.txt replaces no template"),
        ("session_created.txt.j2", "{% if title %}", "session_created.txt.j2, line 1: Unexpected end of template"),
        ("session_created.txt.j2", "Hi\n{{ title | shout }}", "line 2: No filter named 'shout'"),
        ("session_created.txt.j2", "{{ x is loud }}", "No test named 'loud'"),
        ("session_created.txt.j2", "{{ metnor }}", "names metnor, which it does not get; it gets event"),
        # Each kind has variables of its own.
        ("session_created.txt.j2", "{{ reason }}", "names reason, which it does not get"),
        ("bundle_exhausted.txt.j2", "{{ mentor }}", "names mentor, which it does not get"),
        ("session_created.txt.j2", "{{ event.fee_amount }}", "names event.fee_amount, which does not exist"),
        ("session_created.txt.j2", "{{ reader.email }}", "names reader.email, which does not exist"),
        ("mail.html.j2", "{{ footer.url }}", "names footer.url, which does not exist"),
        ("mail.html.j2", "{% include 'logo.html' %}", "includes logo.html, which is not a template"),
    ],
)
def test_template_errors_are_sentences(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    write(tmp_path, name, text)
    found = template_errors(tmp_path)
    assert any(complaint in each for each in found), found
    assert all(each.startswith("TEMPLATES_FOLDER: ") for each in found)


def test_unreadable_templates_and_folders_are_errors(tmp_path: Path) -> None:
    (tmp_path / "session_created.txt.j2").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in template_errors(tmp_path)[0]
    assert template_errors(tmp_path / "nowhere") == [f"TEMPLATES_FOLDER: {tmp_path / 'nowhere'} is not a folder."]


def test_hidden_files_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, ".gitkeep", "")
    assert template_errors(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ reader.__init__.__globals__ }}",
        "{{ event.occurred_at.__class__ }}",
    ],
)
def test_templates_run_in_a_sandbox(folder: Path, text: str) -> None:
    write(folder, "booking_accepted.txt.j2", text)
    with pytest.raises((SecurityError, UndefinedError)):
        Templates(folder).render("booking_accepted.txt.j2", event=SimpleNamespace(), reader=SimpleNamespace())


def test_templates_cannot_change_their_variables(folder: Path) -> None:
    write(folder, "booking_accepted.txt.j2", "{{ mentees.append('x') }}")
    with pytest.raises(SecurityError):
        Templates(folder).render("booking_accepted.txt.j2", mentees=["a"])


def test_a_footer_ends_both_forms_and_is_escaped() -> None:
    footer = Footer("A session of yours is booked.", "https://t.example/u?a=1&b=2")
    text, html = (form(Words("Title", "Body."), replace(FRAMED, footer=footer)) for form in (as_text, as_html))
    assert text.endswith("\nhttps://t.example/u?a=1&b=2\n")
    assert "\n-- \n" in text
    assert 'href="https://t.example/u?a=1&amp;b=2"' in html
    assert "-- " not in as_text(Words("Title", "Body."), FRAMED)
