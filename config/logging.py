"""Log lines as JSON, with the request id and the actor, and without secrets and mail addresses.

Logging never raises: a line that cannot be written is counted, and lost.
"""

import json
import logging
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, WrappedLogger

from config.output import count_lost_line, outlive_full_disk

SECRET_NAMES = re.compile(r"token|secret|password|authorization|signature|email|cookie", re.IGNORECASE)
# The limit of RFC 5321 for a name: without it, searching a long text that holds no address takes seconds.
MAIL_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(\.[\w-]{1,63})+")
# A bearer token, a JWT, a webhook secret, a calendar feed's address, wherever an error's text quotes one.
SECRET_IN_TEXT = re.compile(
    r"(?<=bearer )\S+|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bwhsec_[\w+/=-]+|(?<=/calendar/)[^/\s]+(?=\.ics)", re.IGNORECASE
)
# PostgreSQL quotes the row that violates a constraint, with people's texts.
ROW_IN_DETAIL = re.compile(r"DETAIL:  .*")
CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")
# Each of these texts contains one of these words: most values contain none, and are searched once.
_SUSPICIOUS = re.compile(r"@|bearer |eyJ|whsec_|/calendar/|DETAIL:", re.IGNORECASE)
_PLAIN = frozenset({bool, int, float, type(None), UUID})
_ENCODER = json.JSONEncoder(default=str)


class LineLogger(structlog.WriteLogger):
    """Writes finished lines to standard error, under its module's name."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


class LastingHandler(logging.StreamHandler[TextIO]):
    """Writes the libraries' lines; one with a defect is counted, and lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - the standard library's
        """Count what was lost."""
        count_lost_line()


def _lasting(level: str) -> type[structlog.typing.FilteringBoundLogger]:
    """The class of our loggers at a level: none of their methods raises, even if a line is lost."""

    # Composed by structlog for each level, without a type of its own.
    class LastingLogger(structlog.make_filtering_bound_logger(level)):  # type: ignore[misc]
        def _proxy_to_logger(self, method_name: str, event: str | None = None, *args: Any, **line: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, *args, **line)
            except Exception:  # noqa: BLE001 - a defect in a line ends nothing
                count_lost_line()

    return LastingLogger


def configure_logging(*, level: str, process: str, seen_by: Sequence[structlog.typing.Processor] = ()) -> None:
    """Send every log line of this process, our own and the libraries', to standard error as JSON.

    Args:
        level: a name of the standard library's levels, e.g. "INFO".
        process: its name in the process list, e.g. "worker-reviews".
        seen_by: processors that see each line while it still holds its exception.
    """
    outlive_full_disk()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *seen_by,
        structlog.processors.format_exc_info,
        _named(process),
        redact,
    ]
    as_json = structlog.processors.JSONRenderer(lambda line, **_options: _ENCODER.encode(line))
    # Our loggers do not use the standard library: its record, caller and second rendering cost more than the line.
    structlog.configure(
        processors=[*shared, as_json],
        wrapper_class=_lasting(level),
        logger_factory=LineLogger,
        cache_logger_on_first_use=True,
    )
    handler = LastingHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_json]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def redact(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Blank what must not be in a log: values under secret names; addresses, credentials and rows in any text."""
    # Without a call for each value: most values need no redaction.
    return {
        name: value
        if (type(value) in _PLAIN or (type(value) is str and not _SUSPICIOUS.search(value))) and not _is_secret(name)
        else _blank(name, value)
        for name, value in line.items()
    }


def _blank(name: str, value: object) -> object:
    if _is_secret(name):
        return "[redacted]"
    if isinstance(value, BaseException | bytes):
        return _blank(name, str(value))
    if isinstance(value, str):
        if not _SUSPICIOUS.search(value):
            return value
        bare = ROW_IN_DETAIL.sub("DETAIL:  [row]", CREDENTIALS_IN_URL.sub("[credentials]", value))
        return MAIL_ADDRESS.sub("[mail address]", SECRET_IN_TEXT.sub("[secret]", bare))
    if isinstance(value, dict):
        return {inner: _blank(str(inner), held) for inner, held in value.items()}
    if isinstance(value, list | tuple):
        return [_blank("", held) for held in value]
    return value


@lru_cache
def _is_secret(name: str) -> bool:
    return SECRET_NAMES.search(name) is not None


def _named(process: str) -> structlog.typing.Processor:
    def add_process(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        return {**line, "process": process}

    return add_process
