"""Connections to Redis or RabbitMQ, and subclasses of kombu's and Celery's parts (measured on 5.7.1 of both).

With kombu's own channel and dispatcher, three quarters of the GIL time of `worker-notifications` was Celery's main loop
(py-spy, whole lives by 4 clients, Flower watching): 33% the bookkeeping of unacknowledged messages in Redis, 16% a new
client for every command, 21% the publishing of task events once per turn of the loop.
"""

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

from config.servers import broker_address, is_amqp, redis_address

# For the setting `broker_transport`, by which kombu finds the transports below.
TRANSPORT = "infrastructure.broker:LeanTransport"
SENTINEL_TRANSPORT = "infrastructure.broker:LeanSentinelTransport"
EVENTS_INTERVAL_SECONDS = 0.2

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


# Of RabbitMQ, by Celery's own transport. The publisher neither sends nor expects heartbeats between its messages, and
# waits for no confirmation: the sweep publishes again what was lost.
AMQP_PUBLISHER_OPTIONS = {"read_timeout": 2, "write_timeout": 0.5}
AMQP_WORKER_OPTIONS = {"write_timeout": 5}
AMQP_HEARTBEAT_SECONDS = 10


def broker_settings(broker_url: str) -> dict[str, Any]:
    """Celery's broker settings for a BROKER_URL or REDIS_URL.

    With a transport of our own, kombu connects to `rediss://` without TLS unless `broker_use_ssl` is set.
    """
    if is_amqp(broker_url):
        url, tls = broker_address(broker_url)
        return {
            "broker_url": url,
            "broker_transport": None,
            "broker_use_ssl": tls or None,
            "broker_transport_options": AMQP_WORKER_OPTIONS,
            "broker_heartbeat": AMQP_HEARTBEAT_SECONDS,
        }
    address = redis_address(broker_url)
    sentinel: dict[str, Any] = {}
    if address.master_name:
        sentinel = {"master_name": address.master_name, "sentinel_kwargs": address.sentinel_options()}
    return {
        "broker_url": ";".join(address.urls),
        "broker_transport": SENTINEL_TRANSPORT if sentinel else TRANSPORT,
        "broker_use_ssl": address.tls or None,
        "broker_transport_options": WORKER_OPTIONS | sentinel,
    }


def publisher_connection(conf: Any) -> Connection:
    """A connection of one thread that publishes: it fails within a second or two, and the sweep repeats what it had.

    Args:
        conf: of a Celery app with the settings above.
    """
    amqp = is_amqp(conf.broker_url)
    connection = Connection(
        conf.broker_url,
        ssl=conf.broker_use_ssl or False,
        transport_options=AMQP_PUBLISHER_OPTIONS if amqp else conf.broker_transport_options | PUBLISHER_OPTIONS,
        connect_timeout=0.5,
    )
    # Each host of a RabbitMQ once; kombu's own pause between two attempts is 2 s.
    attempts = len(connection.alt) if amqp else 1
    connection.ensure_connection(max_retries=attempts, interval_start=0, interval_step=0, interval_max=0)
    return connection


class InMemoryQoS(virtual.QoS):
    """Kombu's own in-memory record of unacknowledged messages, for the prefetch limit.

    Kombu's Redis transport also writes them to Redis, to give a lost worker's messages to others after an hour. The
    sweep does so within seconds, from the rows: a message is only a wake-up.
    """

    restore_at_shutdown = False


class SingleClientChannel(redis.Channel):
    """A channel that keeps its Redis client."""

    QoS = InMemoryQoS  # type: ignore[assignment]
    _kept_client: Any = None

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """One client for as long as the channel keeps its connection pool; kombu makes a client for each command."""
        if self._kept_client is None or self._kept_client.connection_pool is not self.pool:
            self._kept_client = self._create_client()  # type: ignore[no-untyped-call]
        yield client or self._kept_client


class LeanTransport(redis.Transport):
    """Kombu's Redis transport over such channels."""

    Channel = SingleClientChannel


class SingleClientSentinelChannel(SingleClientChannel, redis.SentinelChannel):
    """The same, for a Redis that sentinels name."""


class LeanSentinelTransport(redis.SentinelTransport):
    """Kombu's transport by sentinels over such channels."""

    Channel = SingleClientSentinelChannel


class BufferedEventDispatcher(EventDispatcher):
    """Publishes the task events that Flower shows in batches, five times a second."""

    _last = 0.0
    _is_scheduled = False

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """As Celery's own, once per interval; events in between are sent at its end."""
        rest = self._last + EVENTS_INTERVAL_SECONDS - monotonic()
        hub = get_event_loop()
        if rest <= 0 or hub is None:
            self._flush_now(errors, groups)
        elif not self._is_scheduled:
            self._is_scheduled = True
            hub.call_later(rest, self._flush_now)

    def _flush_now(self, errors: bool = True, groups: bool = True) -> None:
        self._last = monotonic()
        self._is_scheduled = False
        super().flush(errors, groups)


class BufferedEvents(Events):
    """Celery's events by that dispatcher."""

    dispatcher_cls = BufferedEventDispatcher


class FastReconnectConnection(Connection):
    """Connection that tries a lost broker again every second.

    Celery's consumer leaves the pauses at kombu's defaults, which grow to 30 s, and offers no setting for them.
    """

    def ensure_connection(
        self, errback: Callable[..., None] | None = None, max_retries: int | None = None, **options: Any
    ) -> Connection:
        """As kombu's own, with pauses of at most a second."""
        pauses = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1}
        connection: Connection = super().ensure_connection(  # type: ignore[no-untyped-call]
            errback, max_retries, **(options | pauses)
        )
        return connection

    def maybe_switch_next(self) -> None:
        """Stay at sentinels: every one is asked for the same Redis, and kombu would go on with a transport of its own.

        Of a RabbitMQ's hosts, the next is tried.
        """
        if self.transport.driver_type == "amqp":
            super().maybe_switch_next()  # type: ignore[no-untyped-call]

    def maybe_close_channel(self, channel: Any) -> None:
        """Skip a channel whose transport is closed already.

        Closing it would give back unacknowledged messages over a connection that is gone: an AttributeError that ends
        the worker.
        """
        if getattr(channel.connection, "client", None) is not None:
            super().maybe_close_channel(channel)  # type: ignore[no-untyped-call]


class FastReconnectAMQP(AMQP):
    """Celery's messaging over such connections."""

    Connection = FastReconnectConnection
