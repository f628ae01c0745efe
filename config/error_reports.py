"""Error reports to Sentry: each error that is logged with a traceback, without anything personal.

A report has the types of the exceptions and the places in the code where they were raised, with the ids of the
request, the caller and the delivery. It has no texts of exceptions, which quote people's texts: the log has them,
under the same request id.

Imported only where SENTRY_DSN is set.
"""

import atexit
import sys
from typing import cast

from sentry_sdk import Client
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import event_from_exception
from structlog.typing import EventDict, WrappedLogger

from config.settings import Settings
from config.telemetry import installed_version

LEVELS = ("error", "critical", "exception")
FLUSH_SECONDS = 2.0
# Fields of a log line: only ids, names from our code, and numbers.
TAGS = (
    *("request_id", "route", "method", "effect", "event_type", "event_id", "delivery_id", "endpoint_id", "attempt"),
    *("chore", "sqlstate"),
)
# Fields of a report; the library's other fields are left out.
KEPT = frozenset(
    (
        *("event_id", "timestamp", "platform", "level", "release", "environment", "server_name", "sdk"),
        *("exception", "tags", "user", "transaction", "logger"),
    )
)
OPERATOR = "operator"


class ErrorReporter:
    """A processor of log lines that reports errors."""

    def __init__(self, settings: Settings, process: str) -> None:
        self._process = process
        # Only a client: the library's `init` would hook into everything that the process does.
        self._client = Client(
            dsn=settings.sentry_dsn,
            release=settings.sentry_release or f"tutelage@{installed_version()}",
            environment=settings.sentry_environment or settings.environment,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            send_client_reports=False,
            auto_session_tracking=False,
            before_send=_only_known,
        )
        atexit.register(self.close)

    def __call__(self, _logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        """The line as it is; reported if it tells of an error."""
        if method in LEVELS and line.get("exc_info"):
            error = _exception_of(line["exc_info"])
            if error is not None:
                self._client.capture_event(self._report(error, method, line))
        return line

    def close(self) -> None:
        """Send what is left, for two seconds at most."""
        self._client.close(timeout=FLUSH_SECONDS)

    def _report(self, error: BaseException, method: str, line: EventDict) -> Event:
        event: Event = event_from_exception(error, client_options=self._client.options)[0]
        for each in event["exception"]["values"]:
            each["value"] = ""
            for frame in each.get("stacktrace", {}).get("frames", ()):
                frame.pop("vars", None)
        state = getattr(getattr(error, "orig", error), "sqlstate", None)
        known = {**line, "sqlstate": state}
        tags = {name: str(known[name]) for name in TAGS if known.get(name) is not None}
        # The message of a library may quote anything; ours are names.
        if "_record" not in line:
            tags["event"] = str(line["event"])
        event["level"] = "fatal" if method == "critical" else "error"
        event["logger"] = str(line.get("logger", ""))
        event["tags"] = {"process": self._process, **tags}
        event["transaction"] = tags.get("route") or tags.get("effect") or self._process
        if actor := line.get("actor"):
            # An operator's id is of the identity provider's making, and may be a name or a mail address.
            event["user"] = {"id": OPERATOR if str(actor).startswith(OPERATOR) else str(actor)}
        return event


def _only_known(event: Event, _hint: Hint) -> Event:
    found = {name: value for name, value in event.items() if name in KEPT}
    return cast(Event, found)


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        error: BaseException | None = exc_info[1]
        return error
    return sys.exc_info()[1]
