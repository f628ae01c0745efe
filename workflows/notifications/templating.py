"""The Jinja templates of texts, which an operator may replace by files of the same names."""

from collections.abc import Callable, Iterator, Mapping
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
    pass_context,
    select_autoescape,
)
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from workflows.action_links.buttons import Button
from workflows.events.event import ENVELOPE, own_fields
from workflows.events.event_types import event_types
from workflows.events.subscriptions import Effect, load
from workflows.kernel.catalogues import catalogue_errors
from workflows.kernel.language import CATALOGUE_SUFFIX, Language
from workflows.notifications.recipients import Person
from workflows.notifications.texts import Brand, Footer, MailReader, in_words, returned_credit
from workflows.sessions.meeting import Place

_PACKAGE = "workflows.notifications"
FRAMES = ("mail.txt.j2", "mail.html.j2")
# The variables of every template about both sides of a booking; the second set tells those templates from others.
_ABOUT_BOOKING = {"event", "reader", "reader_is_mentor", "mentor", "mentees", "others", "title"}
_ONLY_ABOUT_BOOKING = {"reader_is_mentor", "mentor", "mentees"}


def _is_quoted(paragraph: str) -> bool:
    """Whether a paragraph comes from a `Quotation`."""
    return all(line.startswith(">") for line in paragraph.splitlines())


@pass_context
def _gettext(context: Context, text: str, /, **values: object) -> str:
    return _filled_in(context, _language(context).catalogue.gettext(text), values)


@pass_context
def _ngettext(context: Context, one: str, many: str, num: int, /, **values: object) -> str:
    return _filled_in(context, _language(context).catalogue.ngettext(one, many, num), {"num": num, **values})


def _filled_in(context: Context, text: str, values: Mapping[str, object]) -> str:
    """A text with its values, which HTML escapes."""
    return (Markup(text) if context.eval_ctx.autoescape else text) % values  # noqa: S704 - a text of a catalogue


def _of_language(made: Callable[..., str]) -> Callable[..., str]:
    """A filter whose first argument, before the value, is the reader's language."""

    @pass_context
    def in_language(context: Context, *arguments: Any, **named: Any) -> str:
        return made(_language(context), *arguments, **named)

    return in_language


def _language(context: Context) -> Language:
    language: Language = context["language"]
    return language


def _titled(language: Language, title: str | None) -> str:
    """A title after what it names; without one, nothing."""
    return language.gettext(" “%(title)s”", title=title) if title else ""


def _leading(language: Language, title: str | None) -> str:
    """A title before a sentence; without one, nothing."""
    return language.gettext("“%(title)s”: ", title=title) if title else ""


def _translated(language: Language, text: str) -> str:
    """A text that was marked by `gettext_noop`; any other stays as it is."""
    return language.catalogue.gettext(text)


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
        # Those of Jinja's extension take three calls through the sandbox for each text.
        self.environment.globals |= {"_": _gettext, "gettext": _gettext, "ngettext": _ngettext}
        self.environment.filters |= {
            "local_time": _of_language(Language.local_time),
            "money": _of_language(Language.money),
            "in_words": _of_language(in_words),
            "returned_credit": _of_language(returned_credit),
            "titled": _of_language(_titled),
            "leading": _of_language(_leading),
            "translated": _of_language(_translated),
        }
        self.environment.tests["quoted"] = _is_quoted

    def render(self, name: str, **variables: Any) -> str:
        """The text of a template; raises UndefinedError where a variable is missing."""
        return self.environment.get_template(name).render(**variables)


def template_errors(folder: Path) -> list[str]:
    """The errors of an operator's templates and catalogues, in sentences; empty when they can be used."""
    if not folder.is_dir():
        return [f"TEMPLATES_FOLDER: {folder} is not a folder."]
    own = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    environment = Templates(folder).environment
    templates = [name for name in own if not name.endswith(CATALOGUE_SUFFIX)]
    errors = [*catalogue_errors(folder), *(error for name in templates for error in _errors_of(environment, name))]
    return [f"TEMPLATES_FOLDER: {error}" for error in errors]


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
    for unknown in sorted(meta.find_undeclared_variables(tree) - known - set(environment.globals)):
        yield f"{name} names {unknown}, which it does not get; it gets {', '.join(sorted(known))}."
    for subject, attribute in sorted(_attributes(tree) - _known_attributes(name)):
        if subject in ("event", "reader", "footer", "place", "button", "brand"):
            yield f"{name} names {subject}.{attribute}, which does not exist."
    for other in sorted(each or "a template without a fixed name" for each in meta.find_referenced_templates(tree)):
        if other not in template_names():
            yield f"{name} includes {other}, which is not a template."


def _variables(name: str) -> set[str]:
    environment = Templates().environment
    ours = {"language", *meta.find_undeclared_variables(_tree(environment, name))} - set(environment.globals)
    if name in FRAMES:
        ours |= {"reader", "brand"}
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
    of_others = {
        "reader": MailReader if name in FRAMES else Person,
        "brand": Brand,
        "footer": Footer,
        "place": Place,
        "button": Button,
    }
    return {("event", field) for field in of_event} | {
        (subject, field.name) for subject, kind in of_others.items() for field in fields(kind)
    }
