"""The Jinja templates of texts, which an operator may replace by files of the same names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
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
from workflows.events.event import ENVELOPE, own_fields
from workflows.events.event_types import event_types
from workflows.events.subscriptions import Effect, load
from workflows.kernel.clock import local_time
from workflows.notifications.recipients import Person
from workflows.notifications.texts import Footer, money, returned_credit
from workflows.sessions.meeting import Place

_PACKAGE = "workflows.notifications"
# The variables of every template about both sides of a booking; the second set tells those templates from others.
_ABOUT_BOOKING = {"event", "reader", "reader_is_mentor", "mentor", "mentees", "others", "title"}
_ONLY_ABOUT_BOOKING = {"reader_is_mentor", "mentor", "mentees"}


def _is_quoted(paragraph: str) -> bool:
    """Whether a paragraph comes from a `Quotation`."""
    return all(line.startswith(">") for line in paragraph.splitlines())


class Templates:
    """Renders templates by name, in a sandbox.

    Args:
        folder: the operator's templates, which replace ours of the same name; None without any.
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
        self.environment.filters["returned_credit"] = returned_credit
        self.environment.tests["quoted"] = _is_quoted

    def render(self, name: str, **variables: Any) -> str:
        """The text of a template; raises UndefinedError where a variable is missing."""
        return self.environment.get_template(name).render(**variables)


def template_errors(folder: Path) -> list[str]:
    """The errors of an operator's templates, in sentences; empty when they can be used."""
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
