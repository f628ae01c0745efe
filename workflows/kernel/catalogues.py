"""Checks of an operator's catalogues, before anything is written with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflows.kernel.language import CATALOGUE_SUFFIX, CATALOGUES, is_known, read_catalogue

if TYPE_CHECKING:
    from babel.messages import Message

TEMPLATE = CATALOGUES / "messages.pot"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%|(%)")
# The form of one may do without the number.
_NUMBERS = {"n", "num"}


def catalogue_errors(folder: Path) -> list[str]:
    """The errors of the catalogues in a folder, in sentences; empty when they can be used."""
    return [f"{file.name} {error}" for file in _catalogues(folder) for error in _errors_of(file)]


def untranslated(folder: Path) -> dict[str, list[str]]:
    """The texts that catalogues of languages that are not built in lack, by their names."""
    texts = list(_messages(TEMPLATE))
    built_in = {file.name for file in CATALOGUES.iterdir()} | {f"en{CATALOGUE_SUFFIX}"}
    found: dict[str, list[str]] = {}
    for file in _catalogues(folder):
        if file.name not in built_in:
            translated = {text for text, message in _messages(file).items() if all(_forms(message.string))}
            found[file.name] = [text[0] for text in texts if text not in translated]
    return found


def wrong_placeholders(text: tuple[str, ...], forms: tuple[str, ...]) -> set[str]:
    """The placeholders in which a translation differs from its text."""
    spared = _NUMBERS if len(text) > 1 else set()
    return set().union(*(_placeholders(form) ^ _placeholders(text[-1]) for form in forms if form)) - spared


def _catalogues(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{CATALOGUE_SUFFIX}"))


def _errors_of(file: Path) -> Iterator[str]:
    from babel.messages.pofile import PoFileError  # noqa: PLC0415

    if not is_known(file.stem):
        yield f"is for no language: its name must be a tag such as fr{CATALOGUE_SUFFIX} or pt-BR{CATALOGUE_SUFFIX}."
        return
    try:
        messages = _messages(file)
    except (OSError, ValueError, LookupError, PoFileError) as error:
        yield f"cannot be read: {error}"
        return
    for text, message in messages.items():
        if wrong := wrong_placeholders(text, _forms(message.string)):
            listed = ", ".join(sorted(wrong))
            yield f"must have the same placeholders as “{text[0]}” in its translation; these differ: {listed}."


def _messages(file: Traversable) -> dict[tuple[str, ...], Message]:
    """The messages of a catalogue by their texts; those that are marked as fuzzy are not used."""
    return {_forms(each.id): each for each in read_catalogue(file) if each.id and not each.fuzzy}


def _forms(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _placeholders(form: str) -> set[str]:
    return {found[1] or found[2] for found in _PLACEHOLDER.finditer(form) if found[1] or found[2]}
