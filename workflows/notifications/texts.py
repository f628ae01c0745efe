"""Texts of notifications and mails: Jinja templates, which an operator may replace by files of the same names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateSyntaxError,
    meta,
    nodes,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workflows.action_links.buttons import Button
from workflows.clock import local_time
from workflows.events.event_types import ENVELOPE, event_types, own_fields
from workflows.events.subscriptions import Effect, load
from workflows.notifications.recipients import Person
from workflows.sessions.meeting import Place
from workflows.text import one_line

_PACKAGE = "workflows.notifications"
# The variables of every template about both sides of a booking; the second set tells those templates from others.
_ABOUT_BOOKING = {"event", "reader", "reader_is_mentor", "mentor", "mentees", "others", "title"}
_ONLY_ABOUT_BOOKING = {"reader_is_mentor", "mentor", "mentees"}


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
        currency: its ISO 4217 code.
    """
    # Imported here: it reads its tables as it is imported, 2 MB that few processes need.
    from iso4217 import raw_table as iso_4217  # noqa: PLC0415

    # A currency that has been replaced since the price was set is no longer in the table.
    decimals = int(str(iso_4217[currency]["CcyMnrUnts"])) if currency in iso_4217 else 2
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{rest:0{decimals}}" if decimals else "")


def _is_quoted(paragraph: str) -> bool:
    """Whether a paragraph comes from a `Quotation`."""
    return all(line.startswith(">") for line in paragraph.splitlines())


class Templates:
    """Renders templates by name, in a sandbox.

    Args:
        folder: the operator's own templates, which replace those of the same name; None without any.
    """

    def __init__(self, folder: Path | None = None) -> None:
        loaders: list[BaseLoader] = [PackageLoader(_PACKAGE)]
        if folder is not None:
            loaders.insert(0, FileSystemLoader(folder))
        self.environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader(loaders),
            autoescape=select_autoescape(["html.j2"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # A look at the file for each mail took a tenth of the processor time of `worker-notifications`.
            auto_reload=False,
        )
        self.environment.filters["local_time"] = local_time
        self.environment.filters["money"] = money
        self.environment.tests["quoted"] = _is_quoted

    def render(self, name: str, **variables: Any) -> str:
        """The text of a template.

        Raises:
            UndefinedError: a variable of the template is missing.
        """
        return self.environment.get_template(name).render(**variables)


_templates = [Templates()]


def use_templates(folder: Path | None) -> None:
    """Use the operator's templates in this process from now on."""
    _templates[0] = Templates(folder)


def compose(kind: str, **variables: Any) -> Words:
    """Render `templates/<kind>.txt.j2`: its first line is the title, the rest the body.

    Args:
        variables: those of the template; one that is missing raises. A string becomes one line, so that no user's name
            or title can add a line to our text. Only a `Quotation` keeps its lines.
    """
    lines = {name: one_line(value) if isinstance(value, str) else value for name, value in variables.items()}
    title, _, body = _templates[0].render(f"{kind}.txt.j2", **lines).strip().partition("\n")
    return Words(title=title.strip(), body=body.strip())


def as_text(
    words: Words, footer: Footer | None = None, place: Place | None = None, buttons: Sequence[Button] = ()
) -> str:
    """The plain text part of a mail.

    Args:
        place: of the session that its reader is to come to.
    """
    variables = {"body": words.body, "footer": footer, "place": place, "buttons": buttons}
    return _templates[0].render("mail.txt.j2", **variables).strip() + "\n"


def as_html(
    words: Words, footer: Footer | None = None, place: Place | None = None, buttons: Sequence[Button] = ()
) -> str:
    """The HTML part of a mail, escaped; arguments as of `as_text`."""
    paragraphs = [paragraph.strip() for paragraph in words.body.split("\n\n") if paragraph.strip()]
    variables = {"title": words.title, "paragraphs": paragraphs, "footer": footer, "place": place, "buttons": buttons}
    return _templates[0].render("mail.html.j2", **variables)


def template_errors(folder: Path) -> list[str]:
    """What is wrong with an operator's templates, in sentences; empty when they can be used.

    Args:
        folder: TEMPLATES_FOLDER.
    """
    if not folder.is_dir():
        return [f"TEMPLATES_FOLDER: {folder} is not a folder."]
    own = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    environment = Templates(folder).environment
    return [f"TEMPLATES_FOLDER: {error}" for name in own for error in _errors_of(environment, name)]


@cache
def template_names() -> frozenset[str]:
    """The templates that an operator may replace."""
    return frozenset(each.name for each in (files(_PACKAGE) / "templates").iterdir() if each.name.endswith(".j2"))


def _errors_of(environment: Environment, name: str) -> Iterator[str]:
    if name not in template_names():
        yield f"{name} replaces no template; there are {', '.join(sorted(template_names()))}."
        return
    try:
        # Compiled, and not only parsed: that is when unknown filters and tests are found.
        environment.get_template(name)
        tree = _tree(environment, name)
    except TemplateSyntaxError as error:
        yield f"{error.name or name}, line {error.lineno}: {error.message}"
        return
    except (OSError, UnicodeDecodeError) as error:
        yield f"{name} cannot be read: {error}"
        return
    known = _variables(name)
    for unknown in sorted(meta.find_undeclared_variables(tree) - known):
        yield f"{name} names {unknown}, which it does not get; it gets {', '.join(sorted(known))}."
    for subject, attribute in sorted(_attributes(tree) - _known_attributes(name)):
        if subject in ("event", "reader", "footer", "place", "button"):
            yield f"{name} names {subject}.{attribute}, which does not exist."
    for other in sorted(each or "a template without a fixed name" for each in meta.find_referenced_templates(tree)):
        if other not in template_names():
            yield f"{name} includes {other}, which is not a template."


def _variables(name: str) -> set[str]:
    ours = set(meta.find_undeclared_variables(_tree(Templates().environment, name)))
    return ours | _ABOUT_BOOKING if ours & _ONLY_ABOUT_BOOKING else ours


def _tree(environment: Environment, name: str) -> nodes.Template:
    assert environment.loader is not None
    source, _file, _is_fresh = environment.loader.get_source(environment, name)
    return environment.parse(source, name)


def _attributes(tree: nodes.Template) -> set[tuple[str, str]]:
    return {(each.node.name, each.attr) for each in tree.find_all(nodes.Getattr) if isinstance(each.node, nodes.Name)}


def _known_attributes(name: str) -> set[tuple[str, str]]:
    effect = load().named(f"notifications.{name.partition('.')[0]}")
    sources = [effect.event] if isinstance(effect, Effect) else list(event_types().values())
    of_event = {"type"} | ENVELOPE | {field for event in sources for field in own_fields(event)}
    of_others = {"reader": Person, "footer": Footer, "place": Place, "button": Button}
    return {("event", field) for field in of_event} | {
        (subject, field.name) for subject, kind in of_others.items() for field in fields(kind)
    }
