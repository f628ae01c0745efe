"""What a request carries, read strictly: JSON without guesses, text that PostgreSQL can hold, nothing unknown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request
from webargs import core
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from api.strict_json import strict_json
from workflows.errors import Invalid

LARGEST_BODY = 256 * 1024  # bytes
DEEPEST = 32
_UTF_8 = ("utf-8", "utf8")
_NO_TEXT = "Must not hold NUL characters or lone surrogates."


class StrictParser(FlaskParser):
    """Reads bodies and queries for schemas, and refuses in the one shape."""

    DEFAULT_VALIDATION_STATUS = 400
    # A misspelt filter that is silently ignored would answer another question than the one asked.
    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}  # noqa: RUF012

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002
        """The body as JSON; an absent one is an empty object, so that the schema says what is missing."""
        raw = body_of(req)
        if not raw:
            return core.missing
        if not core.is_json(req.mimetype) or req.mimetype_params.get("charset", "utf-8").lower() not in _UTF_8:
            raise UnsupportedMediaType("Send the body as Content-Type: application/json, in UTF-8.")
        if req.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
        return checked(strict_json(raw))

    def load_querystring(self, req: Request, schema: ma.Schema) -> MultiDictProxy:
        """The query; a parameter given twice is refused, since nobody could say which one is meant."""
        for name, values in req.args.lists():
            if len(values) > 1:
                raise ma.ValidationError({name: ["Must be given once."]})
        checked(req.args.to_dict())
        return self._makeproxy(req.args, schema)

    def handle_error(self, error: ma.ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse with the reasons by field, in the names that the client wrote."""
        raise Invalid("The request does not fit; see details.", details=reasons(error.messages)) from error


def body_of(request: Request) -> bytes:
    """The whole body.

    Raises:
        RequestEntityTooLarge: it is larger than the application takes.
    """
    raw = request.get_data(cache=True)
    # A body that does not say its length is cut off at the limit by Werkzeug, without a word.
    if request.content_length is None and len(raw) >= (request.max_content_length or len(raw) + 1):
        raise RequestEntityTooLarge
    return raw


def checked(value: Any) -> Any:
    """The value again, once all its text can be stored and its depth can be walked.

    Raises:
        ValidationError: naming the outermost field to blame.
    """
    for field, depth, part in _parts(value):
        if depth > DEEPEST:
            raise ma.ValidationError({field: [f"Must not be nested more than {DEEPEST} deep."]})
        if isinstance(part, str) and not storable(part):
            raise ma.ValidationError({field if storable(field) else "_schema": [_NO_TEXT]})
    return value


def storable(text: str) -> bool:
    """Whether PostgreSQL can hold this text: it has no NUL, and every surrogate its partner."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def reasons(messages: Any) -> dict[str, list[str]]:
    """Marshmallow's nested messages, flat: `price.amount` → reasons."""
    location_free = next(iter(messages.values())) if isinstance(messages, dict) and len(messages) == 1 else messages
    found: dict[str, list[str]] = {}
    for path, reason in _flat(location_free, ()):
        found.setdefault(path, []).append(reason)
    return found


def _flat(messages: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _flat(inner, (*path, str(name)))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _flat(inner, path)
    else:
        yield ".".join(path) or "_schema", str(messages)


def _parts(value: Any) -> Iterator[tuple[str, int, Any]]:
    waiting: list[tuple[str, int, Any]] = [("_schema", 0, value)]
    while waiting:
        field, depth, part = waiting.pop()
        yield field, depth, part
        if isinstance(part, dict):
            for name, inner in part.items():
                outermost = name if depth == 0 else field
                waiting += [(outermost, depth + 1, name), (outermost, depth + 1, inner)]
        elif isinstance(part, list):
            waiting += [(field, depth + 1, inner) for inner in part]
