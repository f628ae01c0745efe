"""Spans as OpenTelemetry exports them: OTLP over HTTP, in batches, by a thread of its own.

Imported only where there is a collector. OpenTelemetry's own environment variables work too, such as headers for the
collector, a sampler or the service's name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from config.settings import Settings
from config.telemetry import installed_version
from infrastructure.tracing import SpanKind
from workflows.events.delivery import Delivery
from workflows.events.record import TRACEPARENT

Attributes = Mapping[str, str | int]

_PROPAGATOR = TraceContextTextMapPropagator()
_TRACES = "/v1/traces"


class OpenTelemetry:
    """The tracer of one process."""

    def __init__(self, settings: Settings, process: str) -> None:
        resource = Resource.create(
            {
                "service.name": os.environ.get("OTEL_SERVICE_NAME") or f"tutelage-{process}",
                "service.version": installed_version(),
                "deployment.environment.name": settings.environment,
            }
        )
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{settings.otel_endpoint}{_TRACES}")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("tutelage")

    def begin(self, name: str, kind: SpanKind, parent: str | None, attributes: Attributes) -> OpenSpan:
        """Begin a span.

        Args:
            parent: a traceparent; with None, or one that is malformed, the span begins a trace.
        """
        context = _PROPAGATOR.extract({"traceparent": parent}, Context()) if parent else Context()
        kinds = trace.SpanKind[kind.value]
        return OpenSpan(self._tracer.start_span(name, context=context, kind=kinds, attributes=attributes))

    def close(self) -> None:
        self._provider.shutdown()


class OpenSpan:
    """A span whose trace includes everything that this thread records until the span ends.

    Attributes:
        failed: the kind of failure, such as the name of an exception's type.
    """

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
        self._traceparent = carrier["traceparent"]
        self._before = TRACEPARENT.set(self._traceparent)
        self.failed: str | None = None

    def follow(self, delivery: Delivery) -> Delivery:
        """The delivery with this span as its parent, also when it runs later in a batch."""
        return replace(delivery, event=replace(delivery.event, traceparent=self._traceparent))

    def end(self, *, name: str | None = None, attributes: Attributes | None = None) -> None:
        """End it, with another name than at its beginning where one is given."""
        TRACEPARENT.reset(self._before)
        if name is not None:
            self._span.update_name(name)
        if attributes:
            self._span.set_attributes(attributes)
        if self.failed is not None:
            self._span.set_attribute("error.type", self.failed)
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()
