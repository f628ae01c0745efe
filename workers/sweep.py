"""The sweep: once a second it publishes wake-ups for due deliveries. The sweep is the guarantee, wake-ups the speed.

It runs outside Celery: a repair after a loss of Redis must not depend on Redis. Any number of sweeps may run.
"""

from collections.abc import Iterator
from threading import Event

import structlog
from redis.exceptions import ResponseError
from sqlalchemy import Engine

from config import telemetry
from config.settings import settings
from infrastructure.celery_app import app
from infrastructure.transactions import metered
from infrastructure.wakeups import BROKER_TROUBLE, MAX_IN_MESSAGE, Publisher
from models import engine
from workflows.events import QUEUES
from workflows.events.claim import turns_due
from workflows.events.record import Wakeup
from workflows.events.sweep import SWEEP_PAGE, mark_published, mark_unpublished, overdue

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
# A longer list, some 1,000 deliveries, is a backlog that is not published again: with any message, a worker also claims
# other due deliveries of its queue.
HIGH_WATER_MESSAGES = 1_000 // MAX_IN_MESSAGE
_RUNS = {outcome: telemetry.SWEEP_RUNS.labels(outcome) for outcome in ("ok", "trouble")}
_NUDGED = {queue: telemetry.SWEEP_NUDGED.labels(queue) for queue in QUEUES}


def run_forever(stop: Event) -> None:
    """Sweep once a second until `stop` is set; errors are logged."""
    database = metered(
        engine.create(settings().require_database_url(), pool_size=1, name="tutelage-sweep"), process="sweep"
    )
    sweep = Sweep(database, Publisher(app))
    log.info("sweep.started")
    while not stop.wait(INTERVAL_SECONDS):
        sweep.once()
    database.dispose()
    log.info("sweep.stopped")


class Sweep:
    """One sweep over every queue, a page of each in turn; an error in one does not stop the others.

    Args:
        page: how many deliveries are read at a time.
        high_water: with so many messages in a queue's list, nothing is added to it.
    """

    def __init__(
        self,
        database: Engine,
        publisher: Publisher,
        *,
        page: int = SWEEP_PAGE,
        high_water: float = HIGH_WATER_MESSAGES,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._page = page
        self._high_water = high_water
        self._trouble: str | None = None

    def once(self) -> int:
        """Publish wake-ups for overdue deliveries of every queue; returns the number of deliveries."""
        count, trouble = 0, None
        rounds = {queue: self._pages(queue) for queue in QUEUES}
        # A page of each queue at a time: no queue waits for another's backlog.
        while rounds:
            for queue, pages in list(rounds.items()):
                try:
                    found = next(pages, None)
                except Exception as error:  # noqa: BLE001 - logged below; a sweep outlives whatever happens
                    trouble = f"{type(error).__name__}: {error}"
                    found = None
                    if isinstance(error, BROKER_TROUBLE) and not isinstance(error, ResponseError):
                        # Redis is the same for every queue, and each attempt to reach it would wait for the time-out.
                        rounds.clear()
                        break
                if found is None:
                    del rounds[queue]
                else:
                    count += found
        self._log_change(trouble)
        _RUNS["trouble" if trouble else "ok"].inc()
        if count:
            log.info("sweep.nudged", deliveries=count)
        return count

    def _pages(self, queue: str) -> Iterator[int]:
        """Publish a queue's overdue deliveries page by page."""
        waiting = self._publisher.waiting(queue)
        telemetry.QUEUE_LENGTH.labels(queue).set(waiting)
        list_is_empty, count = waiting == 0, 0
        if queue == "webhooks" and list_is_empty:
            self._name_turns()
        while waiting + count / MAX_IN_MESSAGE <= self._high_water:
            with self._database.begin() as db:
                if not (wakeups := overdue(db, queue, list_is_empty=list_is_empty, limit=self._page)):
                    return
                mark_published(db, wakeups)
            self._publish(wakeups)
            _NUDGED[queue].inc(len(wakeups))
            count += len(wakeups)
            yield len(wakeups)
            if len(wakeups) < self._page:
                return

    def _name_turns(self) -> None:
        """Have a worker look at the webhooks whose turn has come, without a mark in their rows."""
        with self._database.begin() as db:
            wakeups = turns_due(db, limit=MAX_IN_MESSAGE)
        if wakeups:
            self._publisher.publish(wakeups)

    def _publish(self, wakeups: list[Wakeup]) -> None:
        # Not while their rows are locked: a worker is quicker than a commit, and leaves locked rows alone.
        try:
            self._publisher.publish(wakeups)
        except Exception:
            with self._database.begin() as db:
                mark_unpublished(db, wakeups)
            raise

    def _log_change(self, trouble: str | None) -> None:
        """One line when trouble begins, changes or ends; not one a second."""
        if trouble == self._trouble:
            return
        if trouble is not None:
            log.error("sweep.trouble", error=trouble)
        else:
            log.info("sweep.recovered")
        self._trouble = trouble
