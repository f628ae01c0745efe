"""How processes reach Redis, and how little of their time they give it; as measured on Celery 5.7."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from celery.app.amqp import AMQP
from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from kombu import Connection
from kombu.asynchronous import get_event_loop
from kombu.transport import redis, virtual

EVENTS_INTERVAL = 0.2  # seconds

# Without timeouts a worker hangs for good on a half-open connection, and a publish to a hung Redis never returns.
_SHARED: dict[str, Any] = {
    "socket_keepalive": True,
    "health_check_interval": 5,
    # Without these, publishing with Redis down takes 6 s of retries.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.05,
    "interval_max": 0.1,
    # At the default of 10 a pool of many threads failed to acknowledge messages.
    "max_connections": 100,
}

# `retry_on_timeout` is left out on purpose: it silently turns pipelined batches off.
PUBLISHER_OPTIONS = {**_SHARED, "socket_timeout": 0.5, "socket_connect_timeout": 0.5}
WORKER_OPTIONS = {**_SHARED, "socket_timeout": 5, "socket_connect_timeout": 2}


class RememberedHere(virtual.QoS):
    """Who has which message is remembered in the worker alone, for its prefetch limit.

    Kombu would write it to Redis twice per message, and give a lost worker's messages to the others after an hour. The
    sweep does that within seconds, by the rows: a message is but a nudge.
    """

    restore_at_shutdown = False


class FrugalChannel(redis.Channel):
    """A channel that keeps its client: Kombu makes a new one for every message, a tenth of a busy worker's time."""

    QoS = RememberedHere  # type: ignore[assignment]
    _kept_client: Any = None

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """As Kombu's own, with one client for as long as the channel keeps its pool of connections."""
        if self._kept_client is None or self._kept_client.connection_pool is not self.pool:
            self._kept_client = self._create_client()
        yield client or self._kept_client


class FrugalTransport(redis.Transport):
    """Kombu's Redis transport over such channels."""

    Channel = FrugalChannel


class PromptConnection(Connection):
    """A connection that looks for a lost Redis every second, and outlives its loss.

    Celery's consumer leaves the pauses at Kombu's defaults, which grow to 30 s: far longer than the sessions that wait
    for it should have to.
    """

    def get_transport_cls(self) -> Any:
        """Kombu's own for every broker but Redis."""
        found = super().get_transport_cls()
        return FrugalTransport if found is redis.Transport else found

    def ensure_connection(
        self, errback: Callable[..., None] | None = None, max_retries: int | None = None, **options: Any
    ) -> Connection:
        """As Kombu's own, with pauses of at most a second."""
        pauses = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1}
        return super().ensure_connection(errback, max_retries, **(options | pauses))

    def maybe_close_channel(self, channel: Any) -> None:
        """As Kombu's own, but leave a channel alone whose transport has been let go already.

        Closing it would give back what was not acknowledged over a connection that is no more: an AttributeError which
        ends the worker. The sweep gives it back.
        """
        if getattr(channel.connection, "client", None) is not None:
            super().maybe_close_channel(channel)


class PromptAMQP(AMQP):
    """Celery's messaging over such connections."""

    Connection = PromptConnection


class UnhurriedDispatcher(EventDispatcher):
    """Sends what Flower shows a few times a second, not once per turn of the worker's loop: a third of its time."""

    _last = 0.0
    _comes = False

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """As Celery's own, once per interval; what comes in between is sent at its end."""
        rest = self._last + EVENTS_INTERVAL - monotonic()
        hub = get_event_loop()
        if rest <= 0 or hub is None:
            self._now(errors, groups)
        elif not self._comes:
            self._comes = True
            hub.call_later(rest, self._now)

    def _now(self, errors: bool = True, groups: bool = True) -> None:
        self._last = monotonic()
        self._comes = False
        super().flush(errors, groups)


class UnhurriedEvents(Events):
    """Celery's events by that dispatcher."""

    dispatcher_cls = UnhurriedDispatcher
