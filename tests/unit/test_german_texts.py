"""Tests of all mails and notifications in German and English: every kind, in all its forms, whole in each language."""

import html
import itertools
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from babel.messages import Message
from jinja2 import meta, nodes
from jinja2.ext import extract_from_ast

from config.signed_links import Signer
from models.catalog import LocationKind
from models.notifications import Channel
from tests.application import SECRET
from tests.mails import as_read
from workers.transports.mail import MailIdentity
from workflows.action_links.buttons import Button, MailActions
from workflows.action_links.link import LINK_PURPOSE, Action, ActionLink
from workflows.kernel.language import CATALOGUES, Language, language_of, read_catalogue
from workflows.notifications.kinds import KINDS
from workflows.notifications.mails import Mail
from workflows.notifications.preferences import UNSUBSCRIBE_PURPOSE, Choice, UnsubscribeLink
from workflows.notifications.templating import FRAMES, Templates, template_names
from workflows.notifications.texts import Brand, Footer, Framed, MailReader, Quotation, Words, as_html, as_text, compose
from workflows.sessions.meeting import Place

LOCALES = ("de", "en")
NAMES = sorted(template_names() - set(FRAMES))
GERMAN = [message for message in read_catalogue(CATALOGUES / "de.po") if message.id]
WORD = re.compile(r"[^\W\d_]+")


def texts_of(*files: str) -> tuple[str, ...]:
    """Our texts in these files."""
    return tuple(
        text
        for message in GERMAN
        if {file for file, _line in message.locations} & set(files)
        for text in forms(message.id)
    )


def forms(text: object) -> list[str]:
    """A text, or both of one with a plural."""
    return [text] if isinstance(text, str) else list(text)  # type: ignore[call-overload]


ENDPOINT_REASONS = texts_of("workflows/webhooks/health.py", "workflows/notifications/endpoint_news.py")
WHAT = tuple(text for text in texts_of("workflows/effects/notifications.py") if "%(named)s" in text)
LABELS = texts_of("workflows/action_links/buttons.py")
# Some of the forms of a template with many; the same ones in every run.
MAX_FORMS = 3000
START = datetime(2030, 5, 4, 9, tzinfo=UTC)
USER_ID = UUID(int=7)
IDENTITY = MailIdentity(
    "Lernhaus <no-reply@lernhaus.example>",
    "betrieb@lernhaus.example",
    "https://t.example",
    Signer([SECRET], UNSUBSCRIBE_PURPOSE),
    link_signer=Signer([SECRET], LINK_PURPOSE),
    brand=Brand(name="Lernhaus"),
)
# The values of variables; of some, all that make a difference.
EVENT: dict[str, tuple[Any, ...]] = {
    "start_time": (START, START - timedelta(days=7)),
    "occurred_at": (START - timedelta(days=3),),
    "credit_valid_to": (None, START - timedelta(days=9), START, START + timedelta(days=27)),
    **dict.fromkeys(("end_time", "expires_at", "due_at"), (START + timedelta(hours=1),)),
    "valid_to": (START, None),
    "actor": ("user:1", "user:2"),
    "by": ("mentor", "mentee"),
    "outcome": ("declined", "withdrawn", "expired"),
    **dict.fromkeys(("from_", "to"), (START,)),
    "cancelled_by": ("mentor", "mentee", "operator", "system"),
    "cancellation_type": ("client_request", "no_show", "not_held"),
    "credit_returned": (None, True, False),
    "reason": ("cancelled", "begun", "lapsed"),
    **dict.fromkeys(("bundle_purchase_id", "mentee_user_id"), (None, USER_ID)),
    **dict.fromkeys(("fee_amount", "refund_amount", "waived_fee_amount"), (0, 123456)),
    **dict.fromkeys(("awaited_payment", "no_show_reverted", "late"), (True, False)),
    **dict.fromkeys(("total_sessions", "expired_sessions"), (1, 5)),
    **{"amount": (4000,), "currency": ("EUR",), "seats_taken": (3,), "capacity": (8,)},
    **{"session_id": (7,), "mentor_profile_id": (8,)},
}
READER: dict[str, tuple[Any, ...]] = {
    "time_zone": ("UTC",),
    "acts_as": ({"user:1"},),
    "present": (None, False),
    "seat_price": (None, 4000),
    "seat_paid_by_credit": (False, True),
}
VARIABLES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("mentor", "mentees", "others", "who", "owner"), ("Grace Hopper",)),
    **dict.fromkeys(("title", "course"), ("Kompilerbau",)),
    "title": ("Kompilerbau", None),
    "reason": (Quotation("Bin krank.\n\nLeider."), None),
    **dict.fromkeys(
        ("reader_is_mentor", "by_operator", "expired", "came_late", "pending", "refund_requested"), (True, False)
    ),
    **dict.fromkeys(("left", "count"), (1, 5)),
    "time_left": tuple(timedelta(minutes=minutes) for minutes in (1, 61, 135, 60 * 30, 60 * 24 * 7)),
    **dict.fromkeys(("start_time", "moved_from", "free_until"), (None, START)),
    "last_error": ("HTTP 500", None),
    **dict.fromkeys(("expires_at", "failing_since"), (START,)),
    **{"url": ("https://x.example",), "address": ("ada@x.example",), "time_zone": ("UTC",)},
}


@cache
def english_words() -> frozenset[str]:
    """The words of our English texts that no German one has."""
    english, german = (
        {
            word.lower()
            for message in GERMAN
            for form in forms(getattr(message, side))
            for word in WORD.findall(re.sub(r"%\(\w+\)s", "", form))
        }
        for side in ("id", "string")
    )
    return frozenset(english - german)


def require_whole(said: str, locale: str) -> None:
    """No placeholder is left, and no English word in German."""
    assert not re.search(r"%\(|%[sd%]|\{\{|\}\}|\bNone\b|Undefined|gettext", said), said
    if locale == "de":
        found = {word.lower() for word in WORD.findall(re.sub(r"https?://\S+|\S+@\S+", "", said))} & english_words()
        assert not found, (found, said)


def pattern_of(text: str) -> re.Pattern[str]:
    """Matches a text with anything in its placeholders."""
    pieces = re.split(r"%\(\w+\)s", text.replace("%%", "%"))
    return re.compile(".*".join(map(re.escape, pieces)))


def translations(name: str) -> list[Message]:
    """The texts of a template, with their translations."""
    environment = Templates().environment
    assert environment.loader is not None
    source = environment.loader.get_source(environment, name)[0]
    said = {text for _line, _function, text in extract_from_ast(environment.parse(source))}
    keys = {tuple(part for part in forms(text) if part) for text in said}
    found = [message for message in GERMAN if tuple(forms(message.id)) in keys]
    assert len(found) == len(keys), name
    return found


def forms_of(name: str, language: Language) -> Iterator[dict[str, Any]]:
    """The variables of a template in all combinations that can differ, or in many of them."""
    environment = Templates().environment
    assert environment.loader is not None
    tree = environment.parse(environment.loader.get_source(environment, name)[0], name)
    inner = {each.name for each in tree.find_all(nodes.Name) if each.ctx == "store"}
    named = meta.find_undeclared_variables(tree) - inner - {*environment.globals, "language", "event", "reader"}
    parts = {(each.node.name, each.attr) for each in tree.find_all(nodes.Getattr) if isinstance(each.node, nodes.Name)}
    known: dict[tuple[str, ...], tuple[Any, ...]] = {
        **{(variable,): values for variable, values in {**VARIABLES, **sentences(language)}.items()},
        **({("reason",): ENDPOINT_REASONS} if name.startswith("webhook_endpoint") else {}),
        **{("event", part): values for part, values in EVENT.items()},
        **{("reader", part): values for part, values in READER.items()},
    }
    keys = sorted([*((each,) for each in named), *(each for each in parts if each[0] in ("event", "reader"))])
    unknown = [key for key in keys if key not in known]
    assert unknown == [], f"give the variables of {name} values here"
    axes = [known[key] for key in keys]
    drawn = random.Random(name)
    size = 1
    for axis in axes:
        size *= len(axis)
    chosen = (
        itertools.product(*axes)
        if size <= MAX_FORMS
        else (tuple(drawn.choice(axis) for axis in axes) for _ in range(MAX_FORMS))
    )
    for values in chosen:
        told = dict(zip(keys, values, strict=True))
        if not is_possible(name, told):
            continue
        event = {key[1]: value for key, value in told.items() if key[0] == "event" and len(key) > 1}
        reader = {key[1]: value for key, value in told.items() if key[0] == "reader" and len(key) > 1}
        yield {
            **{key[0]: value for key, value in told.items() if len(key) == 1},
            "event": SimpleNamespace(**event),
            "reader": SimpleNamespace(locale=language.tag, **reader),
        }


def sentences(language: Language) -> dict[str, tuple[Any, ...]]:
    """The variables that are texts of ours."""
    whats = tuple(language.gettext(text, named="Grace Hopper") for text in WHAT)
    return {"what": whats, "sentence": tuple(kind.sentence for kind in KINDS.values())}


def is_possible(name: str, told: Mapping[tuple[str, ...], Any]) -> bool:
    """Whether it can be so: only a bundle with an end expires, and seats of a moved group have a free time."""
    if name == "session_rescheduled.txt.j2":
        return told["reader", "seat_price"] is None or told["free_until",] is not None
    return not name.startswith("bundle_expir") or told["event", "valid_to"] is not None


def composed(name: str, locale: str) -> set[Words]:
    """A notification in all its forms."""
    kind, language = name.removesuffix(".txt.j2"), language_of(locale)
    return {compose(kind, locale, **told) for told in forms_of(name, language)}


def test_there_are_texts_to_look_at() -> None:
    assert min(map(len, (ENDPOINT_REASONS, WHAT, LABELS))) >= 3


def test_there_are_english_words_to_look_for() -> None:
    assert {"the", "you", "your", "session", "with", "is", "of", "and", "to", "no", "fee"} <= english_words()
    with pytest.raises(AssertionError):
        require_whole("Die Session ist gebucht.\n\nYou meet Grace.", "de")


def test_every_kind_has_a_form_here() -> None:
    assert {f"{kind}.txt.j2" for kind in KINDS} <= set(NAMES)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_every_notification_is_whole(name: str, locale: str) -> None:
    found = composed(name, locale)
    for words in found:
        assert words.title
        assert words.body
        require_whole(f"{words.title}\n{words.body}", locale)
    # No text is left out, as one would be that no form here reaches.
    said = "\n".join(f"{words.title}\n{words.body}" for words in found)
    side = "string" if locale == "de" else "id"
    texts = [form for message in translations(name) for form in forms(getattr(message, side))]
    assert [text for text in texts if not pattern_of(text).search(said)] == []


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_mail_of_every_kind_is_whole(kind: str, locale: str) -> None:
    link = ActionLink(action=Action.CANCEL, subject_id=USER_ID, user_id=USER_ID, expires_at=START, links_version=1)
    mail = Mail(
        delivery_id=USER_ID,
        to_name="Ada Lovelace",
        to_address="ada@x.example",
        locale=locale,
        words=min(composed(f"{kind}.txt.j2", locale), key=lambda words: words.body),
        written_at=START,
        prepared_at=START,
        unsubscribe=UnsubscribeLink(choice=Choice(user_id=USER_ID, kind=kind, channel=Channel.EMAIL), links_version=1),
        actions=MailActions(links=dict.fromkeys(LABELS, link)),
    )
    message = as_read(mail, IDENTITY)
    text, page = (str(message.get_body((each,)).get_content()) for each in ("plain", "html"))  # type: ignore[union-attr]
    language = language_of(locale)
    # Headers have plain blanks.
    assert message["Subject"] == mail.subject.replace("\xa0", " ")
    for said in (str(message["Subject"]), text, seen_in(page)):
        require_whole(said, locale)
    for said in (text, seen_in(page)):
        assert language.gettext(KINDS[kind].sentence) in said
        assert all(language.gettext(label) in said for label in LABELS)
    assert f'<html lang="{locale}">' in page


def seen_in(page: str) -> str:
    """The text of a page of HTML that its reader sees."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page.partition("<body")[2]))


@pytest.mark.parametrize("locale", LOCALES)
def test_the_frames_of_mails_are_whole(locale: str) -> None:
    language = language_of(locale)
    framed = Framed(
        reader=MailReader(name="Ada", locale=locale),
        buttons=[Button(language.gettext("Join session"), "https://t.example/act/x", personal=True)],
        footer=Footer(language.gettext("A session is booked."), "https://t.example/unsubscribe/x"),
    )
    places = [Place(kind=kind, link=None, words="Gasse 1") for kind in LocationKind]
    places.append(Place(kind=LocationKind.ONLINE, link="https://meet.example/x", words=None))
    shown = [replace(framed, place=place) for place in places]
    words = Words("Titel", "Absatz.\n\n> Zitat\n\nAbsatz.")
    found = {
        "mail.txt.j2": "\n".join(as_text(words, each) for each in shown),
        "mail.html.j2": "\n".join(seen_in(as_html(words, each)) for each in shown),
    }
    assert set(found) == set(FRAMES)
    for name, said in found.items():
        require_whole(said, locale)
        texts = [str(message.string if locale == "de" else message.id) for message in translations(name)]
        assert [text for text in texts if not pattern_of(text).search(said)] == []
