"""The nudging thread: after a commit it tells the workers which rows to look at now. Speed, never the guarantee."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Lock, Thread
from typing import Any

import structlog
from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from config import telemetry
from workers.broker import PUBLISHER_OPTIONS
from workflows.events.record import Nudge
from workflows.events.subscriptions import OutboundEffect, load

log = structlog.get_logger(__name__)

CAPACITY = 10_000
BATCH = 200
MOST_IN_A_MESSAGE = 20
PAUSE_AFTER_FAILURE = 0.5
BROKER_TROUBLE = (KombuError, RedisError, OSError)
_PUBLISHED, _DROPPED = (telemetry.NUDGES.labels(outcome) for outcome in ("published", "dropped"))


class Publisher:
    """Publishes nudges in pipelined batches over one connection of its own; for one thread."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def publish(self, nudges: Sequence[Nudge]) -> None:
        """Send them all in one round trip.

        Raises:
            KombuError | RedisError | OSError: Redis cannot be reached, or does not answer in time.
        """
        with self._connected() as producer, producer.batch():
            for group in groups(nudges):
                named, first = arguments(*group), group[0]
                self._app.send_task(
                    first.effect,
                    kwargs=named,
                    # Celery's own would end after a thousand characters, and take its time.
                    kwargsrepr=str(named),
                    queue=first.queue,
                    producer=producer,
                    retry=False,
                )

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue's list.

        Raises:
            KombuError | RedisError | OSError: as `publish` does.
        """
        with self._connected() as producer:
            return int(producer.channel.client.llen(queue))

    @contextmanager
    def _connected(self) -> Iterator[Producer]:
        try:
            if self._connection is None or self._producer is None:
                self._connection = Connection(
                    self._app.conf.broker_url, transport_options=PUBLISHER_OPTIONS, connect_timeout=0.5
                )
                # Kombu's own pause between two attempts is 2 s.
                self._connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, interval_max=0)
                self._producer = Producer(self._connection.channel())
            yield self._producer
        except BROKER_TROUBLE:
            # Whatever state the connection is in, the next use makes a new one.
            self._producer = None
            if self._connection is not None:
                self._connection.release()
                self._connection = None
            raise


def groups(nudges: Iterable[Nudge]) -> list[list[Nudge]]:
    """The nudges as messages name them: one each, but some of an effect together that leaves the house.

    Its worker waits for receivers most of the time, and has a sender for each. What happens in the database is work
    for a whole worker, and is shared among them one by one.
    """
    grouped: list[list[Nudge]] = []
    open_groups: dict[tuple[str, str], list[Nudge]] = {}
    for nudge in nudges:
        group = open_groups.get((nudge.queue, nudge.effect))
        if group is None or len(group) == MOST_IN_A_MESSAGE:
            group = []
            grouped.append(group)
            if isinstance(load().named(nudge.effect), OutboundEffect):
                open_groups[nudge.queue, nudge.effect] = group
        group.append(nudge)
    return grouped


def arguments(nudge: Nudge, *also: Nudge) -> dict[str, Any]:
    """A task's arguments, as an operator reads them in Flower: which subject, which event, and for whom; which also."""
    named: dict[str, Any] = {nudge.subject: str(nudge.subject_id), "event": str(nudge.event_id)}
    if nudge.target:
        named["target"] = nudge.target
    return named | {"also": [arguments(each) for each in also]} if also else named


class Nudger:
    """One bounded queue and one thread: a request hands its nudges over and never touches Redis itself.

    What does not fit, and what Redis does not take, is dropped: the sweep finds the rows.
    """

    def __init__(self, app: Celery, capacity: int = CAPACITY) -> None:
        self._publisher = Publisher(app)
        self._queue: Queue[Nudge] = Queue(capacity)
        self._starting = Lock()
        self._thread: Thread | None = None
        self._down = False

    def offer(self, nudges: Iterable[Nudge]) -> None:
        """Take the nudges of a transaction that has committed; never waits."""
        self._start()
        dropped = 0
        for nudge in nudges:
            try:
                self._queue.put_nowait(nudge)
            except Full:
                dropped += 1
        if dropped:
            log.warning("nudge.dropped", reason="the queue is full", dropped=dropped)
            _DROPPED.inc(dropped)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything offered has been published or dropped; False when that took longer than `timeout`."""
        with self._queue.all_tasks_done:
            return self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, timeout)

    def _start(self) -> None:
        # At the first use, so that a process that forks has its thread on the right side of the fork.
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="nudger", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            try:
                self._publish(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()

    def _next_batch(self) -> list[Nudge]:
        batch = [self._queue.get()]
        while len(batch) < BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch

    def _publish(self, batch: list[Nudge]) -> None:
        try:
            self._publisher.publish(batch)
        except BROKER_TROUBLE as error:
            if not self._down:
                log.warning("nudge.unavailable", error=str(error), dropped=len(batch))
            self._down = True
            _DROPPED.inc(len(batch))
            # While Redis is away, what comes is dropped in batches rather than tried one by one.
            time.sleep(PAUSE_AFTER_FAILURE)
        else:
            self._down = False
            _PUBLISHED.inc(len(batch))
