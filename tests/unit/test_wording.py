"""Tests of templates: an operator's take the place of the house's, are looked at first, and do nothing but word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2.exceptions import SecurityError, UndefinedError

from tests.unit.test_compose import words
from workflows.notifications import wording
from workflows.notifications.compose import Footer, Words, as_html, as_text
from workflows.notifications.wording import Wording, names
from workflows.notifications.wording_check import complaints


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that an operator keeps templates in."""
    wording.use(tmp_path)
    yield tmp_path
    wording.use(None)


def write(folder: Path, name: str, text: str) -> None:
    """Put a template there."""
    (folder / name).write_text(text, encoding="utf-8")


def test_a_file_takes_the_place_of_the_template_of_its_name_and_of_no_other(folder: Path) -> None:
    write(folder, "session_created.txt.j2", "Booked: {{ title }}\nWith {{ others }}.\n")
    assert words("session_created") == Words("Booked: Compilers", "With Grace Hopper.")
    assert words("session_completed").title == "Your session with Grace Hopper is completed"
    assert complaints(folder) == []


def test_the_frame_of_mails_can_be_ones_own(folder: Path) -> None:
    write(folder, "mail.html.j2", "<h1>{{ title }}</h1>{% if footer %}<a href='{{ footer.link }}'>off</a>{% endif %}")
    html = as_html(Words("A & B", "x"), Footer("A session.", "https://t.example/u"))
    assert html == "<h1>A &amp; B</h1><a href='https://t.example/u'>off</a>"
    assert complaints(folder) == []


def test_the_houses_own_templates_are_well(tmp_path: Path) -> None:
    source = Path(wording.__file__).parent / "templates"
    for name in names():
        write(tmp_path, name, (source / name).read_text(encoding="utf-8"))
    assert len(names()) > 15
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        # A name that no template has would never be read, and nobody would know why.
        ("sesion_created.txt.j2", "Hello", "sesion_created.txt.j2 takes the place of no template"),
        ("session_created.txt", "Hello", "session_created.txt takes the place of no template"),
        ("session_created.txt.j2", "{% if title %}", "session_created.txt.j2, line 1: Unexpected end of template"),
        ("session_created.txt.j2", "Hi\n{{ title | shout }}", "line 2: No filter named 'shout'"),
        ("session_created.txt.j2", "{{ x is loud }}", "No test named 'loud'"),
        ("session_created.txt.j2", "{{ metnor }}", "names metnor, which it is not told; it is told event"),
        # What another kind is told is not what this one is.
        ("session_created.txt.j2", "{{ reason }}", "names reason, which it is not told"),
        ("bundle_exhausted.txt.j2", "{{ mentor }}", "names mentor, which it is not told"),
        ("session_created.txt.j2", "{{ event.fee_amount }}", "names event.fee_amount, which there is not"),
        ("session_created.txt.j2", "{{ reader.email }}", "names reader.email, which there is not"),
        ("mail.html.j2", "{{ footer.url }}", "names footer.url, which there is not"),
        ("mail.html.j2", "{% include 'logo.html' %}", "takes in logo.html, which is no template"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    write(tmp_path, name, text)
    found = complaints(tmp_path)
    assert any(complaint in each for each in found), found
    assert all(each.startswith("TEMPLATES_FOLDER: ") for each in found)


def test_what_is_no_text_or_no_folder_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "session_created.txt.j2").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in complaints(tmp_path)[0]
    assert complaints(tmp_path / "nowhere") == [f"TEMPLATES_FOLDER: {tmp_path / 'nowhere'} is no folder."]


def test_files_that_nobody_sees_are_nobodys_business(tmp_path: Path) -> None:
    write(tmp_path, ".gitkeep", "")
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ reader.__init__.__globals__ }}",
        "{{ event.occurred_at.__class__ }}",
    ],
)
def test_a_template_words_and_does_nothing_else(folder: Path, text: str) -> None:
    write(folder, "booking_accepted.txt.j2", text)
    with pytest.raises((SecurityError, UndefinedError)):
        wording.wording().render("booking_accepted.txt.j2", event=SimpleNamespace(), reader=SimpleNamespace())


def test_a_template_changes_nothing_that_it_is_told(folder: Path) -> None:
    write(folder, "booking_accepted.txt.j2", "{{ mentees.append('x') }}")
    with pytest.raises(SecurityError):
        wording.wording().render("booking_accepted.txt.j2", mentees=["a"])


# The three zones' changes of 2030: the hour before and the hour after, and what their clocks show then.
CHANGES = [
    ("Europe/Berlin", datetime(2030, 3, 31, 0, 30, tzinfo=UTC), "Sunday, 31 March 2030, 01:30", "03:30"),
    ("Europe/Berlin", datetime(2030, 10, 27, 0, 30, tzinfo=UTC), "Sunday, 27 October 2030, 02:30", "02:30"),
    ("America/New_York", datetime(2030, 3, 10, 6, 30, tzinfo=UTC), "Sunday, 10 March 2030, 01:30", "03:30"),
    ("America/New_York", datetime(2030, 11, 3, 5, 30, tzinfo=UTC), "Sunday, 3 November 2030, 01:30", "01:30"),
    ("Australia/Sydney", datetime(2030, 4, 6, 15, 30, tzinfo=UTC), "Sunday, 7 April 2030, 02:30", "02:30"),
    ("Australia/Sydney", datetime(2030, 10, 5, 15, 30, tzinfo=UTC), "Sunday, 6 October 2030, 01:30", "03:30"),
]


@pytest.mark.parametrize(("zone", "before", "shown", "an_hour_later"), CHANGES)
@pytest.mark.parametrize("kind", ["session_created", "session_cancelled", "booking_accepted", "seat_joined"])
def test_words_follow_the_readers_clock_across_its_changes(
    kind: str, zone: str, before: datetime, shown: str, an_hour_later: str
) -> None:
    after = before.replace(hour=before.hour + 1)
    assert f"{shown} ({zone})" in words(kind, zone=zone, start=before).body
    assert f"{an_hour_later} ({zone})" in words(kind, zone=zone, start=after).body
    for form in (as_text, as_html):
        assert f"{shown} ({zone})" in form(words(kind, zone=zone, start=before))


def test_a_footer_stands_below_both_forms_and_is_escaped() -> None:
    footer = Footer("A session of yours is booked.", "https://t.example/u?a=1&b=2")
    text, html = (form(Words("Title", "Body."), footer) for form in (as_text, as_html))
    assert text.endswith("Get no more of them:\nhttps://t.example/u?a=1&b=2\n")
    assert "\n-- \n" in text
    assert 'href="https://t.example/u?a=1&amp;b=2"' in html
    assert "-- " not in as_text(Words("Title", "Body."))


def test_without_a_folder_the_houses_templates_are_used() -> None:
    assert Wording().environment.get_template("mail.txt.j2")
