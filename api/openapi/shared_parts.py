"""Parts of the OpenAPI document that several places have: each is a component, which the places name."""

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from enum import Enum
from typing import Any

import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter

from api.schemas.base import EitherShape, ResponseSchema
from api.schemas.fields import Text

# A smaller base would cost more in references than it saves in fields.
MIN_FIELDS_OF_BASE = 5


class SharingConverter(OpenAPIConverter):
    """Converter of schemas in which an answer names the answer that it extends, and a field names its enum."""

    def schema2jsonschema(self, schema: ma.Schema) -> dict[str, Any]:
        if isinstance(schema, EitherShape):
            return {"oneOf": [self.resolve_nested_schema(each) for each in schema.shapes]}  # type: ignore[no-untyped-call]
        whole: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        bases = (base for base in type(schema).__mro__[1:] if issubclass(base, ResponseSchema))
        for base in bases:
            inherited = super().schema2jsonschema(base())  # type: ignore[no-untyped-call]
            fields, required = inherited["properties"], set(inherited.get("required", ()))
            is_extended = fields.items() <= whole["properties"].items() and required.issubset(whole.get("required", ()))
            if len(fields) >= MIN_FIELDS_OF_BASE and is_extended:
                own_required = [name for name in whole.get("required", ()) if name not in required]
                # A field that is required here alone is repeated: openapi-typescript would leave it optional.
                own = {
                    name: field
                    for name, field in whole["properties"].items()
                    if name not in fields or name in own_required
                }
                reference = self.resolve_nested_schema(base)  # type: ignore[no-untyped-call]
                return {"allOf": [reference, {**whole, "properties": own, "required": own_required}]}
        return whole

    def field2property(self, field: ma.fields.Field[Any]) -> dict[str, Any]:
        """The schema of a field: by reference of an enum, with what else the field has beside it, and of a field whose
        metadata names a `component`."""
        known: dict[str, Any] = super().field2property(field)
        if "component" in field.metadata:
            return self._named(field.metadata["component"], known)
        if isinstance(field, Text) and known["pattern"] == field.pattern:
            pattern = self._named(field.pattern_name, {"type": "string", "pattern": known["pattern"]})
            return _by_reference(pattern, known, "pattern")
        enum = _enum_of(field)
        values = [member.value for member in enum or ()]
        if enum is None or known["enum"] not in (values, [*values, None]):
            return known
        reference = self._named(enum.__name__, {"type": "string", "enum": values})
        return _by_reference(reference, known, "enum")

    def _named(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        assert self.spec.components.schemas.setdefault(name, schema) == schema, f"{name} is the name of two schemas"
        return {"$ref": f"#/components/schemas/{name}"}


def _by_reference(reference: dict[str, Any], known: dict[str, Any], named: str) -> dict[str, Any]:
    """The schema of a field by reference, with what else the field has beside it."""
    others = {key: value for key, value in known.items() if key not in (named, "type")}
    nullable = None in known.get("enum", ()) or "null" in known.get("type", ())
    return {**({"anyOf": [reference, {"type": "null"}]} if nullable else reference), **others}


def _enum_of(field: ma.fields.Field[Any]) -> type[Enum] | None:
    """The enum whose values a field has."""
    if isinstance(field, ma.fields.Enum):
        return field.enum if field.by_value else None
    choices = [choice for each in field.validators if isinstance(each, ma.validate.OneOf) for choice in each.choices]
    return type(choices[0]) if choices and isinstance(choices[0], Enum) else None


class SharingPlugin(MarshmallowPlugin):
    Converter = SharingConverter


def with_shared_parts(document: dict[str, Any]) -> dict[str, Any]:
    """The document with each part of several operations as a component, by the name of the first that has it."""
    document = deepcopy(document)
    for kind, parts in (
        ("parameters", _parameters),
        ("requestBodies", _bodies),
        ("links", _links),
        ("responses", _answers),
    ):
        components, names = document["components"].setdefault(kind, {}), dict[str, str]()
        places = [place for place in parts(document) if "$ref" not in place.part]
        uses = Counter(place.text for place in places)
        for place in places:
            if uses[place.text] == 1:
                continue
            if place.text not in names:
                names[place.text] = place.name if place.name not in components else f"{place.name}.{place.operation}"
                components[names[place.text]] = place.part
            place.holder[place.key] = {"$ref": f"#/components/{kind}/{names[place.text]}"}
    return document


class _Place:
    """Where an operation has a part, and how a component of that part would be named."""

    def __init__(self, holder: Any, key: Any, operation: str, name: str) -> None:
        self.holder, self.key, self.operation, self.name = holder, key, operation, name
        self.part: dict[str, Any] = holder[key]
        self.text = json.dumps(self.part)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                yield operation.get("x-alias-of") or operation["operationId"], operation


def _parameters(document: dict[str, Any]) -> Iterator[_Place]:
    lists = [("path", item["parameters"]) for item in document["paths"].values() if "parameters" in item]
    lists += [(name, operation["parameters"]) for name, operation in _operations(document) if "parameters" in operation]
    for name, parameters in lists:
        for index, parameter in enumerate(parameters):
            if not parameter.get("required", True):
                del parameter["required"]
            yield _Place(parameters, index, name, parameter.get("name", ""))


def _bodies(document: dict[str, Any]) -> Iterator[_Place]:
    for name, operation in _operations(document):
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"].get("application/json", {}).get("schema", {})
            yield _Place(operation, "requestBody", name, schema.get("$ref", name).rpartition("/")[2])


def _answers(document: dict[str, Any]) -> Iterator[_Place]:
    for name, operation in _operations(document):
        for status in operation["responses"]:
            yield _Place(operation["responses"], status, name, f"{name}.{status}")


def _links(document: dict[str, Any]) -> Iterator[_Place]:
    for name, operation in _operations(document):
        for answer in operation["responses"].values():
            for linked in answer.get("links", {}):
                yield _Place(answer["links"], linked, name, linked)
