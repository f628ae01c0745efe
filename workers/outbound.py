"""Outbound effects: a batch of deliveries is leased, sent with no transaction open meanwhile, and settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Barrier, Condition, Lock
from time import monotonic, sleep
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from models.events import ErrorClass
from workers.outcomes import (
    attempt_of,
    log_fields,
    settle_error,
    settle_exhausted,
    settle_refusal,
    settle_success,
    success_log,
)
from workers.transactions import Transactions
from workers.transports.transport import Transport
from workflows.events import store
from workflows.events.delivery import Delivery, DeliveryKey, Postpone, SendResult
from workflows.events.store import Success
from workflows.events.subscriptions import AnyOutboundEffect

log = structlog.get_logger(__name__)

T = TypeVar("T")

# A sender that dies is waited for so long; what it had is sent by another one then.
LEASE = timedelta(seconds=45)
# Together with the longest deadline of a transport less than a lease: what begins later is released.
LATEST_START_SECONDS = 12.0
# A lease in use is renewed when it is that old; a transport asks at least as often while it waits for longer.
RENEWAL_SECONDS = 14.0
MAX_BATCH = 50
MAX_SETTLED_TOGETHER = 100
PAUSES_WITHOUT_DATABASE_SECONDS = (0.1, 0.5, 2, 5, 5)
# To lease one delivery costs nearly what it costs to lease ten: senders that become free are waited for a little.
WORTHWHILE = 8
COALESCING_SECONDS = 0.005
# When every sender waits for a receiver for so long, the rest is left to the sweep, which names it again.
ACQUIRE_SECONDS = 1.0


class Senders(Protocol):
    """Slots, each for one message under way, and what sends it."""

    def acquire(self, named: int) -> int: ...

    def release(self, count: int) -> None: ...

    def submit(self, run: Any, /, *args: Any) -> object: ...


class SynchronousExecutor:
    """As many slots as messages are named: one after the other is sent in the caller's thread."""

    def acquire(self, named: int) -> int:
        """All of them."""
        return named

    def release(self, count: int) -> None:
        """Nothing was kept."""

    def submit(self, run: Any, /, *args: Any) -> None:
        """Do it now."""
        run(*args)


class SenderPool:
    """Bulkhead of one transport: so many threads, started beforehand, and a slot for each message under way.

    Args:
        count: how many messages may be under way at a time.
    """

    def __init__(self, count: int, *, acquire_seconds: float = ACQUIRE_SECONDS) -> None:
        self._count = self._free = count
        self._acquire_seconds = acquire_seconds
        self._changed = Condition(Lock())
        self._turn = Lock()
        # One more, since a sender's slot is free while it writes outcomes for all.
        self._threads = ThreadPoolExecutor(count + 1, thread_name_prefix="sender")
        started = Barrier(count + 2)
        for _ in range(count + 1):
            self._threads.submit(started.wait)
        started.wait()

    def acquire(self, named: int) -> int:
        """Wait until slots are free, and take up to a batch of them; 0 when none is for long.

        Args:
            named: for how many messages they are wanted at least.
        """
        with self._turn, self._changed:
            worthwhile = min(named or 1, WORTHWHILE, self._count)
            self._changed.wait_for(lambda: self._free >= worthwhile, COALESCING_SECONDS)
            self._changed.wait_for(lambda: self._free, self._acquire_seconds if named else 0)
            count = min(self._free, MAX_BATCH)
            self._free -= count
        return count

    def release(self, count: int) -> None:
        """Give slots back."""
        with self._changed:
            self._free += count
            self._changed.notify()

    def submit(self, run: Any, /, *args: Any) -> object:
        """Run it in a sender's thread, for a slot that was acquired."""
        return self._threads.submit(run, *args)


@dataclass(frozen=True)
class Route:
    """A transport, and who sends by it."""

    transport: Transport[Any]
    senders: Senders = field(default_factory=SynchronousExecutor)


@dataclass(eq=False)
class LeasedMessage:
    """A message to be sent for a delivery that was leased.

    Args:
        since: when it was leased, or its lease renewed, on the monotonic clock.
        route: by which it goes.
        settled: done when its outcome is written; its result says whether it was postponed.
        took: how long the attempt took.
    """

    effect: AnyOutboundEffect
    delivery: Delivery
    message: Any
    since: float
    route: Route
    settled: Future[bool] = field(default_factory=Future)
    took: timedelta = timedelta()
    has_slot: bool = True

    def release(self) -> None:
        """Give its slot back, once."""
        if self.has_slot:
            self.has_slot = False
            self.route.senders.release(1)

    def end(self, *, postponed: bool = False, error: BaseException | None = None) -> None:
        """Everything about it is written, or failed for a reason that the wake-up is to raise."""
        self.release()
        if error is None:
            self.settled.set_result(postponed)
        else:
            self.settled.set_exception(error)


class OutboundRunner:
    """Sends what is due: each message by a sender of its own, so that one receiver that hangs holds up no other.

    Args:
        routes: by the name of the transport.
    """

    def __init__(
        self,
        transactions: Transactions,
        routes: Mapping[str, Route],
        *,
        latest_start: float = LATEST_START_SECONDS,
        renewal: float = RENEWAL_SECONDS,
    ) -> None:
        self._transactions = transactions
        self._routes = routes
        self._latest_start = latest_start
        self._renewal = renewal
        self._batcher = OutcomeBatcher(transactions, self._settle)
        self._stopping = False

    def deliver(self, effect: AnyOutboundEffect, keys: Sequence[DeliveryKey]) -> None:
        """Send those of an effect's deliveries that are free and due, and others of it while there are slots left.

        All that was begun is settled when this returns.
        """
        route = self._routes[effect.transport]
        begun: list[LeasedMessage] = []
        more = True
        try:
            # Nothing is leased before there is a thread to send it: a lease keeps other workers out.
            while (keys or more) and not self._stopping and (slots := route.senders.acquire(len(keys))):
                leased = self._begin(effect, keys[:slots], slots, route, begun)
                keys = keys[slots:]
                done = [each for each in begun if each.settled.done()]
                # While some are put off for want of room, no others are looked for.
                more = leased == slots and not any(each.settled.result() for each in done)
                begun = [each for each in begun if each not in done]
        finally:
            wait([each.settled for each in begun])
        for each in begun:
            each.settled.result()

    def stop(self) -> None:
        """Shut down every connection; what was under way is left to the end of its lease."""
        self._stopping = True
        for route in self._routes.values():
            route.transport.close()

    def _begin(
        self,
        effect: AnyOutboundEffect,
        keys: Sequence[DeliveryKey],
        slots: int,
        route: Route,
        begun: list[LeasedMessage],
    ) -> int:
        """Lease some deliveries and have them sent; returns how many were leased."""
        ready: list[LeasedMessage] = []
        try:
            with self._transactions.autocommit() as db:
                since = monotonic()
                deliveries = store.claim_leased(db, effect.name, keys, LEASE, others=slots - len(keys))
                for delivery, message in zip(deliveries, _prepared(db, effect, deliveries), strict=True):
                    if delivery.counted_attempt > effect.policy.attempts:
                        settle_exhausted(db, delivery).log()
                    elif isinstance(message, Exception):
                        settle_error(db, effect, delivery, message, timedelta()).log()
                    else:
                        ready.append(LeasedMessage(effect, delivery, message, since, route))
        finally:
            # No connection is held any more while anybody talks.
            begun += ready
            route.senders.release(slots - len(ready))
            for each in ready:
                route.senders.submit(self._run, each)
        return len(deliveries)

    def _run(self, leased: LeasedMessage) -> None:
        began = monotonic()
        try:
            outcome = self._send(leased)
        except BaseException as error:  # noqa: BLE001 - raised again by the wake-up that waits for it
            leased.end(error=error)
            return
        leased.took = timedelta(seconds=monotonic() - began)
        taken = isinstance(outcome, SendResult) and outcome.error is None
        if isinstance(outcome, SendResult) and taken and not _has_to_settle(leased):
            leased.release()
            self._batcher.write(leased, outcome)
        elif taken or not self._stopping:
            self._settle(leased, outcome)
        else:
            # It may be that our own stop cut it off: the lease runs out.
            leased.end(postponed=True)

    def _send(self, leased: LeasedMessage) -> SendResult | Exception:
        if monotonic() - leased.since > self._latest_start:
            return Postpone(leased.delivery.now, "It was held up until there was too little left of its lease.")
        try:
            return leased.route.transport.send(leased.message, partial(self._renew, leased))
        except Postpone as postponed:
            return postponed
        except Exception as error:
            log.error("delivery.transport_failed", **log_fields(leased.delivery), exc_info=error)
            return SendResult(error=f"{type(error).__name__}: {error}", error_class=ErrorClass.INTERNAL)

    def _renew(self, leased: LeasedMessage) -> None:
        if monotonic() - leased.since < self._renewal:
            return
        try:
            with self._transactions.autocommit() as db:
                store.renew(db, [leased.delivery], LEASE)
        except OperationalError as error:
            # There is time for another try.
            log.warning("lease.not_renewed", **log_fields(leased.delivery), error=type(error).__name__)
        else:
            leased.since = monotonic()

    def _settle(self, leased: LeasedMessage, outcome: SendResult | Exception) -> None:
        """Write one outcome by itself."""
        try:
            _while_database_returns(leased.delivery, partial(self._settle_once, leased, outcome))
        except BaseException as error:  # noqa: BLE001 - raised again by the wake-up that waits for it
            leased.end(error=error)
        else:
            leased.end(postponed=isinstance(outcome, Postpone))

    def _settle_once(self, leased: LeasedMessage, outcome: SendResult | Exception) -> None:
        effect, delivery = leased.effect, leased.delivery
        try:
            with self._transactions() as db:
                if isinstance(outcome, Exception):
                    line = settle_error(db, effect, delivery, outcome, leased.took)
                elif outcome.error is None:
                    line = settle_success(db, delivery, leased.took, outcome)
                else:
                    line = settle_refusal(db, effect, delivery, outcome, leased.took)
                # The outcome first: a sender that lost its lease writes nothing, and settles nothing.
                if line.ours and effect.settle is not None and isinstance(outcome, SendResult):
                    effect.settle(db, delivery, leased.message, outcome)
        except OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect is written to the row, and tried again
            with self._transactions() as db:
                line = settle_error(db, effect, delivery, error, leased.took)
        line.log()


class OutcomeBatcher:
    """Writes successes that change nothing but their deliveries, those of all senders together, by whoever comes first.

    Args:
        settle: writes one by itself, where its row was held by somebody or is no longer ours.
    """

    def __init__(self, transactions: Transactions, settle: Callable[[LeasedMessage, SendResult], None]) -> None:
        self._transactions = transactions
        self._settle = settle
        self._lock = Lock()
        self._waiting: list[tuple[LeasedMessage, SendResult]] = []
        self._writing = False

    def write(self, leased: LeasedMessage, sent: SendResult) -> None:
        """Write it and whatever comes meanwhile, or leave it to the sender who is writing."""
        with self._lock:
            self._waiting.append((leased, sent))
            if self._writing:
                return
            self._writing = True
        while batch := self._next():
            self._write(batch)

    def _next(self) -> list[tuple[LeasedMessage, SendResult]]:
        with self._lock:
            batch, self._waiting = self._waiting[:MAX_SETTLED_TOGETHER], self._waiting[MAX_SETTLED_TOGETHER:]
            self._writing = bool(batch)
        return batch

    def _write(self, batch: list[tuple[LeasedMessage, SendResult]]) -> None:
        successes = [Success(delivery=leased.delivery, attempt=attempt_of(sent, leased.took)) for leased, sent in batch]
        try:
            keys = _while_database_returns(batch[0][0].delivery, partial(self._write_once, successes))
        except Exception as error:  # noqa: BLE001 - raised again by every wake-up whose outcome it was
            for leased, _sent in batch:
                leased.end(error=error)
            return
        for leased, sent in batch:
            if leased.delivery.key in keys:
                success_log(leased.delivery, leased.took).log()
                leased.end()
            else:
                # Not here: it may have to wait for the row.
                leased.route.senders.submit(self._settle, leased, sent)

    def _write_once(self, successes: list[Success]) -> set[DeliveryKey]:
        with self._transactions.autocommit() as db:
            return store.done_outbound(db, successes)


def _prepared(db: Connection, effect: AnyOutboundEffect, deliveries: Sequence[Delivery]) -> Sequence[Any]:
    """The message of each, or why there is none: prepared together, or each by itself if one of them spoils that."""
    if not deliveries:
        return []
    try:
        return effect.prepare(db, deliveries)
    except Exception as error:  # noqa: BLE001 - whose error it is shows when each is prepared by itself
        if len(deliveries) == 1:
            return [error]
        log.warning("delivery.preparation_failed", effect=effect.name, error=type(error).__name__)
        return [message for delivery in deliveries for message in _prepared(db, effect, [delivery])]


def _has_to_settle(leased: LeasedMessage) -> bool:
    effect = leased.effect
    return effect.settle is not None and effect.settles(leased.delivery, leased.message)


def _while_database_returns(delivery: Delivery, write: Callable[[], T]) -> T:
    """Write, and try again while the database is away: what has been sent is not to be sent again."""
    for pause in PAUSES_WITHOUT_DATABASE_SECONDS:
        try:
            return write()
        except OperationalError as error:
            log.warning("delivery.outcome_waits", **log_fields(delivery), error=type(error).__name__)
            sleep(pause)
    return write()
