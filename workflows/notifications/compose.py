"""The words of a notification: a template per kind, its first line the title and the rest the body."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

_templates = Environment(
    loader=PackageLoader("workflows.notifications"),
    autoescape=select_autoescape(["html.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Words:
    """A title of one line and a body of paragraphs, both plain text: escaped wherever they are shown."""

    title: str
    body: str


def compose(kind: str, **told: Any) -> Words:
    """Render `templates/<kind>.txt.j2`.

    Args:
        told: what the template names; a name that is missing raises.
    """
    title, _, body = _templates.get_template(f"{kind}.txt.j2").render(**told).strip().partition("\n")
    return Words(title=title.strip(), body=body.strip())


def as_html(words: Words) -> str:
    """The same words as the HTML of a mail, escaped."""
    paragraphs = [paragraph.strip() for paragraph in words.body.split("\n\n") if paragraph.strip()]
    return _templates.get_template("mail.html.j2").render(title=words.title, paragraphs=paragraphs)


def _local_time(moment: datetime, time_zone: str) -> str:
    """The moment on the reader's own clock, with the zone's name: nobody has to guess."""
    return f"{moment.astimezone(ZoneInfo(time_zone)):%A, %-d %B %Y, %H:%M} ({time_zone})"


_templates.filters["local_time"] = _local_time
