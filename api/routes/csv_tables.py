"""Streamed CSV (RFC 4180), with text escaped that a spreadsheet would take for a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from io import StringIO
from typing import Any

from flask import Request, Response

from api.schemas.base import camel
from workflows.kernel.clock import rfc3339

JSON, CSV = "application/json", "text/csv"
# Where a cell begins that a spreadsheet would take for a formula, in full-width forms too: at the start of a value, and
# behind what another spreadsheet than ours takes for the end of a cell, wherever in the value that stands.
_FORMULA = re.compile(r"(?:\A|(?<=[;|\t\r\n]))(?=\s*[=+\-@＝＋－＠])|\A(?=[\t\r\n])")
_CHUNK = 16 * 1024  # characters


def wants_csv(request: Request) -> bool:
    return request.accept_mimetypes.best_match([JSON, CSV], default=JSON) == CSV


def csv_answer(name: str, columns: tuple[str, ...], lines: Iterable[Mapping[str, Any]]) -> Response:
    """A streamed CSV response.

    Args:
        name: the file's, without its ending.
        columns: the lines' keys, in their order; clients see them in camelCase.
    """
    response = Response(_chunks(columns, lines), content_type=f"{CSV}; charset=utf-8; header=present")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.headers["Vary"] = "Accept"
    return response


def _chunks(columns: tuple[str, ...], lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    buffer = StringIO()
    writer = csv.writer(buffer)
    writer.writerow([camel(name) for name in columns])
    for line in lines:
        writer.writerow([cell(line[name]) for name in columns])
        if buffer.tell() >= _CHUNK:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def cell(value: object) -> object:
    """A value as a cell; None is an empty one."""
    match value:
        case Enum():
            return value.value
        case str():
            # An apostrophe in front is how people write text that looks like a formula.
            return _FORMULA.sub("'", value)
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
        case _:
            return value
