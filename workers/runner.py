"""Runs deliveries: database effects in batches, up to 50 of a queue claimed, run, settled and committed together."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Semaphore
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from config import telemetry
from infrastructure.tracing import SpanKind, delivery_span
from infrastructure.transactions import Transactions, is_unavailable
from models.sqlstates import LOCK_NOT_AVAILABLE, LOST_RACES, QUERY_CANCELED, sqlstate_of
from workers.outbound import OutboundRunner, Route
from workers.outcomes import OutcomeLog, settle_error, settle_exhausted, success_log
from workflows.events import QUEUES, claim, settle
from workflows.events.delivery import Delivery, DeliveryKey
from workflows.events.record import flush_deferred, recorded
from workflows.events.rows import ALWAYS
from workflows.events.subscriptions import AnyOutboundEffect, Effect, OutboundEffect, Subscriptions

log = structlog.get_logger("workers.deliver")

MAX_BATCH = 50
# Neighbours in a batch wait for its commit, and their rows stay locked until then.
BATCH_SECONDS = 0.05
LEASE = timedelta(seconds=20)
# More would divide the deliveries of one transaction among them; a second one runs while the first waits for a lock.
BATCHES_AT_ONCE = 2
# How long positions are valid before a queue is searched from the beginning again.
POSITION_SECONDS = 5.0
FAILS_TRANSACTION = {*LOST_RACES, LOCK_NOT_AVAILABLE, QUERY_CANCELED}
_RETRIES = telemetry.TRANSACTION_RETRIES.labels("delivery", "lost_race")


class DeliveryRunner:
    """Runs the deliveries that a wake-up names, by the kind of each effect.

    Args:
        routes: by the names of the transports that this process has.
        batch_seconds: for how long a batch goes on before it is committed.
    """

    def __init__(
        self,
        transactions: Transactions,
        subscriptions: Subscriptions,
        routes: Mapping[str, Route[Any]],
        *,
        batch_seconds: float = BATCH_SECONDS,
    ) -> None:
        self._subscriptions = subscriptions
        self._database = DatabaseRunner(transactions, subscriptions, batch_seconds=batch_seconds)
        self._outbound = OutboundRunner(transactions, routes)

    def deliver(self, *keys: DeliveryKey) -> None:
        """Look at these deliveries of one queue now, and run those that are free and due.

        Raises:
            Exception: an effect's failure, raised after the deliveries of the other effects have run.
        """
        named: dict[str, list[DeliveryKey]] = {}
        outbound: dict[str, tuple[AnyOutboundEffect, list[DeliveryKey]]] = {}
        for key in keys:
            effect = self._subscriptions.named(key.effect)
            if effect is None:
                # A newer process wrote the row; a newer worker will run it.
                log.warning("delivery.unknown_effect", effect=key.effect, event_id=key.event_id)
            elif isinstance(effect, OutboundEffect):
                outbound.setdefault(effect.name, (effect, []))[1].append(key)
            else:
                named.setdefault(effect.queue, []).append(key)
        runs = [partial(self._database.run, queue, of_queue) for queue, of_queue in named.items()]
        runs += [
            partial(self._outbound.deliver, outbound_effect, of_effect)
            # Effects that read from slow servers come last, so that no other delivery of this wake-up waits for them.
            for outbound_effect, of_effect in sorted(outbound.values(), key=lambda each: each[0].repeat_at is not None)
        ]
        errors: list[Exception] = []
        for run in runs:
            try:
                run()
            except Exception as error:  # noqa: BLE001 - raised below; it must not keep other effects from being run
                errors.append(error)
        # A defect is raised first: all of them report an unavailable database.
        errors.sort(key=is_unavailable)
        for further in errors[1:]:
            if is_unavailable(further):
                log.warning("delivery.wakeup_failed", error=type(further).__name__)
            else:
                log.error("delivery.wakeup_failed", exc_info=further)
        if errors:
            raise errors[0]

    def stop(self) -> None:
        """Cut off the messages under way, and send no further ones."""
        self._outbound.stop()


class BatchFailed(Exception):
    """A batch's transaction must not be committed: each of its deliveries runs alone instead."""


@dataclass(frozen=True)
class Step:
    """The deliveries that one transaction claims and runs."""

    keys: Sequence[DeliveryKey]
    # The deliveries, where an earlier transaction has leased them; else they are claimed by their keys.
    leased: Sequence[Delivery] = ()
    alone: bool = False  # whether it is a single delivery, under the ordinary timeouts
    drains: bool = False  # whether others of the queue are claimed, too


@dataclass
class Batch:
    """Deliveries that share a transaction, and their progress; durations are of their effects."""

    waiting: list[Delivery] = field(default_factory=list)
    running: Delivery | None = None
    done: list[tuple[Delivery, timedelta]] = field(default_factory=list)
    failed: list[tuple[Delivery, Exception, timedelta]] = field(default_factory=list)
    exhausted: list[Delivery] = field(default_factory=list)


class Positions:
    """The due times at which the search of each effect of a queue for unnamed deliveries begins.

    As long as any transaction on the server holds an old snapshot (a backup, a suspended worker), finished deliveries
    stay in the index: searched from its beginning, each batch of a backlog would read all batches before it. A skipped
    delivery (committed late, or released) has a wake-up of its own, and every few seconds the search begins at the
    beginning.
    """

    def __init__(self, effects: Iterable[str], seconds: float = POSITION_SECONDS) -> None:
        self._beginning = dict.fromkeys(effects, ALWAYS)
        self._seconds = seconds
        self._since = dict(self._beginning)
        self._ends = 0.0

    def begin(self) -> Mapping[str, datetime]:
        """Where the next search begins, by effect, in the order of the effects."""
        if monotonic() >= self._ends:
            self._since, self._ends = dict(self._beginning), monotonic() + self._seconds
        return dict(self._since)

    def move(self, found: Sequence[Delivery]) -> None:
        """Begin at the deliveries that a search has found: for each effect, the one that has been due for longest."""
        for each in sorted(found, key=lambda delivery: delivery.late):
            self._since[each.key.effect] = each.now - each.late


class DatabaseRunner:
    """Runs the deliveries of database effects, in batches where possible, otherwise alone."""

    def __init__(self, transactions: Transactions, subscriptions: Subscriptions, *, batch_seconds: float) -> None:
        self._transactions = transactions
        self._batch_seconds = batch_seconds
        effects = subscriptions.database_effects()
        self._effects = {effect.name: effect for effect in effects}
        # Timers are named by the sweep.
        drained = [effect for effect in effects if not effect.alone and effect.due is None]
        self._shared = {queue: Positions(each.name for each in drained if each.queue == queue) for queue in QUEUES}
        self._slots = Semaphore(BATCHES_AT_ONCE)

    def run(self, queue: str, keys: Sequence[DeliveryKey]) -> None:
        """Run the named deliveries that are free and due, and others of the queue that are due with them."""
        with self._slots:
            steps = deque(Step(keys[at : at + MAX_BATCH], drains=True) for at in range(0, len(keys), MAX_BATCH))
            while steps:
                steps.extendleft(reversed(self._run_step(queue, steps.popleft(), named=keys)))

    def _run_step(self, queue: str, step: Step, *, named: Sequence[DeliveryKey]) -> list[Step]:
        """Run one transaction; returns the steps that are to follow it."""
        batch, claimed, following = Batch(), list(step.leased), list[Step]()
        try:
            with self._transactions() as db:
                claimed = self._claim(db, queue, step)
                alone, swept, batch.waiting = self._sorted(step, claimed)
                # One of these may have killed a worker: the attempts are counted before they are made.
                if leased := claim.lease(db, swept, LEASE):
                    following.append(Step(_keys(leased), leased, alone=step.alone))
                lines = self._run_and_settle(db, batch, alone=step.alone)
        except (BatchFailed, DBAPIError) as error:
            return self._steps_after(error, step, claimed, batch.running)
        for line in lines:
            line.log(beyond_wakeup=line.delivery.key not in named)
        following += [Step([each.key], alone=True) for each in alone]
        if batch.waiting:
            # Time was up. Unnamed deliveries are included: their own wake-up may have found them locked.
            following.append(Step(_keys(batch.waiting), batch.waiting if step.leased else ()))
        return following

    def _claim(self, db: Connection, queue: str, step: Step) -> list[Delivery]:
        if step.leased:
            return claim.hold(db, step.leased, batch=not step.alone)
        if step.alone:
            return claim.claim(db, step.keys)
        if not step.drains:
            return claim.claim(db, step.keys, limit=MAX_BATCH, batch=True)
        positions = self._shared[queue]
        claimed = claim.claim(db, step.keys, shared=positions.begin(), limit=MAX_BATCH, batch=True)
        positions.move([each for each in claimed if each.key not in step.keys])
        return claimed

    def _sorted(self, step: Step, claimed: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery], list[Delivery]]:
        """The deliveries that run alone, those that are leased first, and those that may run at once."""
        alone, swept, ready = list[Delivery](), list[Delivery](), list[Delivery]()
        for each in claimed:
            if step.leased:
                ready.append(each)
            elif not step.alone and (each.was_leased or self._effects[each.key.effect].alone):
                alone.append(each)
            elif each.nudges:
                swept.append(each)
            else:
                ready.append(each)
        return alone, swept, ready

    def _steps_after(
        self, error: Exception, step: Step, claimed: Sequence[Delivery], culprit: Delivery | None
    ) -> list[Step]:
        """The steps after a failed transaction: each of its deliveries alone, the one that was running last.

        A delivery whose commit succeeded although the answer was lost is found done then.

        Raises:
            DBAPIError: the error, where running alone cannot avoid it.
        """
        cause = error.__cause__ or error if isinstance(error, BatchFailed) else error
        if isinstance(error, DBAPIError) and not _fails_transaction(error):
            raise error
        if step.alone:
            # The sweep names it again. A failure to connect at all is raised.
            if not (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise error
            log.warning("delivery.connection_lost", effect=step.keys[0].effect, event_id=step.keys[0].event_id)
            return []
        log.warning("delivery.batch_failed", sqlstate=sqlstate_of(cause), error=type(cause).__name__)
        _RETRIES.inc(sqlstate_of(cause) in LOST_RACES)
        deliveries = sorted(claimed, key=lambda each: culprit is not None and each.key == culprit.key)
        if step.leased:
            return [Step([each.key], [each], alone=True) for each in deliveries]
        return [Step([key], alone=True) for key in _keys(deliveries) or step.keys]

    def _run_and_settle(self, db: Connection, batch: Batch, *, alone: bool) -> list[OutcomeLog]:
        """Run deliveries until the batch's time is up, and write the outcomes; returns the lines to be logged."""
        until = monotonic() + self._batch_seconds
        while batch.waiting and (batch.running is None or monotonic() < until):
            batch.running = batch.waiting.pop(0)
            self._run_one(db, batch.running, batch, alone=alone)
        batch.running = None
        try:
            flush_deferred(db)
        except DBAPIError as error:
            if _fails_transaction(error):
                raise
            raise BatchFailed from error
        except Exception as error:
            # Running each alone shows which delivery failed.
            raise BatchFailed from error
        return self._settle(db, batch)

    def _run_one(self, db: Connection, delivery: Delivery, batch: Batch, *, alone: bool) -> None:
        effect, began = self._effects[delivery.key.effect], monotonic()
        if delivery.counted_attempt > effect.policy.attempts:
            batch.exhausted.append(delivery)
            return
        with delivery_span(delivery, SpanKind.DELIVERY) as span:
            traced = delivery if span is None else span.follow(delivery)
            error = _error_of(db, effect, traced, alone=alone)
            if error is not None and alone and sqlstate_of(error) in LOST_RACES:
                _RETRIES.inc()
                error = _error_of(db, effect, traced, alone=alone)
            if error is not None and span is not None:
                span.failed = type(error).__name__
        took = timedelta(seconds=monotonic() - began)
        if error is None:
            batch.done.append((delivery, took))
        else:
            batch.failed.append((delivery, error, took))

    def _settle(self, db: Connection, batch: Batch) -> list[OutcomeLog]:
        if batch.done and settle.mark_done(db, [each for each, _took in batch.done]) != len(batch.done):
            raise BatchFailed("rows that were leased are no longer this worker's")
        lines = [success_log(delivery, took) for delivery, took in batch.done]
        lines += [
            settle_error(db, self._effects[delivery.key.effect], delivery, error, took)
            for delivery, error, took in batch.failed
        ]
        lines += [settle_exhausted(db, delivery) for delivery in batch.exhausted]
        if not all(line.ours for line in lines):
            raise BatchFailed("rows that were leased are no longer this worker's")
        return lines


def _error_of(db: Connection, effect: Effect, delivery: Delivery, *, alone: bool) -> Exception | None:
    """Run an effect; returns its error after the rollback of its changes, or None when it is done.

    Raises:
        DBAPIError: the transaction cannot go on.
        BatchFailed: the same, where an effect that must make no statement made one.
    """
    # An effect that makes no statement has nothing to roll back.
    savepoint, before = alone or not effect.deferred, recorded(db).mark()
    if savepoint:
        db.exec_driver_sql("SAVEPOINT effect")
    try:
        arguments = (delivery.target,) if effect.targets else ()
        effect.run(db, delivery.event, *arguments, now=delivery.now)
        if alone:
            # Its failure is the effect's.
            flush_deferred(db)
    except Exception as error:
        if isinstance(error, DBAPIError):
            if error.connection_invalidated or (not alone and _fails_transaction(error)):
                raise
            if not savepoint:
                raise BatchFailed from error
        if savepoint:
            db.exec_driver_sql("ROLLBACK TO SAVEPOINT effect")
        # The events that a failed effect recorded were rolled back with it.
        recorded(db).cut_back(before)
        return error
    if savepoint:
        db.exec_driver_sql("RELEASE SAVEPOINT effect")
    return None


def _keys(deliveries: Sequence[Delivery]) -> list[DeliveryKey]:
    return [delivery.key for delivery in deliveries]


def _fails_transaction(error: DBAPIError) -> bool:
    return error.connection_invalidated or sqlstate_of(error) in FAILS_TRANSACTION
