"""JSON as RFC 8259 has it, and what it leaves open decided: no name twice, no number that nobody could count with."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from workflows.errors import Invalid

# PostgreSQL writes numbers out in full: 1e308 would become 309 digits in every answer.
_LARGEST_EXPONENT = 20
_LONGEST_INTEGER = 100  # characters
# Digits of a number, before its exponent, of which one counts.
_SOMETHING = re.compile(r"-?[0.]*[1-9]")
_SHOWN = 30  # characters of what is to blame


def strict_json(raw: bytes) -> Any:
    """The value that a JSON text stands for.

    Raises:
        Invalid: no JSON in UTF-8, nested too deeply, with a name twice in an object, or with numbers that are none
            (NaN, Infinity) or beyond what anybody counts, whatever their sign: with a point or an exponent, 1e21 and
            more, and what is not 0 but less than 1e-20; without, more than 100 characters. It says which of these.
    """
    try:
        text = raw.decode("utf-8")
        return json.loads(
            text, parse_constant=_no_number, parse_float=_float, parse_int=_integer, object_pairs_hook=_each_once
        )
    except UnicodeDecodeError as error:
        raise Invalid("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise Invalid(f"The body is not valid JSON: see line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise Invalid("The body is nested too deeply.") from error


def _no_number(name: str) -> NoReturn:
    raise Invalid(f"The body has {name}, which is no JSON number.")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _out_of_range(text)
    if number and not -_LARGEST_EXPONENT <= math.floor(math.log10(abs(number))) <= _LARGEST_EXPONENT:
        raise _out_of_range(text)
    if not number and _SOMETHING.match(text):
        # Less than the least float: read as 0, it would be another number than was sent.
        raise _out_of_range(text)
    return number


def _integer(text: str) -> int:
    # Answers hold them as long as they were sent; but thousands of digits take a reader time without end.
    if len(text) > _LONGEST_INTEGER:
        raise _out_of_range(text)
    return int(text)


def _out_of_range(text: str) -> Invalid:
    return Invalid(f"The body has a number that is out of range: {_cut(text)}.")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
