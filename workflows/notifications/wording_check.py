"""What is wrong with an operator's templates, in sentences, before anybody is told anything by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, meta, nodes

from workflows.events.catalogue import ENVELOPE, event_types, own_fields
from workflows.events.subscriptions import Effect, load
from workflows.notifications.compose import Footer
from workflows.notifications.people import Person
from workflows.notifications.wording import Wording, names

# What every template is told that is about both sides of a booking.
_OF_BOTH_SIDES = {"event", "reader", "reader_is_mentor", "mentor", "mentees", "others", "title"}
_ONLY_THERE = {"reader_is_mentor", "mentor", "mentees"}


def complaints(folder: Path) -> list[str]:
    """Every reason not to use these templates; none when they are well.

    Args:
        folder: TEMPLATES_FOLDER.
    """
    if not folder.is_dir():
        return [f"TEMPLATES_FOLDER: {folder} is no folder."]
    own = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    environment = Wording(folder).environment
    return [f"TEMPLATES_FOLDER: {reason}" for name in own for reason in _reasons(environment, name)]


def _reasons(environment: Environment, name: str) -> Iterator[str]:
    if name not in names():
        yield f"{name} takes the place of no template; there are {', '.join(sorted(names()))}."
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
    known = _told(name)
    for unknown in sorted(meta.find_undeclared_variables(tree) - known):
        yield f"{name} names {unknown}, which it is not told; it is told {', '.join(sorted(known))}."
    for subject, attribute in sorted(_attributes(tree) - _known_attributes(name)):
        if subject in ("event", "reader", "footer"):
            yield f"{name} names {subject}.{attribute}, which there is not."
    for other in sorted(each or "a template that is not named" for each in meta.find_referenced_templates(tree)):
        if other not in names():
            yield f"{name} takes in {other}, which is no template."


def _told(name: str) -> set[str]:
    ours = set(meta.find_undeclared_variables(_tree(Wording().environment, name)))
    return ours | _OF_BOTH_SIDES if ours & _ONLY_THERE else ours


def _tree(environment: Environment, name: str) -> nodes.Template:
    assert environment.loader is not None
    source, _file, _is_fresh = environment.loader.get_source(environment, name)
    return environment.parse(source, name)


def _attributes(tree: nodes.Template) -> set[tuple[str, str]]:
    return {(each.node.name, each.attr) for each in tree.find_all(nodes.Getattr) if isinstance(each.node, nodes.Name)}


def _known_attributes(name: str) -> set[tuple[str, str]]:
    effect = load().named(f"notifications.{name.partition('.')[0]}")
    told = [effect.event] if isinstance(effect, Effect) else list(event_types().values())
    of_event = {"type"} | ENVELOPE | {field for event in told for field in own_fields(event)}
    of_others = {"reader": Person, "footer": Footer}
    return {("event", field) for field in of_event} | {
        (subject, field.name) for subject, kind in of_others.items() for field in fields(kind)
    }
