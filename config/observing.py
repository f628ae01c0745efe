"""Reports of a process from its start on: log lines, and errors to Sentry where SENTRY_DSN is set."""

import os
import sys
import threading
from importlib import import_module
from types import TracebackType
from typing import Protocol

import structlog
from structlog.typing import EventDict, WrappedLogger

from config.logging import configure_logging
from config.settings import Settings, misspelt_settings

log = structlog.get_logger(__name__)


class Reporter(Protocol):
    """Gets each log line before it is written, with its exception."""

    def __call__(self, logger: WrappedLogger, method: str, line: EventDict, /) -> EventDict: ...

    def close(self) -> None:
        """Send what is left."""


_reporters: list[Reporter] = []


def observe(settings: Settings, process: str) -> None:
    """Begin to log and to report errors; a process that forks calls it after the fork.

    Args:
        process: its name in the process list, e.g. "worker-reviews".
    """
    if settings.sentry_dsn and not _reporters:
        # Its library takes 15 MB and a quarter of a second, only where Sentry is used.
        _reporters.append(import_module("config.error_reports").ErrorReporter(settings, process))
    configure_logging(level=settings.log_level, process=process, seen_by=_reporters)
    sys.excepthook = _log_uncaught
    for name, meant in misspelt_settings(os.environ).items():
        log.warning("setting.unknown", setting=name, did_you_mean=meant)
    threading.excepthook = lambda failed: _log_uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)


def stop_observing() -> None:
    while _reporters:
        _reporters.pop().close()


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    log.critical("process.failed", exc_info=(kind, error, trace))
