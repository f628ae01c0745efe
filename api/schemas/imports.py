"""Imports: the query, the answer, and how the lines of an upload are distinguished."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from marshmallow import ValidationError, fields

from api.http.bodies import MAX_JSON_DEPTH, require_storable, strict_json
from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.fields import Id, Moment, QueryFlag
from models.imports import MAX_ERRORS
from workflows.imports.lines import TYPES
from workflows.imports.uploads import ImportStatus, Refusal, Upload, refusal_of
from workflows.kernel.errors import Conflict, DomainError, Invalid

MAX_LINE_BYTES = 256 * 1024
# A file of blank lines alone would have 67 million.
MAX_LINES = 1_000_000
PULSE_LINES = 2_000


class ImportQuery(RequestSchema):
    """How an upload is carried out."""

    dry_run = QueryFlag(load_default=False, metadata={"description": "Only count, and write nothing."})
    notify = QueryFlag(
        load_default=False, metadata={"description": "Whether mails, pushes and webhooks follow from what lies ahead."}
    )


class RefusedLine(ResponseSchema):
    """A line that was refused."""

    line = fields.Integer(metadata={"description": "From 1.", "example": 17})
    code = fields.String(metadata={"example": "slot_taken"})
    message = fields.String(metadata={"example": "The mentor is already booked at this time; choose another time."})


class Import(ResponseSchema):
    """An import and what came of its lines by now. It is deleted a week after it began."""

    id = Id()
    status = fields.Enum(ImportStatus, by_value=True)
    dry_run = fields.Boolean()
    notify = fields.Boolean()
    lines = fields.Integer(metadata={"example": 6200})
    created = fields.Integer(metadata={"example": 6180})
    updated = fields.Integer(metadata={"example": 0})
    unchanged = fields.Integer(metadata={"example": 0})
    refused = fields.Integer(metadata={"example": 1})
    errors = fields.List(fields.Nested(RefusedLine), metadata={"description": "The first 1,000 refused lines."})
    created_at = Moment()
    finished_at = Moment(allow_none=True)


def read_upload(raw: bytes, pulse: Callable[[], object] = lambda: None) -> Upload:
    """The lines of a file (NDJSON in UTF-8); what is no line of a known type is refused with the reason.

    Args:
        pulse: called now and then: a transaction that is idle for long is ended.

    Raises:
        Invalid: the file has more than MAX_LINES.
    """
    if raw.count(b"\n") > MAX_LINES:
        raise Invalid(f"The file has more than {MAX_LINES:,} lines; split it.")
    by_type: dict[str, list[tuple[int, str]]] = defaultdict(list)
    refusals, repeated, refused = list[Refusal](), 0, 0
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for number, line in _numbered(raw):
        if number % PULSE_LINES == 0:
            pulse()
        try:
            given = _line(line)
            name = given.get("externalId")
            if isinstance(name, str):
                # A digest instead of the line: a file may have very many.
                digest = hash(line.strip())
                earlier = first.setdefault((given["type"], name), (number, digest))
                if earlier == (earlier[0], digest) and earlier[0] != number:
                    repeated += 1
                    continue
                if earlier[0] != number:
                    raise Conflict(code="external_id_taken", details={"line": [f"Line {earlier[0]} has it, too."]})
        except DomainError as refusal:
            refused += 1
            if refused <= MAX_ERRORS:
                refusals.append(refusal_of(number, refusal))
        else:
            by_type[given["type"]].append((number, line.decode()))
    return Upload(by_type=by_type, repeated=repeated, refused=refused, refusals=refusals)


def _numbered(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, from 1; the end of the file ends its last line."""
    begin = number = 0
    while begin < len(raw):
        end = raw.find(b"\n", begin)
        end = len(raw) if end < 0 else end
        number += 1
        yield number, raw[begin:end]
        begin = end + 1


def _line(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise Invalid(f"The line is longer than {MAX_LINE_BYTES // 1024} kB.", code="too_large")
    if not line.strip():
        raise Invalid("The line is blank.")
    try:
        given = strict_json(line)
        # Most lines have nothing that could be nested too deeply, or be no text, and are not walked.
        if b"\\u" in line or line.count(b"[") + line.count(b"{") > MAX_JSON_DEPTH:
            require_storable(given)
    except ValidationError:
        raise Invalid("The line has a text that cannot be stored, or is nested too deeply.") from None
    except Invalid as refused:
        raise Invalid(refused.message.replace("The body", "The line").replace(": see line 1, ", ": see ")) from None
    if not isinstance(given, dict):
        raise Invalid("The line is no JSON object.")
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise Invalid(f"type: Must be one of {', '.join(TYPES)}.")
    return given
