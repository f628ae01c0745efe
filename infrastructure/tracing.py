"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector: requests, deliveries and messages.

The context of a span is recorded with the events within it (workflows/events/record.py), so that the effects of a
request belong to the request's trace, in any process and at any later time. Spans hold only ids and names from our
code: no path, no header, no text of an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from enum import Enum
from importlib import import_module
from typing import Protocol

from config.settings import Settings
from workflows.events.delivery import Delivery
from workflows.events.record import TRACEPARENT

Attributes = Mapping[str, str | int]


class SpanKind(Enum):
    """Kind of a span, by OpenTelemetry's names."""

    REQUEST = "SERVER"
    DELIVERY = "CONSUMER"
    MESSAGE = "CLIENT"


class Span(Protocol):
    """A piece of work that has begun."""

    @property
    def traceparent(self) -> str:
        """Its context, as the header of that name has it (W3C Trace Context)."""

    def end(self, *, name: str | None = None, failed: str | None = None, attributes: Attributes | None = None) -> None:
        """End it.

        Args:
            name: replaces the name from the beginning.
            failed: the kind of failure, such as the name of an exception's type.
        """


class Tracer(Protocol):
    """Begins spans, and exports them when they have ended."""

    def begin(self, name: str, kind: SpanKind, parent: str | None, attributes: Attributes) -> Span:
        """Begin a span.

        Args:
            parent: a traceparent; with None, or one that is malformed, the span begins a trace.
        """

    def close(self) -> None:
        """Export what is left."""


class OpenSpan:
    """A span whose trace includes everything that this thread records until the span ends."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._traceparent = span.traceparent
        self._before = TRACEPARENT.set(self._traceparent)
        self.failed: str | None = None

    def follow(self, delivery: Delivery) -> Delivery:
        """The delivery with this span as its parent, also when it runs later in a batch."""
        return replace(delivery, event=replace(delivery.event, traceparent=self._traceparent))

    def end(self, *, name: str | None = None, attributes: Attributes | None = None) -> None:
        """End it, as failed if `failed` is set."""
        TRACEPARENT.reset(self._before)
        self._span.end(name=name, failed=self.failed, attributes=attributes)


_tracers: list[Tracer] = []
_NO_SPAN: AbstractContextManager[OpenSpan | None] = nullcontext()


def start_tracing(settings: Settings, process: str) -> None:
    """Begin to trace if there is a collector; a process that forks calls it after the fork."""
    if settings.otel_endpoint and not _tracers:
        # An optional extra, not installed where nothing is traced.
        _tracers.append(import_module("infrastructure.open_telemetry").OpenTelemetry(settings, process))


def stop_tracing() -> None:
    """Export what is left; called before the process ends."""
    while _tracers:
        _tracers.pop().close()


def request_span(method: str, traceparent: str | None) -> OpenSpan | None:
    """A span for a request, in the trace of its caller if it has one; None while nothing is traced."""
    if not _tracers:
        return None
    return OpenSpan(_tracers[0].begin(method, SpanKind.REQUEST, traceparent, {"http.request.method": method}))


def delivery_span(delivery: Delivery, kind: SpanKind) -> AbstractContextManager[OpenSpan | None]:
    """A span for an attempt at a delivery, in the trace of its event; gives None while nothing is traced."""
    return _delivery_span(_tracers[0], delivery, kind) if _tracers else _NO_SPAN


@contextmanager
def _delivery_span(tracer: Tracer, delivery: Delivery, kind: SpanKind) -> Iterator[OpenSpan]:
    event = delivery.event
    attributes: dict[str, str | int] = {
        "tutelage.effect": delivery.key.effect,
        "tutelage.event.type": event.type,
        "tutelage.event.id": str(event.id),
        "tutelage.delivery.id": str(delivery.id),
        "tutelage.delivery.attempt": delivery.attempt,
    }
    span = OpenSpan(tracer.begin(delivery.key.effect, kind, event.traceparent, attributes))
    try:
        yield span
    except BaseException as error:
        span.failed = type(error).__name__
        raise
    finally:
        span.end()
