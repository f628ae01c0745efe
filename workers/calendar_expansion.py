"""Expands a calendar in a process of its own, whose processor time and memory are bounded: a few lines of a feed can
keep a process busy for hours.

`python -m workers.calendar_expansion` is that process: it reads a line of JSON and the calendar, and writes a line.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from workflows.availability.intervals import CalendarRefused, Interval, Occurrences

MAX_PROCESSOR_SECONDS = 8
# Longer than the processor time, for a busy machine. With the time of a fetch it stays within a lease.
MAX_SECONDS = 14.0
MAX_MEMORY_BYTES = 1024 * 1024 * 1024
NICENESS = 10
TOO_MUCH = "The calendar takes too long to read."
MALFORMED = "The answer is not a well-formed iCalendar file."


def expand_apart(
    content: bytes,
    start: datetime,
    end: datetime,
    time_zone: str,
    email: str = "",
    *,
    seconds: float = MAX_SECONDS,
    processor_seconds: int = MAX_PROCESSOR_SECONDS,
) -> Occurrences:
    """The result of `expand`, within bounds of time and memory.

    Raises:
        CalendarRefused: as `expand` does, and for a calendar that takes too long or too much memory.
    """
    head = {
        "processor_seconds": processor_seconds,
        "start": start.timestamp(),
        "end": end.timestamp(),
        "time_zone": time_zone,
        "email": email,
    }
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "workers.calendar_expansion"],
            input=json.dumps(head).encode() + b"\n" + content,
            # The content may be hostile: its process does not get the secrets in the worker's environment.
            env={},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CalendarRefused(TOO_MUCH) from error
    # A signal: of the system, or of a limit.
    if ran.returncode < 0:
        raise CalendarRefused(TOO_MUCH)
    found = json.loads(ran.stdout)
    if "refused" in found:
        raise CalendarRefused(found["refused"])
    return Occurrences(_read(found["busy"]), {UUID(uid): _read(times) for uid, times in found["named"].items()})


def main() -> None:
    """Expand the calendar in the standard input."""
    head = json.loads(sys.stdin.buffer.readline())
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (head["processor_seconds"],) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES,) * 2)
    start, end = (datetime.fromtimestamp(head[name], UTC) for name in ("start", "end"))
    print(json.dumps(_expanded(sys.stdin.buffer.read(), start, end, head["time_zone"], head["email"])))


def _expanded(content: bytes, start: datetime, end: datetime, time_zone: str, email: str) -> dict[str, object]:
    # Its libraries take some 10 MB, in this process alone.
    from workflows.availability.expansion import expand  # noqa: PLC0415

    try:
        found = expand(content, start, end, time_zone, email)
    except CalendarRefused as refused:
        return {"refused": str(refused)}
    except (MemoryError, RecursionError):
        return {"refused": TOO_MUCH}
    except Exception as error:  # noqa: BLE001 - whatever the libraries raise is due to the content
        print(type(error).__name__, file=sys.stderr)
        return {"refused": MALFORMED}
    return {"busy": _written(found.busy), "named": {str(uid): _written(times) for uid, times in found.named.items()}}


def _written(times: Sequence[Interval]) -> list[list[float]]:
    return [[start.timestamp(), end.timestamp()] for start, end in times]


def _read(times: Sequence[Sequence[float]]) -> list[Interval]:
    return [(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)) for start, end in times]


if __name__ == "__main__":
    main()
