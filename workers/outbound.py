"""Outbound effects: a batch of deliveries is leased, sent with no transaction open meanwhile, and settled."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Barrier, Condition, Lock, Semaphore
from time import monotonic, sleep
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from infrastructure.tracing import SpanKind, delivery_span
from infrastructure.transactions import Transactions, is_unavailable
from models.events import ErrorClass
from models.sqlstates import QUERY_CANCELED, is_connection_loss, sqlstate_of
from workers.outcomes import (
    attempt_of,
    log_fields,
    postponed_log,
    settle_error,
    settle_exhausted,
    settle_refusal,
    settle_repeated,
    settle_success,
    success_log,
)
from workers.transports import Transport
from workflows.events import claim, settle
from workflows.events.delivery import Attempt, Delivery, DeliveryKey, Postpone, SendResult
from workflows.events.rows import NIL
from workflows.events.subscriptions import OutboundEffect

log = structlog.get_logger(__name__)

M = TypeVar("M")
T = TypeVar("T")
WriteSuccesses = Callable[[Connection, Sequence[tuple[Delivery, Attempt]]], set[DeliveryKey]]

# After a sender has died, another one takes over its deliveries.
LEASE = timedelta(seconds=45)
# Together with the longest deadline of a transport less than a lease: a delivery that would begin later is released.
LATEST_START_SECONDS = 12.0
# A lease in use is renewed at this age; a transport that waits for longer asks at least as often.
RENEWAL_SECONDS = 14.0
MAX_LEASED_TOGETHER = 50
MAX_SETTLED_TOGETHER = 100
# The pauses after which an outcome is written again while the database is unavailable.
DATABASE_RETRY_SECONDS = (0.1, 0.5, 2, 5, 5)
# Leasing one delivery costs nearly as much as leasing ten: a sender waits for half of the slots as long as another slot
# is released within this time.
COALESCING_SECONDS = 0.005
# When no slot becomes free for so long, the remaining deliveries are left to the sweep, which publishes them again.
ACQUIRE_SECONDS = 1.0
# For so long a wake-up goes on with deliveries that it does not name; then the next wake-up takes over.
DRAIN_SECONDS = 5.0
# Starting a thread for each message costs more than sending it: few threads send a batch whose receivers respond at
# once. Each time that a part of it has not been begun after this time, twice as many more are started.
FIRST_SENDERS = 4
RAMP_UP_SECONDS = 0.002


class SenderPool:
    """Bulkhead of one transport: threads, started beforehand, and a slot for each message under way.

    Args:
        count: how many messages may be under way at a time.
        acquire_seconds: how long to wait for the first free slot.
    """

    def __init__(self, count: int, *, acquire_seconds: float = ACQUIRE_SECONDS) -> None:
        self.count = self._free = count
        self._acquire_seconds = acquire_seconds
        self._changed = Condition(Lock())
        self._turn = Lock()
        self._wanted = 0
        # One more thread, since a sender's slot is free while it writes the outcomes of all.
        self._threads = ThreadPoolExecutor(count + 1, thread_name_prefix="sender")
        started = Barrier(count + 2)
        for _ in range(count + 1):
            self._threads.submit(started.wait)
        started.wait()

    def acquire(self, named: int) -> int:
        """Wait for free slots and take up to `MAX_LEASED_TOGETHER` of them; 0 when there are none in time.

        Args:
            named: how many deliveries are named; with 0, there is no waiting, and a quarter of the slots stays free for
                named deliveries.
        """
        seconds = self._acquire_seconds if named else 0
        until = monotonic() + seconds
        # A thread that waits for its turn waits no longer than the thread that has it.
        if not self._turn.acquire(timeout=seconds):
            return 0
        try:
            return self._take(named, until)
        finally:
            self._turn.release()

    def _take(self, named: int, until: float) -> int:
        half, before = min(named or MAX_LEASED_TOGETHER, max(1, self.count // 2)), -1
        with self._changed:
            while before < self._free < half:
                before = self._free
                self._wait_for(half, COALESCING_SECONDS)
            self._wait_for(1, max(0.0, until - monotonic()))
            free = self._free if named else max(0, self._free - self.count // 4)
            count = min(free, MAX_LEASED_TOGETHER)
            self._free -= count
        return count

    def release(self, count: int) -> None:
        with self._changed:
            self._free += count
            # One notification for all awaited slots, instead of one for each.
            if self._free >= self._wanted:
                self._changed.notify()

    def submit(self, run: Callable[..., None], /, *args: object) -> object:
        return self._threads.submit(run, *args)

    def _wait_for(self, count: int, seconds: float) -> None:
        self._wanted = count
        self._changed.wait_for(lambda: self._free >= count, seconds)


@dataclass(frozen=True)
class Route(Generic[M]):
    """A transport and the threads that send by it."""

    transport: Transport[M]
    senders: SenderPool


@dataclass(eq=False)
class LeasedMessage(Generic[M]):
    """The message of a leased delivery."""

    effect: OutboundEffect[M]
    delivery: Delivery
    message: M
    since: float  # when it was leased or its lease renewed, on the monotonic clock
    route: Route[M]
    # Done when its outcome is written; the result is whether it was postponed.
    settled: Future[bool] = field(default_factory=Future)
    took: timedelta = timedelta()  # the duration of the attempt
    has_slot: bool = True

    @property
    def settles(self) -> bool:
        """Whether a success changes more than the delivery."""
        return self.effect.settle is not None and self.effect.settles(self.delivery, self.message)

    def release(self) -> None:
        """Give its slot back, once."""
        if self.has_slot:
            self.has_slot = False
            self.route.senders.release(1)

    def end(self, *, postponed: bool = False, error: BaseException | None = None) -> None:
        """Report that its outcome is written, or the error that the wake-up is to raise."""
        self.release()
        if self.settled.done():
            # The delivery had ended before its worker failed at a later step.
            return
        if error is None:
            self.settled.set_result(postponed)
        else:
            self.settled.set_exception(error)


@dataclass
class Drain:
    """The search for deliveries of an effect that no wake-up names, by one thread at a time."""

    lock: Lock = field(default_factory=Lock)
    after: UUID = NIL  # the webhook endpoint at which it goes on

    def end(self) -> bool:
        """Leave the search to another thread; returns False, since this one drains no longer."""
        self.lock.release()
        return False


class OutboundRunner:
    """Leases, sends and settles deliveries of outbound effects.

    Args:
        routes: by the name of the transport; each has its own type of message.
    """

    def __init__(
        self,
        transactions: Transactions,
        routes: Mapping[str, Route[Any]],
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
        # For each effect, one thread looks for unnamed deliveries; the others are free for named ones.
        self._drains = {name: Drain() for name in routes}
        # More wake-ups would only wait for slots, in threads that other effects of the queue need.
        self._wakeups = {name: Semaphore(route.senders.count) for name, route in routes.items()}

    def deliver(self, effect: OutboundEffect[M], keys: Sequence[DeliveryKey]) -> None:
        """Send the named deliveries that are free and due, and others of the effect while there are slots left.

        Every delivery that was begun is settled when this returns. While as many wake-ups as slots are under way, a
        further one is left to the sweep.
        """
        wakeups = self._wakeups[effect.transport]
        if wakeups.acquire(blocking=False):
            try:
                self._deliver(effect, keys)
            finally:
                wakeups.release()

    def _deliver(self, effect: OutboundEffect[M], keys: Sequence[DeliveryKey]) -> None:
        route, drain = self._routes[effect.transport], self._drains[effect.transport]
        begun: list[LeasedMessage[M]] = []
        drains, until = drain.lock.acquire(blocking=False), monotonic() + DRAIN_SECONDS
        try:
            # No delivery is leased before it has a slot: a lease keeps other workers out.
            while (keys or drains) and not self._stopping and (slots := route.senders.acquire(len(keys))):
                claimed = self._begin(effect, keys, slots, route, begun, drain if drains else None)
                # Fewer leased than slots: no named delivery is left that is free.
                found_others = not claimed.issubset(keys)
                keys = [key for key in keys if key not in claimed] if len(claimed) == slots else []
                done = {each for each in begun if each.settled.done()}
                no_room = any(each.settled.result() for each in done)
                begun = [each for each in begun if each not in done]
                # While some are postponed for lack of room, no others are looked for.
                if drains and (no_room or not (keys or found_others) or monotonic() >= until):
                    drains = drain.end()
        finally:
            if drains:
                drain.end()
            wait([each.settled for each in begun])
        for each in begun:
            each.settled.result()

    def stop(self) -> None:
        """Shut down every connection; messages under way are left to the end of their leases."""
        self._stopping = True
        for route in self._routes.values():
            route.transport.close()

    def _begin(
        self,
        effect: OutboundEffect[M],
        keys: Sequence[DeliveryKey],
        slots: int,
        route: Route[M],
        begun: list[LeasedMessage[M]],
        drain: Drain | None,
    ) -> set[DeliveryKey]:
        """Lease deliveries and start sending them; returns those that were leased, or have got their turn."""
        ready: deque[LeasedMessage[M]] = deque()
        try:
            with self._transactions.autocommit() as db:
                since = monotonic()
                claimed = self._claim(db, effect, keys, slots, drain)
                deliveries = [delivery for delivery in claimed if delivery.turn_at is None]
                messages = _prepared(db, effect, deliveries)
                for delivery, message in zip(deliveries, messages, strict=True):
                    if delivery.counted_attempt > effect.policy.attempts:
                        settle_exhausted(db, delivery).log()
                    elif isinstance(message, Exception):
                        settle_error(db, effect, delivery, message, timedelta()).log()
                    else:
                        ready.append(LeasedMessage(effect, delivery, message, since, route))
        finally:
            # Only now, since no database connection may be held while messages are sent.
            begun += ready
            route.senders.release(slots - len(ready))
            self._start(ready, route)
        return {delivery.key for delivery in claimed}

    def _claim(
        self, db: Connection, effect: OutboundEffect[M], keys: Sequence[DeliveryKey], slots: int, drain: Drain | None
    ) -> list[Delivery]:
        after = drain.after if drain else NIL
        claimed = claim.claim_leased(db, effect.name, keys, LEASE, limit=slots, others=drain is not None, after=after)
        waiting = [delivery for delivery in claimed if delivery.turn_at is not None]
        for delivery in waiting:
            assert delivery.turn_at is not None
            postponed_log(delivery, delivery.turn_at, claim.RATE_LIMIT_REACHED).log()
        if drain is not None:
            named = set(keys)
            others = [each.endpoint_id for each in claimed if each.key not in named and each.endpoint_id]
            drain.after = max(others, default=NIL)
            for endpoint_id in set(others).intersection(each.endpoint_id for each in waiting):
                log.info("webhooks.turns_given", endpoint_id=endpoint_id, messages=claim.give_turns(db, endpoint_id))
        return claimed

    def _start(self, waiting: deque[LeasedMessage[M]], route: Route[M]) -> None:
        """Send these by as many threads as it takes until each has been begun."""
        left, wave = len(waiting), FIRST_SENDERS
        while waiting and left:
            for _ in range(min(wave, left)):
                route.senders.submit(self._send_all, waiting)
            left, wave = max(0, left - wave), 2 * wave
            if waiting and left:
                sleep(RAMP_UP_SECONDS)

    def _send_all(self, waiting: deque[LeasedMessage[M]]) -> None:
        """Send messages that no other thread has begun, one after the other."""
        while True:
            try:
                leased = waiting.popleft()
            except IndexError:
                return
            try:
                self._send_and_settle(leased)
            except BaseException as error:  # noqa: BLE001 - raised again by the wake-up that waits for it
                leased.end(error=error)

    def _send_and_settle(self, leased: LeasedMessage[M]) -> None:
        began = monotonic()
        with delivery_span(leased.delivery, SpanKind.MESSAGE) as span:
            outcome = self._send(leased)
            if span is not None:
                span.failed = _failure_of(outcome)
        leased.took = timedelta(seconds=monotonic() - began)
        accepted = _accepts(outcome)
        if isinstance(outcome, SendResult) and accepted and not leased.settles:
            leased.release()
            self._batcher.write(leased, outcome)
        elif accepted or not self._stopping:
            self._settle(leased, outcome)
        else:
            # Our own stop may have cut it off: the lease runs out.
            leased.end(postponed=True)

    def _send(self, leased: LeasedMessage[M]) -> SendResult | Exception:
        if monotonic() - leased.since > self._latest_start:
            return Postpone(leased.delivery.now, "It was held up until there was too little left of its lease.")
        try:
            return leased.route.transport.send(leased.message, partial(self._renew, leased))
        except Postpone as postponed:
            return postponed
        except Exception as error:
            log.error("delivery.transport_failed", **log_fields(leased.delivery), exc_info=error)
            return SendResult(error=f"{type(error).__name__}: {error}", error_class=ErrorClass.INTERNAL)

    def _renew(self, leased: LeasedMessage[M]) -> None:
        if monotonic() - leased.since < self._renewal:
            return
        try:
            with self._transactions.autocommit() as db:
                claim.renew(db, [leased.delivery], LEASE)
        except SQLAlchemyError as error:
            if not is_unavailable(error):
                raise
            # There is time for another try.
            log.warning("lease.not_renewed", **log_fields(leased.delivery), error=type(error).__name__)
        else:
            leased.since = monotonic()

    def _settle(self, leased: LeasedMessage[M], outcome: SendResult | Exception) -> None:
        """Write one outcome in its own transaction."""
        try:
            _retry_write(DATABASE_RETRY_SECONDS, [leased], partial(self._settle_once, leased, outcome))
            self._follow_success(leased, outcome)
        except BaseException as error:  # noqa: BLE001 - raised again by the wake-up that waits for it
            leased.end(error=error)
        else:
            leased.end(postponed=isinstance(outcome, Postpone))

    def _follow_success(self, leased: LeasedMessage[M], outcome: SendResult | Exception) -> None:
        follow = leased.effect.after_success
        if follow is None or not _accepts(outcome) or not leased.settles:
            return
        try:
            with self._transactions() as db:
                follow(db, leased.message)
        except Exception as error:  # noqa: BLE001 - logged
            # The outcome is written; `maintain` does the rest.
            log.warning("delivery.not_followed", **log_fields(leased.delivery), error=type(error).__name__)

    def _settle_once(self, leased: LeasedMessage[M], outcome: SendResult | Exception) -> None:
        effect, delivery = leased.effect, leased.delivery
        try:
            with self._transactions() as db:
                if isinstance(outcome, Exception):
                    line = settle_error(db, effect, delivery, outcome, leased.took)
                elif effect.repeat_at is not None and outcome.error_class is not ErrorClass.INTERNAL:
                    again_at = effect.repeat_at(delivery, leased.message, outcome)
                    line = settle_repeated(db, delivery, outcome, again_at, leased.took)
                elif outcome.error is None:
                    line = settle_success(db, delivery, leased.took, outcome)
                else:
                    line = settle_refusal(db, effect, delivery, outcome, leased.took)
                # The outcome first: a sender that lost its lease writes and settles nothing.
                if line.ours and effect.settle is not None and isinstance(outcome, SendResult):
                    effect.settle(db, delivery, leased.message, outcome)
                elif line.ours and effect.give_back is not None and isinstance(outcome, Postpone):
                    effect.give_back(db, leased.message)
        except Exception as error:
            if _is_away(error):
                raise
            # A defect is written to the row, and tried again.
            with self._transactions() as db:
                line = settle_error(db, effect, delivery, error, leased.took)
        line.log()


class OutcomeBatcher:
    """Outcome batcher: the first sender to finish writes its success and those that other senders add meanwhile.

    Args:
        settle: writes one outcome alone, where its row was locked or is no longer ours.
        write_successes: writes several in one statement, and returns those that were written.
    """

    def __init__(
        self,
        transactions: Transactions,
        settle: Callable[[LeasedMessage[Any], SendResult], None],
        *,
        write_successes: WriteSuccesses = settle.done_outbound,
        max_together: int = MAX_SETTLED_TOGETHER,
        database_retry_seconds: Sequence[float] = DATABASE_RETRY_SECONDS,
    ) -> None:
        self._transactions = transactions
        self._settle = settle
        self._write_successes = write_successes
        self._max_together = max_together
        self._retry_seconds = database_retry_seconds
        self._lock = Lock()
        self._waiting: list[tuple[LeasedMessage[Any], SendResult]] = []
        self._writing = False

    def write(self, leased: LeasedMessage[Any], result: SendResult) -> None:
        """Write a success and those added meanwhile, or leave it to the sender that is writing."""
        with self._lock:
            self._waiting.append((leased, result))
            if self._writing:
                return
            self._writing = True
        while batch := self._next():
            try:
                self._write(batch)
            except BaseException as error:  # noqa: BLE001 - raised again by each of the wake-ups
                for each, _result in batch:
                    each.end(error=error)

    def _next(self) -> list[tuple[LeasedMessage[Any], SendResult]]:
        with self._lock:
            batch, self._waiting = self._waiting[: self._max_together], self._waiting[self._max_together :]
            self._writing = bool(batch)
        return batch

    def _write(self, batch: list[tuple[LeasedMessage[Any], SendResult]]) -> None:
        successes = [(leased.delivery, attempt_of(result, leased.took)) for leased, result in batch]
        sent = [leased for leased, _result in batch]
        keys = _retry_write(self._retry_seconds, sent, partial(self._write_once, successes))
        for leased, result in batch:
            if leased.delivery.key in keys:
                leased.end()
                success_log(leased.delivery, leased.took, result).log()
            else:
                # In another thread: it may have to wait for the row.
                leased.route.senders.submit(self._settle, leased, result)

    def _write_once(self, successes: Sequence[tuple[Delivery, Attempt]]) -> set[DeliveryKey]:
        with self._transactions.autocommit() as db:
            return self._write_successes(db, successes)


def _accepts(outcome: SendResult | Exception) -> bool:
    return isinstance(outcome, SendResult) and outcome.error is None


def _failure_of(outcome: SendResult | Exception) -> str | None:
    """The kind of a failed attempt, for its span; None for a success."""
    if isinstance(outcome, Exception):
        return type(outcome).__name__
    return None if outcome.error is None else str(outcome.error_class)


def _prepared(db: Connection, effect: OutboundEffect[M], deliveries: Sequence[Delivery]) -> Sequence[M | Exception]:
    """The message or the error of each delivery: prepared together, or one by one after an error."""
    if not deliveries:
        return []
    try:
        return effect.prepare(db, deliveries)
    except Exception as error:
        if isinstance(error, SQLAlchemyError) and is_connection_loss(error):
            # The error belongs to no single delivery, and each further statement would raise it again.
            raise
        # Preparing one by one shows which delivery has the error.
        if len(deliveries) == 1:
            return [error]
        log.warning("delivery.preparation_failed", effect=effect.name, error=type(error).__name__)
        return [message for delivery in deliveries for message in _prepared(db, effect, [delivery])]


def _retry_write(pauses: Sequence[float], sent: Sequence[LeasedMessage[Any]], write: Callable[[], T]) -> T:
    """Write, with retries while the database is unavailable, so that a sent message is not sent again.

    After the end of the lease another worker sends it again, and writes its own outcome.
    """
    until = min(each.since for each in sent) + LEASE.total_seconds()
    for pause in pauses:
        try:
            return write()
        except SQLAlchemyError as error:
            if not _is_away(error) or monotonic() + pause >= until:
                raise
            log.warning("delivery.outcome_waits", **log_fields(sent[0].delivery), error=type(error).__name__)
            sleep(pause)
    return write()


def _is_away(error: Exception) -> bool:
    """Whether the database is unavailable: a statement that took too long would do so again."""
    return is_unavailable(error) and sqlstate_of(error) != QUERY_CANCELED
