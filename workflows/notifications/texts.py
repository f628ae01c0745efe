"""Texts of notifications and mails, as plain text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflows.action_links.buttons import Button
from workflows.kernel.language import Language, gettext_noop, language_of
from workflows.kernel.text import one_line
from workflows.sessions.meeting import Place
from workflows.terms.cancellation import BUNDLE_EXTENSION

HOUR_MINUTES = 60
DAY_MINUTES = 24 * HOUR_MINUTES

if TYPE_CHECKING:
    from workflows.notifications.templating import Templates


@dataclass(frozen=True)
class Words:
    """A title of one line and a body of paragraphs, both plain text: they are escaped where they are shown."""

    title: str
    body: str


@dataclass(frozen=True)
class Footer:
    """The end of a mail: the sentence of its kind, and the unsubscribe link."""

    sentence: str
    link: str


@dataclass(frozen=True)
class Quotation:
    """Text that a user wrote, of any number of lines: each is marked, so that none can pass for one of ours."""

    words: str

    def __str__(self) -> str:
        return "\n".join(f"> {one_line(line)}".rstrip() for line in self.words.strip().splitlines())


@dataclass(frozen=True, kw_only=True)
class Brand:
    """The operator's brand in mails and on pages of links; colours as CSS has them."""

    name: str = ""
    logo_url: str | None = None
    colour: str = "#1f5fbf"
    text_colour: str = "#fff"  # of text on that colour


def returned_credit(
    language: Language, valid_to: datetime | None, *, at: datetime, time_zone: str, is_own: bool, is_ahead: bool = False
) -> str:
    """Tell that a credit returns to its bundle, and until when it can be spent there.

    Args:
        valid_to: the end of the bundle with the credit.
        at: when it returns. A bundle that had ended before, and was extended, ends exactly an extension later.
        time_zone: of the reader.
        is_own: whether the bundle is the reader's.
        is_ahead: whether the credit would return, and has not.
    """
    end = "" if valid_to is None else language.local_time(valid_to, time_zone)
    if valid_to is not None and valid_to <= at:
        lost = gettext_noop("The credit that paid for it cannot be used again: the bundle ended on %(end)s.")
        if is_own:
            lost = gettext_noop("The session that you paid with cannot be used again: your bundle ended on %(end)s.")
        return language.gettext(lost, end=end)
    texts = [_RETURNED[is_own, is_ahead]]
    if valid_to is not None:
        texts.append(_EXTENDED if valid_to == at + BUNDLE_EXTENSION else _USABLE)
    return " ".join(language.gettext(text, end=end) for text in texts)


# By whether the bundle is the reader's, and whether the credit has yet to return.
_RETURNED = {
    (True, False): gettext_noop("The session that you paid with is back in your bundle."),
    (True, True): gettext_noop("The session that you paid with goes back to your bundle."),
    (False, False): gettext_noop("The credit that paid for it is back in the bundle."),
    (False, True): gettext_noop("The credit that paid for it goes back to the bundle."),
}
_EXTENDED = gettext_noop("The bundle had ended, and is extended until %(end)s.")
_USABLE = gettext_noop("The bundle can be used until %(end)s.")


def in_words(language: Language, length: timedelta) -> str:
    """A length of time after the word `in`: to the minute up to six hours, then to the hour, from two days on in days.

    Catalogues have it in the case that the word takes, which CLDR does not tell.
    """
    minutes = max(1, round(length.total_seconds() / 60))
    if minutes >= 2 * DAY_MINUTES:
        return language.ngettext("%(n)s day", "%(n)s days", round(minutes / DAY_MINUTES))
    if minutes >= 6 * HOUR_MINUTES:
        return language.ngettext("%(n)s hour", "%(n)s hours", round(minutes / HOUR_MINUTES))
    hours, rest = divmod(minutes, HOUR_MINUTES)
    parts = [language.ngettext("%(n)s hour", "%(n)s hours", hours)] * bool(hours)
    parts += [language.ngettext("%(n)s minute", "%(n)s minutes", rest)] * bool(rest)
    return language.names(parts)


# The operator's templates, if there are any.
_folder: list[Path | None] = [None]


def use_templates(folder: Path | None) -> None:
    """Use the operator's templates in this process from now on."""
    _folder[0] = folder
    _templates.cache_clear()


@cache
def _templates() -> Templates:
    # Every process that records events knows the effects that write texts; few write any, and need Jinja.
    from workflows.notifications.templating import Templates  # noqa: PLC0415

    return Templates(_folder[0])


def compose(kind: str, locale: str | None = None, /, **variables: Any) -> Words:
    """Render `templates/<kind>.txt.j2`: its first line is the title, the rest the body.

    Args:
        locale: of a text without a `reader`; None for the operator's default.
        variables: of the template; a missing one raises. A string becomes one line, so that no user's name
            or title can add a line to our text. Only a `Quotation` keeps its lines.
    """
    lines = {name: one_line(value) if isinstance(value, str) else value for name, value in variables.items()}
    language = language_of(variables["reader"].locale if "reader" in variables else locale)
    text = _templates().render(f"{kind}.txt.j2", **lines, language=language)
    title, _, body = text.strip().partition("\n")
    return Words(title=title.strip(), body=body.strip())


@dataclass(frozen=True, kw_only=True)
class MailReader:
    """The reader of a mail, as the frames of mails know them."""

    name: str
    locale: str


@dataclass(frozen=True, kw_only=True)
class Framed:
    """The values that the frame of a mail shows around its text."""

    reader: MailReader
    footer: Footer | None = None
    place: Place | None = None
    buttons: Sequence[Button] = ()
    answers: Sequence[tuple[str, Quotation]] = ()  # to the reader's questions, each with its label
    brand: Brand = field(default_factory=Brand)


def as_text(words: Words, framed: Framed) -> str:
    """The plain text part of a mail."""
    return _in_frame("mail.txt.j2", framed, body=words.body, title=words.title).strip() + "\n"


def as_html(words: Words, framed: Framed) -> str:
    """The HTML part of a mail, escaped."""
    paragraphs = [paragraph.strip() for paragraph in words.body.split("\n\n") if paragraph.strip()]
    return _in_frame("mail.html.j2", framed, title=words.title, paragraphs=paragraphs)


def _in_frame(name: str, framed: Framed, **words: Any) -> str:
    return _templates().render(name, **vars(framed), **words, language=language_of(framed.reader.locale))
