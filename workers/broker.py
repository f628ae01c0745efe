"""How processes reach Redis: time-outs and reconnection, as measured on Celery 5.7 and kombu 5.7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection

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


class PromptConnection(Connection):
    """A connection that looks for a lost Redis every second, and outlives its loss.

    Celery's consumer leaves the pauses at Kombu's defaults, which grow to 30 s: far longer than the sessions that wait
    for it should have to.
    """

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
