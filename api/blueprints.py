"""Blueprints of this API: strict about bodies, and documenting how each of their routes can refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import marshmallow as ma
from flask_smorest import Blueprint

from api.bodies import StrictParser
from api.docs.refusing import describe_refusals
from api.documented import View, describe, told_of
from api.schemas.base import camel

PARSER = StrictParser()


class Area(Blueprint):
    """The routes of one area."""

    ARGUMENTS_PARSER = PARSER

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, description=description)
        self._prepare_doc_cbks.append(describe_refusals)

    def arguments(self, schema: ma.Schema | type[ma.Schema], **options: Any) -> Callable[[View], View]:
        """Besides: a schema is made once. Of a class, webargs would make an instance for every request."""
        parsed = schema() if isinstance(schema, type) else schema
        decorator: Callable[[View], View] = super().arguments(parsed, **options)
        return decorator

    def _store_endpoint_docs(self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any) -> None:
        """Besides: every operation's name, for those who generate clients."""
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        documented = self._docs[endpoint]
        for method in documented.keys() - {"parameters"}:
            twin = method == "post" and "patch" in documented
            documented[method]["operation"] = camel(endpoint) + ("ByPost" if twin else "")


def refuses(*codes: str) -> Callable[[View], View]:
    """Document the rules by which a route refuses, besides what every route of its kind can answer."""
    return _noting("refusals", codes)


def understands(*headers: dict[str, Any]) -> Callable[[View], View]:
    """Document headers of the request, besides those that every route of its kind understands."""
    return _noting("headers", headers)


def versioned(view: View) -> View:
    """Document that the answer has an ETag, so that 304 can say enough."""
    return _noting("versioned", (True,))(view)


def _noting(key: str, values: Iterable[Any]) -> Callable[[View], View]:
    def decorator(view: View) -> View:
        return describe(view, view, **{key: [*told_of(view).get(key, []), *values]})

    return decorator
