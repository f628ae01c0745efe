"""Traces, exported to a real collector's protocol: one from a request over a delivery to a webhook."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy import Engine, select

from config.sealing import Sealer
from infrastructure.tracing import start_tracing, stop_tracing
from models.events import events
from tests import factories
from tests.application import SECRET, World, as_mentor, settings_for
from tests.integration.endpoints import listening
from tests.integration.harness import Harness, routes
from tests.integration.test_webhook_transport import LOOPBACK
from tests.queries import scalars
from tests.receivers import HttpReceiver, http_receiver
from workers.runner import DeliveryRunner
from workers.transports.webhooks import WebhookTransport
from workflows.events.record import TRACEPARENT
from workflows.events.subscriptions import load

CALLERS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLERS_SPAN = "00f067aa0ba902b7"
CALLER = f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"
SERVER, CLIENT, CONSUMER = 2, 3, 5  # kinds of spans in OTLP
ERROR = 2


@dataclass(frozen=True)
class Exported:
    """A span as the collector got it."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    status: int
    attributes: dict[str, Any]


class Collector:
    """A collector of traces, by OTLP over HTTP."""

    def __init__(self, receiver: HttpReceiver) -> None:
        self._receiver = receiver

    def spans(self) -> list[Exported]:
        """Everything that was exported, once tracing has stopped."""
        stop_tracing()
        return [span for request in self._receiver.requests for span in self._of(request.path, request.body)]

    def text(self) -> str:
        return "".join(request.body.decode("latin-1") for request in self._receiver.requests)

    def _of(self, path: str, body: bytes) -> Iterator[Exported]:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert (named["service.name"], named["deployment.environment.name"]) == ("tutelage-test", "development")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    yield Exported(span.name, span.kind, *ids, span.status.code, attributes)


@pytest.fixture
def collector(engine: Engine) -> Iterator[Collector]:
    """A collector, to which this process exports."""
    with http_receiver() as receiver:
        receiver.status = 200
        address = engine.url.render_as_string(hide_password=False)
        start_tracing(settings_for(address, otel_endpoint=receiver.url), "test")
        yield Collector(receiver)
        stop_tracing()


def accept(engine: Engine, **headers: str) -> None:
    """A mentor accepts a request, by the API; then the workers do what follows, with nothing of the request."""
    with engine.begin() as db:
        mentor = factories.make_mentor(db)
        booking = factories.make_booking(db, listing=factories.make_listing(db, mentor), title="Marked title")
    answer = World.on(engine).client.patch(f"/bookings/{booking.id}/accept?", headers=as_mentor(mentor) | headers)
    assert answer.status_code == 202
    assert TRACEPARENT.get() is None


def deliver_all(harness: Harness) -> None:
    sealer = Sealer([SECRET])
    transports = routes(
        http=WebhookTransport(sealer, LOOPBACK),
        **{name: getattr(harness, name) for name in ("mail", "push", "channels")},
        calendars=harness.http,
    )
    harness.deliverer = DeliveryRunner(harness.transactions, load(), transports)
    harness.run_all()


def test_one_trace_leads_from_a_request_to_a_webhook(collector: Collector, harness: Harness) -> None:
    with http_receiver() as partner:
        listening(harness, f"{partner.url}/hooks", seal=Sealer([SECRET]).seal, event_types=["session.created"])
        accept(harness.engine, traceparent=CALLER)
        deliver_all(harness)
        (message,) = partner.requests
    # Events that were recorded before the request have traces of their own.
    spans = {span.name: span for span in collector.spans() if span.trace == CALLERS_TRACE}
    request = spans["PATCH /bookings/<id:booking_id>/accept"]
    session, webhook = spans["sessions.create"], spans["webhooks.send"]
    assert (request.parent, session.parent, webhook.parent) == (CALLERS_SPAN, request.id, session.id)
    assert (request.kind, session.kind, webhook.kind) == (SERVER, CONSUMER, CLIENT)
    assert request.attributes["http.response.status_code"] == 202
    assert request.attributes["http.route"] == "/bookings/<id:booking_id>/accept"
    assert session.attributes["tutelage.event.type"] == "booking.accepted"
    # The partner's work belongs to the same trace, if the partner traces too.
    assert message.headers["traceparent"] == f"00-{CALLERS_TRACE}-{webhook.id}-01"
    assert b"traceparent" not in message.body
    assert "Marked title" not in collector.text()


def test_a_failed_message_is_a_failed_span(collector: Collector, harness: Harness) -> None:
    with http_receiver() as partner:
        partner.status = 500
        listening(harness, partner.url, seal=Sealer([SECRET]).seal, event_types=["booking.accepted"])
        accept(harness.engine)
        deliver_all(harness)
    (webhook,) = [span for span in collector.spans() if span.name == "webhooks.send"]
    assert (webhook.status, webhook.attributes["error.type"]) == (ERROR, "status")
    assert len(webhook.trace) == 32


@pytest.mark.parametrize("sent", ["nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", f"{CALLER}-"])
def test_a_malformed_context_begins_a_trace(collector: Collector, harness: Harness, sent: str) -> None:
    accept(harness.engine, traceparent=sent)
    (request,) = collector.spans()
    assert (request.parent, request.trace != CALLERS_TRACE) == ("", True)


def test_nothing_is_recorded_or_sent_without_a_collector(harness: Harness) -> None:
    with http_receiver() as partner:
        listening(harness, partner.url, seal=Sealer([SECRET]).seal, event_types=["session.created"])
        accept(harness.engine, traceparent=CALLER)
        deliver_all(harness)
        (message,) = partner.requests
    assert "traceparent" not in message.headers
    assert not [data for data in scalars(harness.engine, select(events.c.data)) if "traceparent" in data]


def test_without_addresses_the_libraries_are_not_loaded() -> None:
    program = """
import sys
import api.app, cli.serve, cli.streams, workers.worker, workers.sweep, workers.maintain
from config.observing import observe
from config.settings import settings
from infrastructure.tracing import start_tracing
observe(settings(), "api")
start_tracing(settings(), "api")
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # Of OpenTelemetry, the client of Redis loads what it finds installed.
    never = {"sentry_sdk", "config.error_reports", "infrastructure.open_telemetry", "opentelemetry.sdk.trace"}
    assert never & set(done.stdout.split()) == set()
