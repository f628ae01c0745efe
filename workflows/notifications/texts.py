"""Texts of notifications and mails, as plain text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflows.action_links.buttons import Button
from workflows.kernel.clock import local_time
from workflows.kernel.text import one_line
from workflows.sessions.meeting import Place
from workflows.terms.cancellation import BUNDLE_EXTENSION

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


def money(amount: int, currency: str) -> str:
    """An amount with its currency's code, `USD 20.00`.

    Args:
        amount: in minor units of ISO 4217. (Unicode's CLDR, and so Babel, counts other decimals for 13 currencies.)
    """
    # Imported here: it reads its tables as it is imported, 2 MB that few processes need.
    from iso4217 import raw_table as iso_4217  # noqa: PLC0415

    # A currency that has been replaced since the price was set is no longer in the table.
    decimals = int(str(iso_4217[currency]["CcyMnrUnts"])) if currency in iso_4217 else 2
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{rest:0{decimals}}" if decimals else "")


def returned_credit(
    credit: str, valid_to: datetime | None, *, at: datetime, bundle: str, time_zone: str, verb: str = "is back in"
) -> str:
    """A sentence about a credit that returns to a bundle, and until when it can be spent there.

    Args:
        credit: the credit in words, as the sentence's subject.
        valid_to: the end of the bundle with the credit.
        at: when it returns. A bundle that had ended before, and was extended, ends exactly an extension later.
        bundle: whose it is, "your bundle".
        time_zone: of the reader.
    """
    if valid_to is None:
        return f"{credit} {verb} {bundle}."
    end = local_time(valid_to, time_zone)
    if valid_to <= at:
        return f"{credit} cannot be used again: {bundle} ended on {end}."
    extended = "had ended and is extended until" if valid_to == at + BUNDLE_EXTENSION else "can be used until"
    return f"{credit} {verb} {bundle}, which {extended} {end}."


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


def compose(kind: str, **variables: Any) -> Words:
    """Render `templates/<kind>.txt.j2`: its first line is the title, the rest the body.

    Args:
        variables: of the template; a missing one raises. A string becomes one line, so that no user's name
            or title can add a line to our text. Only a `Quotation` keeps its lines.
    """
    lines = {name: one_line(value) if isinstance(value, str) else value for name, value in variables.items()}
    title, _, body = _templates().render(f"{kind}.txt.j2", **lines).strip().partition("\n")
    return Words(title=title.strip(), body=body.strip())


def as_text(
    words: Words, footer: Footer | None = None, place: Place | None = None, buttons: Sequence[Button] = ()
) -> str:
    """The plain text part of a mail."""
    variables = {"body": words.body, "footer": footer, "place": place, "buttons": buttons}
    return _templates().render("mail.txt.j2", **variables).strip() + "\n"


def as_html(
    words: Words, footer: Footer | None = None, place: Place | None = None, buttons: Sequence[Button] = ()
) -> str:
    """The HTML part of a mail, escaped; arguments as of `as_text`."""
    paragraphs = [paragraph.strip() for paragraph in words.body.split("\n\n") if paragraph.strip()]
    variables = {"title": words.title, "paragraphs": paragraphs, "footer": footer, "place": place, "buttons": buttons}
    return _templates().render("mail.html.j2", **variables)
