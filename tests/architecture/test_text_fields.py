"""Tests that no text of a request is without a bound, and that none holds NUL or other control characters."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import marshmallow as ma
import pytest

import api.resources
import api.schemas
from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.fields import Metadata, Money
from workflows.webhooks.headers import wrong

# Longer than any text that is kept; shorter than the largest body.
LONG = "a" * 200_000
# NUL, a terminal's escape, C1's "next line", and an override of the text's direction.
CONTROLS = ("\0", "\x1b", "\x85", "\u202e")
# Read by a rule of their own: `checked_headers`, whose `wrong` bounds each name and value and admits printable ASCII.
BY_RULE = ("headers",)
# Objects of the client's own, whose texts are never shown: bounded as a whole (`Metadata`), and without NUL
# (`require_storable`), as tests/api/test_bad_input.py holds.
OPAQUE = (Metadata,)


def schemas() -> list[type[ma.Schema]]:
    """Every schema that a request is read by."""
    for package in (api.schemas, api.resources):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    found = [each for each in _below(RequestSchema) if not issubclass(each, ResponseSchema)]
    return [*found, Money]


def _below(schema: type[ma.Schema]) -> Iterator[type[ma.Schema]]:
    for each in schema.__subclasses__():
        yield each
        yield from _below(each)


def texts() -> dict[str, ma.fields.Field[Any]]:
    """Every field that reads text, by the names of its schema and of its own."""
    return {
        f"{schema.__module__}.{schema.__name__}.{name}": text
        for schema in schemas()
        for name, field in schema().fields.items()
        for text in _texts_of(field)
    }


def _texts_of(field: ma.fields.Field[Any]) -> Iterator[ma.fields.Field[Any]]:
    if isinstance(field, OPAQUE) or field.name in BY_RULE:
        return
    if isinstance(field, ma.fields.List):
        yield from _texts_of(field.inner)
    elif isinstance(field, ma.fields.Dict):
        for inner in (field.key_field, field.value_field):
            assert inner is not None, f"{field.name} takes any object; use Metadata"
            yield from _texts_of(inner)
    elif isinstance(field, ma.fields.Nested):
        for nested in field.schema.fields.values():
            yield from _texts_of(nested)
    elif isinstance(field, ma.fields.String):
        yield field
    else:
        # Neither text nor made of it: numbers, times, ids, members of an enum.
        assert type(field) not in (ma.fields.Field, ma.fields.Raw), f"{field.name} takes anything"


TEXTS = texts()


def refuses(field: ma.fields.Field[Any], text: str) -> bool:
    """Whether a request with that text is refused."""
    try:
        field.deserialize(text)
    except ma.ValidationError:
        return True
    return False


def test_there_are_texts() -> None:
    assert len(TEXTS) > 50


def test_headers_of_webhooks_are_bounded_and_clean() -> None:
    for text in (LONG, *(f"a{control}b" for control in CONTROLS)):
        assert wrong("X-Partner", text) is not None
        assert wrong(text, "value") is not None


@pytest.mark.parametrize("name", TEXTS)
def test_every_text_is_bounded(name: str) -> None:
    assert refuses(TEXTS[name], LONG), "give it a limit: Text(…), Line(…)"


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_holds_control_characters(name: str) -> None:
    taken = [ascii(control) for control in CONTROLS if not refuses(TEXTS[name], f"a{control}b")]
    assert not taken, "read it by Text or Line, or by a field that says what it may hold"
