"""Runs deliveries: database effects in batches, up to 50 of a queue claimed, run, settled and committed together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock, Semaphore
from time import monotonic

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from config import telemetry
from workers.outbound import OutboundRunner, Route
from workers.outcomes import OutcomeLog, log_fields, settle_error, settle_exhausted, success_log
from workers.transactions import Transactions
from workflows.events import store
from workflows.events.delivery import Delivery, DeliveryKey
from workflows.events.record import cut_back, flush_deferred, mark
from workflows.events.subscriptions import QUEUES, Effect, OutboundEffect, Subscriptions

log = structlog.get_logger("workers.deliver")

MAX_BATCH = 50
# Neighbours in a batch wait for its commit, and their rows stay locked until then.
BATCH_SECONDS = 0.05
LEASE = timedelta(seconds=20)
# More would share out among them what one transaction could hold; a second one runs while the first waits for a lock.
BATCHES_AT_ONCE = 2
# PostgreSQL's error codes, appendix A of its manual.
DEADLOCK, SERIALIZATION_FAILURE, LOCK_TIMEOUT, STATEMENT_TIMEOUT = "40P01", "40001", "55P03", "57014"
LOST_RACE = {DEADLOCK, SERIALIZATION_FAILURE}
FAILS_TRANSACTION = {*LOST_RACE, LOCK_TIMEOUT, STATEMENT_TIMEOUT}
_RETRIES = telemetry.TRANSACTION_RETRIES.labels("delivery", "lost_race")


class DeliveryRunner:
    """Runs the deliveries that a wake-up names, each by the way of its effect.

    Args:
        routes: by the names of the transports that this process has.
        drains: whether database effects that are due in the same queue are run together with those that are named.
        batch_seconds: for how long a batch goes on before it is committed.
    """

    def __init__(
        self,
        transactions: Transactions,
        subscriptions: Subscriptions,
        routes: Mapping[str, Route],
        *,
        drains: bool = True,
        batch_seconds: float = BATCH_SECONDS,
    ) -> None:
        self._subscriptions = subscriptions
        self._database = Runner(transactions, subscriptions, drains=drains, batch_seconds=batch_seconds)
        self._outbound = OutboundRunner(transactions, routes)

    def deliver(self, *keys: DeliveryKey) -> None:
        """Look at these deliveries of one queue now, and run those that are free and due."""
        inside: list[tuple[Effect, DeliveryKey]] = []
        outbound: dict[str, list[DeliveryKey]] = {}
        for key in keys:
            match self._subscriptions.named(key.effect):
                case None:
                    # A newer process wrote the row; a newer worker will run it.
                    log.warning("delivery.unknown_effect", effect=key.effect, event_id=key.event_id)
                case OutboundEffect():
                    outbound.setdefault(key.effect, []).append(key)
                case effect:
                    inside.append((effect, key))
        if inside:
            self._database.run(inside[0][0].queue, [key for _effect, key in inside])
        for name, named in outbound.items():
            effect = self._subscriptions.named(name)
            assert isinstance(effect, OutboundEffect)
            self._outbound.deliver(effect, named)

    def stop(self) -> None:
        """End what is under way outside; nothing more is sent."""
        self._outbound.stop()


class TransactionFailed(Exception):
    """The batch's transaction cannot go on: a lost race, a timeout, a lost connection.

    Args:
        culprit: the delivery whose effect was running; None at the batch's end.
    """

    def __init__(self, culprit: Delivery | None) -> None:
        super().__init__()
        self.culprit = culprit


class LeaseLost(Exception):
    """Rows that were this worker's are no longer: nothing of the transaction may be committed."""


@dataclass
class Batch:
    """Deliveries that share a transaction, and how far they have come; durations are those of their effects."""

    waiting: list[Delivery]
    done: list[tuple[Delivery, timedelta]] = field(default_factory=list)
    failed: list[tuple[Delivery, Exception, timedelta]] = field(default_factory=list)
    exhausted: list[Delivery] = field(default_factory=list)


class Runner:
    """Runs the deliveries of database effects, in batches where it can and alone where it must."""

    def __init__(
        self, transactions: Transactions, subscriptions: Subscriptions, *, drains: bool, batch_seconds: float
    ) -> None:
        self._transactions = transactions
        self._batch_seconds = batch_seconds
        self._effects = {effect.name: effect for effect in subscriptions.database_effects(retired=True)}
        # Timers are named by the sweep.
        drained = [
            each
            for each in subscriptions.database_effects(retired=True)
            if drains and not each.alone and each.due is None
        ]
        self._shared = {queue: [each.name for each in drained if each.queue == queue] for queue in QUEUES}
        self._named: dict[str, list[DeliveryKey]] = {queue: [] for queue in QUEUES}
        self._lock = Lock()
        self._slots = Semaphore(BATCHES_AT_ONCE)

    def run(self, queue: str, keys: Sequence[DeliveryKey]) -> None:
        """Run the named deliveries that are free and due, and others of the queue that are due with them.

        Threads that wait for their turn have their deliveries run by the next one that gets it, which may be another
        thread and may still be at work when this returns.
        """
        with self._lock:
            self._named[queue] += keys
        with self._slots:
            with self._lock:
                named, self._named[queue] = self._named[queue], []
            self._run_all(queue, list(dict.fromkeys(named)))

    def _run_all(self, queue: str, named: list[DeliveryKey]) -> None:
        while named:
            page, rest = named[:MAX_BATCH], named[MAX_BATCH:]
            left = {delivery.key for delivery in self._run_batch(page, self._shared[queue])}
            # What was not claimed is done, not due, or in another worker's hands.
            named = [key for key in page if key in left] + rest

    def _run_batch(self, named: Sequence[DeliveryKey], shared: Sequence[str]) -> list[Delivery]:
        """Claim a batch and run it; returns those that were claimed and not begun, for lack of time."""
        claimed: list[Delivery] = []
        try:
            with self._transactions() as db:
                claimed = store.claim_batch(db, named, shared=shared, most=MAX_BATCH)
                alone, nudged, batch = self._sorted(claimed)
                # A worker may have died of one of these: the attempts are counted before they are made.
                leased = store.lease(db, nudged, LEASE)
                lines = self._run_and_settle(db, batch)
        except TransactionFailed as failure:
            for delivery in _culprit_last(claimed, failure):
                self._run_alone(delivery)
            return []
        _log(lines, named)
        while leased:
            leased = self._run_leased(leased, named)
        for delivery in alone:
            self._run_alone(delivery)
        return batch.waiting

    def _sorted(self, claimed: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery], Batch]:
        """Those that are to run alone, those that are to be leased first, and those that may run at once."""
        alone, nudged, batch = [], [], Batch([])
        for delivery in claimed:
            if delivery.was_leased or self._effects[delivery.key.effect].alone:
                alone.append(delivery)
            elif delivery.nudges:
                nudged.append(delivery)
            else:
                batch.waiting.append(delivery)
        return alone, nudged, batch

    def _run_leased(self, leased: list[Delivery], named: Sequence[DeliveryKey]) -> list[Delivery]:
        """Run those of which the lease is still ours; returns those that were not begun, for lack of time."""
        try:
            with self._transactions() as db:
                batch = Batch(store.hold(db, leased, batch=True))
                lines = self._run_and_settle(db, batch)
        except TransactionFailed as failure:
            for delivery in _culprit_last(leased, failure):
                self._run_leased_alone(delivery)
            return []
        _log(lines, named)
        return batch.waiting

    def _run_alone(self, seen: Delivery) -> None:
        """Claim a delivery again and run it in a transaction of its own, under the ordinary timeouts."""
        leased: list[Delivery] = []
        with _surviving_lost_connection(seen):
            with self._transactions() as db:
                claimed = store.claim(db, [seen.key])
                if any(each.nudges for each in claimed):
                    leased, claimed = store.lease(db, claimed, LEASE), []
                lines = self._run_and_settle(db, Batch(claimed), alone=True)
            _log(lines, [seen.key])
        for each in leased:
            self._run_leased_alone(each)

    def _run_leased_alone(self, leased: Delivery) -> None:
        with _surviving_lost_connection(leased):
            with self._transactions() as db:
                lines = self._run_and_settle(db, Batch(store.hold(db, [leased])), alone=True)
            _log(lines, [leased.key])

    def _run_and_settle(self, db: Connection, batch: Batch, *, alone: bool = False) -> list[OutcomeLog]:
        """Run what waits until the batch's time is up, and write what came of it; returns the lines to be logged.

        Raises:
            TransactionFailed: nothing of it may be committed; not where a delivery runs alone.
        """
        began = monotonic()
        running: Delivery | None = None
        try:
            while batch.waiting and (running is None or monotonic() - began < self._batch_seconds):
                running = batch.waiting.pop(0)
                self._run_one(db, running, batch, alone=alone)
            running = None
            return self._settle(db, batch)
        except DBAPIError as error:
            if alone or not _fails_transaction(error):
                raise
            raise _transaction_failed(error, running) from error

    def _run_one(self, db: Connection, delivery: Delivery, batch: Batch, *, alone: bool) -> None:
        effect, began = self._effects[delivery.key.effect], monotonic()
        if delivery.counted_attempt > effect.policy.attempts:
            batch.exhausted.append(delivery)
            return
        error = _error_of(db, effect, delivery, alone=alone)
        if error is not None and alone and _sqlstate(error) in LOST_RACE:
            _RETRIES.inc()
            error = _error_of(db, effect, delivery, alone=alone)
        took = timedelta(seconds=monotonic() - began)
        if error is None:
            batch.done.append((delivery, took))
        else:
            batch.failed.append((delivery, error, took))

    def _settle(self, db: Connection, batch: Batch) -> list[OutcomeLog]:
        try:
            flush_deferred(db)
        except Exception as error:
            if isinstance(error, DBAPIError) and _fails_transaction(error):
                raise
            # Whose it was is found out by running each alone.
            raise _transaction_failed(error, None) from error
        if batch.done and store.mark_done(db, [each for each, _took in batch.done]) != len(batch.done):
            raise LeaseLost
        lines = [success_log(delivery, took) for delivery, took in batch.done]
        lines += [
            settle_error(db, self._effects[delivery.key.effect], delivery, error, took)
            for delivery, error, took in batch.failed
        ]
        lines += [settle_exhausted(db, delivery) for delivery in batch.exhausted]
        if not all(line.ours for line in lines):
            raise LeaseLost
        return lines


def _error_of(db: Connection, effect: Effect, delivery: Delivery, *, alone: bool) -> Exception | None:
    """Run an effect, and return what it failed with, once all that it did has been rolled back; None when it is done.

    Raises:
        DBAPIError: the transaction cannot go on.
        TransactionFailed: the same, for a statement of an effect that was to make none.
    """
    # What makes no statement has nothing to roll back.
    savepoint, before = alone or not effect.deferred, mark(db)
    if savepoint:
        db.exec_driver_sql("SAVEPOINT effect")
    try:
        arguments = (delivery.target,) if effect.targets else ()
        effect.run(db, delivery.event, *arguments, now=delivery.now)
        if alone:
            # Its failure is the effect's.
            flush_deferred(db)
    except Exception as error:
        if isinstance(error, DBAPIError) and not savepoint:
            raise _transaction_failed(error, delivery) from error
        if isinstance(error, DBAPIError) and (
            error.connection_invalidated or (not alone and _fails_transaction(error))
        ):
            raise
        if savepoint:
            db.exec_driver_sql("ROLLBACK TO SAVEPOINT effect")
        # What a failed effect recorded was rolled back with it.
        cut_back(db, before)
        return error
    if savepoint:
        db.exec_driver_sql("RELEASE SAVEPOINT effect")
    return None


@contextmanager
def _surviving_lost_connection(delivery: Delivery) -> Iterator[None]:
    """Go on with the next delivery where this one's connection was lost; the sweep names this one again.

    That no connection can be made at all is another matter, and raised.
    """
    try:
        yield
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        log.warning("delivery.connection_lost", **log_fields(delivery))


def _transaction_failed(error: Exception, culprit: Delivery | None) -> TransactionFailed:
    log.warning("delivery.batch_failed", sqlstate=_sqlstate(error), error=type(error).__name__)
    _RETRIES.inc(_sqlstate(error) in LOST_RACE)
    return TransactionFailed(culprit)


def _culprit_last(deliveries: Sequence[Delivery], failure: TransactionFailed) -> list[Delivery]:
    # Sorting is stable: False comes before True.
    return sorted(deliveries, key=lambda each: failure.culprit is not None and each.key == failure.culprit.key)


def _fails_transaction(error: DBAPIError) -> bool:
    return error.connection_invalidated or _sqlstate(error) in FAILS_TRANSACTION


def _sqlstate(error: Exception) -> str | None:
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def _log(lines: Sequence[OutcomeLog], named: Sequence[DeliveryKey]) -> None:
    for line in lines:
        line.log(beyond_wakeup=line.delivery.key not in named)
