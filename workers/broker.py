"""How processes reach Redis, and how little of their time they give it; as measured on Celery 5.7."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import redis

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


class FrugalChannel(redis.Channel):
    """A channel that keeps its client: Kombu makes a new one for every message, a tenth of a busy worker's time."""

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
