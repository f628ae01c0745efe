"""The words of a notification: a template per kind, its first line the title and the rest the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workflows.notifications.wording import wording
from workflows.text import one_line


@dataclass(frozen=True)
class Words:
    """A title of one line and a body of paragraphs, both plain text: escaped wherever they are shown."""

    title: str
    body: str


@dataclass(frozen=True)
class Footer:
    """What stands below a mail: what its kind is called, and where that is switched off."""

    sentence: str
    link: str


@dataclass(frozen=True)
class Quotation:
    """What somebody wrote, in as many lines as they liked: each is marked, so that none can pass for one of ours."""

    words: str

    def __str__(self) -> str:
        return "\n".join(f"> {one_line(line)}".rstrip() for line in self.words.strip().splitlines())


def compose(kind: str, **told: Any) -> Words:
    """Render `templates/<kind>.txt.j2`.

    Args:
        told: what the template names; a name that is missing raises. Text becomes one line: whatever somebody calls
            themselves or their booking, it adds no line to what we say. Only a `Quotation` keeps its lines.
    """
    lines = {name: one_line(value) if isinstance(value, str) else value for name, value in told.items()}
    title, _, body = wording().render(f"{kind}.txt.j2", **lines).strip().partition("\n")
    return Words(title=title.strip(), body=body.strip())


def as_text(words: Words, footer: Footer | None = None) -> str:
    """The same words as the text of a mail."""
    return wording().render("mail.txt.j2", body=words.body, footer=footer).strip() + "\n"


def as_html(words: Words, footer: Footer | None = None) -> str:
    """The same words as the HTML of a mail, escaped."""
    paragraphs = [paragraph.strip() for paragraph in words.body.split("\n\n") if paragraph.strip()]
    return wording().render("mail.html.j2", title=words.title, paragraphs=paragraphs, footer=footer)
