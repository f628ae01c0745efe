"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector: requests, deliveries and messages.

The context of a span is recorded with the events within it (workflows/events/record.py), so that the effects of a
request belong to the request's trace, in any process and at any later time. Spans hold only ids and names from our
code: no path, no header, no text of an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING

from config.settings import Settings
from workflows.events.delivery import Delivery

if TYPE_CHECKING:
    # An optional extra, not installed where nothing is traced.
    from infrastructure.open_telemetry import OpenSpan, OpenTelemetry


class SpanKind(Enum):
    """Kind of a span, by OpenTelemetry's names."""

    REQUEST = "SERVER"
    DELIVERY = "CONSUMER"
    MESSAGE = "CLIENT"


_tracers: list[OpenTelemetry] = []
_NO_SPAN: AbstractContextManager[OpenSpan | None] = nullcontext()


def start_tracing(settings: Settings, process: str) -> None:
    """Begin to trace if there is a collector; a process that forks calls it after the fork."""
    if settings.otel_endpoint and not _tracers:
        _tracers.append(import_module("infrastructure.open_telemetry").OpenTelemetry(settings, process))


def stop_tracing() -> None:
    """Export what is left; called before the process ends."""
    while _tracers:
        _tracers.pop().close()


def request_span(method: str, traceparent: str | None) -> OpenSpan | None:
    """A span for a request, in the trace of its caller if it has one; None while nothing is traced."""
    if not _tracers:
        return None
    return _tracers[0].begin(method, SpanKind.REQUEST, traceparent, {"http.request.method": method})


def delivery_span(delivery: Delivery, kind: SpanKind) -> AbstractContextManager[OpenSpan | None]:
    """A span for an attempt at a delivery, in the trace of its event; gives None while nothing is traced."""
    return _delivery_span(_tracers[0], delivery, kind) if _tracers else _NO_SPAN


@contextmanager
def _delivery_span(tracer: OpenTelemetry, delivery: Delivery, kind: SpanKind) -> Iterator[OpenSpan]:
    event = delivery.event
    attributes: dict[str, str | int] = {
        "tutelage.effect": delivery.key.effect,
        "tutelage.event.type": event.type,
        "tutelage.event.id": str(event.id),
        "tutelage.delivery.id": str(delivery.id),
        "tutelage.delivery.attempt": delivery.attempt,
    }
    span = tracer.begin(delivery.key.effect, kind, event.traceparent, attributes)
    try:
        yield span
    except BaseException as error:
        span.failed = type(error).__name__
        raise
    finally:
        span.end()
