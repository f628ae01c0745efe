"""All metrics, as `/metrics` and docs/metrics.md have them.

A label's values are few and known beforehand: a route's rule, a code, a queue; never an id, a path or a name.

Where processes share a folder (PROMETHEUS_MULTIPROC_DIR), prometheus_client keeps the figures of each in files there,
and any process that is asked returns their sums. Gauges are only of living processes.
"""

import platform
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from config.metric_files import use_allocated_files

use_allocated_files()
REGISTRY = CollectorRegistry()

# Upper bounds in seconds: of requests, of one statement, of deliveries, which may wait for days, and of pages.
ANSWER_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STATEMENT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
DELAY_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)
PAGE_SECONDS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"tutelage_{name}", meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"tutelage_{name}", meaning, labels, registry=REGISTRY, buckets=buckets)


def _latest(name: str, meaning: str, *labels: str) -> Gauge:
    """A figure about the whole system; of several processes' figures, the latest."""
    return Gauge(f"tutelage_{name}", meaning, labels, registry=REGISTRY, multiprocess_mode="livemostrecent")


def _together(name: str, meaning: str, *labels: str) -> Gauge:
    """The sum of all processes' figures."""
    return Gauge(f"tutelage_{name}", meaning, labels, registry=REGISTRY, multiprocess_mode="livesum")


HTTP_REQUESTS = _counter("http_requests", "Requests answered.", "method", "route", "status")
HTTP_DURATION = _histogram(
    "http_request_duration_seconds", "From a whole request to its answer.", ANSWER_SECONDS, "method", "route"
)
REFUSALS = _counter("refusals", "Requests refused, by the error's code.", "code")

STREAMS_OPEN = _together("streams_open", "Open live connections.")
STREAMS_RESUMED = _counter("streams_resumed", "Live connections that were continued after Last-Event-ID.")
STREAM_LAG = _histogram(
    "stream_lag_seconds", "From the begin of a change's transaction until it is written to a client.", ANSWER_SECONDS
)

EVENTS = _counter("events", "Committed events, by type.", "type")
SESSIONS_CREATED = _counter("sessions_created", "Sessions made from accepted bookings.")
TRANSITIONS = _counter("transitions", "Steps of bookings and sessions.", "machine", "from", "to")
REFUSED_TRANSITIONS = _counter(
    "refused_transitions", "Requested steps that the state machine does not have.", "machine", "from", "to"
)

STATEMENT_DURATION = _histogram(
    "database_statement_duration_seconds", "SQL statements that succeeded.", STATEMENT_SECONDS, "process"
)
DATABASE_ERRORS = _counter(
    "database_errors", "SQL statements that failed, by their SQLSTATE's class.", "process", "sqlstate_class"
)
CONNECTIONS_IN_USE = _together("database_connections_in_use", "Connections in use.", "process")
CONNECTIONS_MOST = _together("database_connections_most", "Connections that the pools may open.", "process")
TRANSACTION_RETRIES = _counter(
    "transaction_retries", "Transactions run once more, as they had lost a race or their connection.", "work", "reason"
)

DELIVERY_DURATION = _histogram(
    "delivery_duration_seconds", "Attempts at deliveries, by outcome.", ANSWER_SECONDS, "effect", "outcome"
)
DELIVERY_DELAY = _histogram(
    "delivery_delay_seconds", "From when a delivery was due to when it was done.", DELAY_SECONDS, "effect"
)
DELIVERIES_DUE = _latest("deliveries_due", "Deliveries that are due and not done, counted up to 100,000.", "queue")
OLDEST_DUE_AGE = _latest("deliveries_oldest_due_age_seconds", "How long the oldest of them has been due.", "queue")
OLDEST_UNDELIVERED_AGE = _latest(
    "deliveries_oldest_undelivered_age_seconds",
    "How long the oldest mail, push, notice or webhook that has not left has existed, however often it was postponed.",
    "queue",
)
DELIVERIES_DEAD = _latest("deliveries_dead", "Dead letters, counted up to 10,000 of an effect.", "queue", "effect")
QUEUE_LENGTH = _latest("queue_length", "Wake-ups (nudges) that wait in a queue of the broker.", "queue")

LOG_LINES_LOST = _counter("log_lines_lost", "Log lines that could not be written.")
NUDGES = _counter("nudges", "Wake-ups for the workers: published, or dropped for the sweep to repeat.", "outcome")
SWEEP_RUNS = _counter("sweep_runs", "Rounds of the sweep.", "outcome")
SWEEP_NUDGED = _counter("sweep_nudged", "Deliveries for which the sweep published a wake-up.", "queue")
MAINTAIN_CHORES = _counter("maintain_chores", "Chores of maintain.", "chore", "outcome")
INVARIANT_VIOLATIONS = _latest("invariant_violations", "Violations found, by invariant.", "invariant")

AUDIT_UNCHAINED_AGE = _latest(
    "audit_unchained_age_seconds", "How long the oldest entry of the audit has waited to be chained."
)
AUDIT_PROBLEMS = _counter("audit_problems", "Entries and blocks of the audit that were found to be tampered with.")

COMPONENT_VISITS = _counter(
    "component_visits", "Visits of pages with the booking component that reported how they went.", "variant"
)
COMPONENT_LOAD = _histogram(
    "component_load_seconds",
    "From when the component is in a page until it is shown with its data.",
    PAGE_SECONDS,
    "variant",
)
COMPONENT_FIRST_SLOT = _histogram(
    "component_first_slot_seconds",
    "From when the component is in a page until a free time is shown.",
    PAGE_SECONDS,
    "variant",
)
COMPONENT_STREAM_SECONDS = _counter(
    "component_stream_seconds", "For how long pages had a live connection, and were without it.", "state"
)
COMPONENT_RECONNECTIONS = _counter("component_reconnections", "Live connections that pages had to open again.")
COMPONENT_ERRORS = _counter("component_errors", "Errors that people saw in the component.", "variant", "kind")

BUILD_INFO = Gauge(
    "tutelage_build_info",
    "Always 1; the labels name what runs, by the names of the process list.",
    ("version", "python", "process"),
    registry=REGISTRY,
    multiprocess_mode="livemax",
)


def installed_version() -> str:
    """The version of Tutelage; 0.0.0 in a checkout that was not installed."""
    try:
        return version("tutelage")
    except PackageNotFoundError:
        return "0.0.0"


def set_build_info(process: str) -> None:
    """Set which version this process runs, after the fork. `process`: its name in the process list."""
    BUILD_INFO.labels(installed_version(), platform.python_version(), process).set(1)
