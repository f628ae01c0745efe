"""The publisher thread: after each commit it sends wake-ups that name due deliveries to the workers.

Wake-ups are for speed; the sweep is the guarantee.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Thread
from time import monotonic

import structlog
from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import ChannelError, KombuError
from kombu.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import RedisError

from config import telemetry
from infrastructure.broker import publisher_connection
from workflows.events import QUEUES
from workflows.events.record import Wakeup
from workflows.events.subscriptions import OutboundEffect, load

log = structlog.get_logger(__name__)

# The one task: it runs the deliveries that its argument names.
TASK = "deliveries.run"
MAX_WAITING = 10_000
MAX_IN_MESSAGE = 50
MAX_IN_BATCH = 500
# Seconds between two messages to a queue; the later one includes all wake-ups recorded meanwhile. An idle queue gets
# its message at once. People wait for sessions, but not for counters.
QUEUE_PAUSE_SECONDS = {"sessions": 0.01, "reviews": 0.1, "notifications": 0.1, "webhooks": 0.1, "analytics": 0.3}
FAILURE_PAUSE_SECONDS = 0.5
# The second and the third are of RabbitMQ.
BROKER_TROUBLE = (KombuError, ChannelError, BrokerConnectionError, RedisError, OSError)
_PUBLISHED, _DROPPED = (telemetry.NUDGES.labels(outcome) for outcome in ("published", "dropped"))


class Publisher:
    """Publishes wake-ups in pipelined batches over one connection of its own; for one thread."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def publish(self, wakeups: Sequence[Wakeup]) -> None:
        """Send them all at once; raises one of BROKER_TROUBLE where the broker cannot be reached or is late."""
        with self._connected() as producer, producer.batch():
            for message in messages(wakeups):
                named = [argument(wakeup) for wakeup in message]
                self._app.send_task(
                    TASK,
                    kwargs={"deliveries": named},
                    # Celery's own is slow, and cut after a thousand characters.
                    kwargsrepr=str(named),
                    # Flower lists and filters it by this name: the task's name is always the same.
                    shadow=", ".join(sorted({wakeup.effect for wakeup in message})),
                    queue=message[0].queue,
                    producer=producer,
                    retry=False,
                )

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue; raises as `publish` does."""
        with self._connected() as producer:
            # The queue's list of a Redis. A RabbitMQ that knows no queue of this name makes it.
            return int(self._app.amqp.queues[queue](producer.channel).queue_declare().message_count)

    @contextmanager
    def _connected(self) -> Iterator[Producer]:
        try:
            if self._connection is None or self._producer is None:
                self._connection = publisher_connection(self._app.conf)
                self._producer = Producer(self._connection.channel())
            yield self._producer
        except Exception:
            # The connection's state is unknown: the next use makes a new one.
            self._producer = None
            if self._connection is not None:
                self._connection.release()
                self._connection = None
            raise


def messages(wakeups: Iterable[Wakeup]) -> list[list[Wakeup]]:
    """The wake-ups grouped into messages: up to 50 of a queue, with separate messages for each outbound effect.

    A worker runs database effects of any kind together, and outbound effects kind by kind.
    """
    all_messages: list[list[Wakeup]] = []
    latest: dict[tuple[str, str], list[Wakeup]] = {}
    for wakeup in wakeups:
        outbound = isinstance(load().named(wakeup.effect), OutboundEffect)
        kind = (wakeup.queue, wakeup.effect if outbound else "")
        message = latest.get(kind)
        if message is None or len(message) == MAX_IN_MESSAGE:
            message = latest[kind] = []
            all_messages.append(message)
        message.append(wakeup)
    return all_messages


def argument(wakeup: Wakeup) -> dict[str, str]:
    """A delivery as messages and Flower show it: its effect, event and subject."""
    named = {"effect": wakeup.effect, wakeup.subject: str(wakeup.subject_id), "event": str(wakeup.event_id)}
    return {**named, "target": wakeup.target} if wakeup.target else named


class WakeupQueue:
    """A list of limited length per queue and one thread: a request hands over its wake-ups, and waits for no broker.

    Wake-ups that do not fit, or that the broker does not take, are dropped: the sweep finds the rows.
    """

    def __init__(self, app: Celery, capacity: int = MAX_WAITING) -> None:
        self._publisher = Publisher(app)
        self._capacity = capacity
        self._changed = Condition()
        self._waiting: dict[str, deque[Wakeup]] = {queue: deque() for queue in QUEUES}
        self._not_before = dict.fromkeys(QUEUES, 0.0)
        self._publishing = 0
        self._flushing = False
        self._thread: Thread | None = None
        self._down = False

    def put(self, wakeups: Iterable[Wakeup]) -> None:
        """Take the wake-ups of a transaction that has committed; never waits."""
        dropped = 0
        with self._changed:
            for wakeup in wakeups:
                waiting = self._waiting[wakeup.queue]
                if len(waiting) < self._capacity:
                    waiting.append(wakeup)
                else:
                    dropped += 1
            # Started at the first use, so that a process that forks has the thread in the child.
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="wake-ups", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        if dropped:
            log.warning("nudge.dropped", reason="the queue is full", dropped=dropped)
            _DROPPED.inc(dropped)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until every wake-up has been published or dropped; False if that takes longer than `timeout` seconds."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._publishing and not any(self._waiting.values()), timeout)
            finally:
                self._flushing = False

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            try:
                self._publish(batch)
            finally:
                with self._changed:
                    self._publishing = 0
                    self._changed.notify_all()

    def _next_batch(self) -> list[Wakeup]:
        """Wait for wake-ups whose queue's pause is over, and take them, the queue of sessions first."""
        with self._changed:
            batch: list[Wakeup] = []
            for queue in self._wait_for_queues():
                waiting = self._waiting[queue]
                batch += [waiting.popleft() for _ in range(min(len(waiting), MAX_IN_BATCH - len(batch)))]
                self._not_before[queue] = monotonic() + QUEUE_PAUSE_SECONDS[queue]
            self._publishing = len(batch)
            return batch

    def _wait_for_queues(self) -> list[str]:
        """Wait for queues with wake-ups whose pause is over."""
        while True:
            now = monotonic()
            moments = {queue: self._not_before[queue] for queue, waiting in self._waiting.items() if waiting}
            if ready := [queue for queue, moment in moments.items() if self._flushing or moment <= now]:
                return ready
            self._changed.wait(min(moments.values()) - now if moments else None)

    def _publish(self, batch: list[Wakeup]) -> None:
        try:
            self._publisher.publish(batch)
        except Exception as error:
            if not isinstance(error, BROKER_TROUBLE):
                log.error("nudge.failed", dropped=len(batch), exc_info=error)
            elif not self._down:
                log.warning("nudge.unavailable", error=str(error), dropped=len(batch))
            self._down = True
            _DROPPED.inc(len(batch))
            # While Redis is unavailable, wake-ups are dropped in batches rather than tried one by one.
            with self._changed:
                for queue in QUEUES:
                    self._not_before[queue] = monotonic() + FAILURE_PAUSE_SECONDS
        else:
            self._down = False
            _PUBLISHED.inc(len(batch))
