"""Strict reading of bodies and queries: JSON without ambiguities (RFC 8259), text that PostgreSQL can hold."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import marshmallow as ma
from flask import Request, g, request
from webargs import core
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from api.authentication.authenticator import QUERY_KEY
from api.routes.declaration import declaration_of_endpoint
from workflows.kernel.errors import Invalid

Value = TypeVar("Value")

MAX_JSON_DEPTH = 32
_UTF_8 = ("utf-8", "utf8")
_NO_TEXT = "Must not hold NUL characters or lone surrogates."

# PostgreSQL writes numbers out in full: 1e308 would become 309 digits in every answer.
_MAX_EXPONENT = 20
_MAX_INTEGER_CHARACTERS = 100
# Digits of a number, before its exponent, of which one counts.
_SOMETHING = re.compile(r"-?[0.]*[1-9]")
_MAX_QUOTED_CHARACTERS = 30


class StrictParser(FlaskParser):
    """Reads bodies and queries for schemas, and refuses in the one shape."""

    DEFAULT_VALIDATION_STATUS = 400
    # A misspelt filter that is silently ignored would answer another question than the one asked.
    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}  # noqa: RUF012

    def parse(self, *args: Any, **options: Any) -> Any:
        """A part of the request, as its schema reads it; the reason in a body is kept for the audit."""
        read = super().parse(*args, **options)
        if isinstance(read, dict) and options.get("location") == "json":
            g.reason = read.get("reason")
        return read

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002
        """The body as JSON; an absent one is an empty object, so that the schema reports what is missing."""
        raw = body_of(req)
        if not raw:
            return core.missing
        if not core.is_json(req.mimetype) or req.mimetype_params.get("charset", "utf-8").lower() not in _UTF_8:
            raise UnsupportedMediaType("Send the body as Content-Type: application/json, in UTF-8.")
        if req.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
        return require_storable(strict_json(raw))

    def load_querystring(self, req: Request, schema: ma.Schema) -> MultiDictProxy:
        """The query without its credential; a parameter given twice is refused as ambiguous."""
        given = req.args
        if g.get("query_keys"):
            given = MultiDict((name, value) for name, value in given.items(multi=True) if name != QUERY_KEY)
        for name, values in given.lists():
            if len(values) > 1:
                raise ma.ValidationError({name: ["Must be given once."]})
        require_storable(given.to_dict())
        return self._makeproxy(given, schema)

    def handle_error(self, error: ma.ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse with the reasons by field, in the names that the client wrote."""
        raise Invalid("The request does not fit; see details.", details=reasons(error.messages)) from error


def limit_body() -> None:
    if request.method not in ("GET", "HEAD"):
        request.max_content_length = declaration_of_endpoint(request.endpoint).body_limit_bytes


def body_of(request: Request) -> bytes:
    """The whole body. Raises RequestEntityTooLarge: it is larger than the application takes."""
    raw = request.get_data(cache=True)
    # A body that does not say its length is cut off at the limit by Werkzeug, without a word.
    if request.content_length is None and len(raw) >= (request.max_content_length or len(raw) + 1):
        raise RequestEntityTooLarge
    return raw


def require_storable(value: Value) -> Value:
    """The value again, once all its text can be stored and its depth can be walked.

    Raises:
        ValidationError: naming the outermost field to blame.
    """
    for field, depth, part in _parts(value):
        if depth > MAX_JSON_DEPTH:
            raise ma.ValidationError({field: [f"Must not be nested more than {MAX_JSON_DEPTH} deep."]})
        if isinstance(part, str) and not storable(part):
            raise ma.ValidationError({field if storable(field) else "_schema": [_NO_TEXT]})
    return value


def storable(text: str) -> bool:
    """Whether PostgreSQL can hold this text: it has no NUL, and every surrogate its partner."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def reasons(messages: object) -> dict[str, list[str]]:
    """Marshmallow's nested messages, flat: `price.amount` → reasons."""
    location_free = next(iter(messages.values())) if isinstance(messages, dict) and len(messages) == 1 else messages
    found: dict[str, list[str]] = {}
    for path, reason in _flat(location_free, ()):
        found.setdefault(path, []).append(reason)
    return found


def _flat(messages: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _flat(inner, (*path, str(name)))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _flat(inner, path)
    else:
        yield ".".join(path) or "_schema", str(messages)


def _parts(value: object) -> Iterator[tuple[str, int, object]]:
    waiting: list[tuple[str, int, object]] = [("_schema", 0, value)]
    while waiting:
        field, depth, part = waiting.pop()
        yield field, depth, part
        if isinstance(part, dict):
            for name, inner in part.items():
                outermost = name if depth == 0 else field
                waiting += [(outermost, depth + 1, name), (outermost, depth + 1, inner)]
        elif isinstance(part, list):
            waiting += [(field, depth + 1, inner) for inner in part]


def strict_json(raw: bytes) -> Any:
    """The value that a JSON text stands for.

    Raises:
        Invalid: no JSON in UTF-8, nested too deeply, with a name twice in an object, or with numbers that are none
            (NaN, Infinity) or out of range, whatever their sign: with a point or an exponent, 1e21 and
            more, and what is not 0 but less than 1e-20; without, more than 100 characters. The message names which.
    """
    try:
        text = raw.decode("utf-8")
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_float,
            parse_int=_integer,
            object_pairs_hook=_unique_names,
        )
    except UnicodeDecodeError as error:
        raise Invalid("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise Invalid(f"The body is not valid JSON: see line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise Invalid("The body is nested too deeply.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise Invalid(f"The body has {name}, which is no JSON number.")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _out_of_range(text)
    if number and not -_MAX_EXPONENT <= math.floor(math.log10(abs(number))) <= _MAX_EXPONENT:
        raise _out_of_range(text)
    if not number and _SOMETHING.match(text):
        # Less than the least float: read as 0, it would be another number than was sent.
        raise _out_of_range(text)
    return number


def _integer(text: str) -> int:
    # Answers hold them as long as they were sent; but thousands of digits take a reader time without end.
    if len(text) > _MAX_INTEGER_CHARACTERS:
        raise _out_of_range(text)
    return int(text)


def _out_of_range(text: str) -> Invalid:
    return Invalid(f"The body has a number that is out of range: {_cut(text)}.")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Readers differ about which of the two counts: a proxy may have judged the other one.
        raise Invalid(f"The body has the name {_twice([name for name, _value in pairs])} twice in one object.")
    return found


def _twice(names: list[str]) -> str:
    doubled = Counter(names).most_common(1)[0][0]
    # As JSON writes it: on one line, and in characters that every answer can hold.
    return f'"{_cut(json.dumps(doubled)[1:-1])}"'


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_QUOTED_CHARACTERS else f"{text[:_MAX_QUOTED_CHARACTERS]}…"
