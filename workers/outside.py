"""What leaves the house: leased together, sent by a sender each, and settled, with no transaction open meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from time import monotonic, sleep
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from models.events import ErrorClass
from workers.leases import LEASE, Leases
from workers.ledger import Ledger
from workers.outcomes import Said, about, attempt_of, buried, failed, refused, succeeded, written
from workers.senders import Job, Jobs, Senders
from workers.transactions import Transactions
from workers.transports.transport import Transport
from workflows.events import store
from workflows.events.delivery import Delivery, Key
from workflows.events.outcomes import Postpone, Sent
from workflows.events.store import Success
from workflows.events.subscriptions import AnyOutboundEffect

log = structlog.get_logger(__name__)

# Whoever begins later might find the lease over before it is renewed for the first time.
LATEST = 12.0  # seconds
# Seconds. Together with what each try takes they may be longer than a lease, which is renewed until all is written.
PAUSES_WITHOUT_DATABASE = (0.1, 0.5, 2, 5, 5)


@dataclass(frozen=True)
class Errand:
    """A message to be sent for a delivery that was leased, and since when it has been."""

    effect: AnyOutboundEffect
    delivery: Delivery
    message: Any
    since: float = field(default_factory=monotonic)


class OutsideDeliverer:
    """Sends what is due: each message by its own sender, so that one receiver who hangs is nobody else's trouble."""

    def __init__(self, transactions: Transactions, transports: Mapping[str, Transport], senders: Senders) -> None:
        self._transactions = transactions
        self._transports = transports
        self._senders = senders
        self._ledger = Ledger(transactions)
        self._leases = Leases(transactions)

    def deliver(self, effect: AnyOutboundEffect, keys: Sequence[Key]) -> None:
        """Send those of an effect's deliveries that are free and due; all are settled when this returns."""
        jobs = Jobs(self._senders)
        try:
            while keys:
                # Nothing is leased before somebody is there to send it: a lease keeps other workers out.
                hired = self._senders.hire(len(keys))
                self._send_some(effect, keys[:hired], jobs)
                keys = keys[hired:]
        finally:
            jobs.wait()

    def _send_some(self, effect: AnyOutboundEffect, keys: Sequence[Key], jobs: Jobs) -> None:
        errands: list[Errand] = []
        try:
            with self._transactions.each_by_itself() as db:
                errands.extend(_errands(db, effect, keys))
        finally:
            # No connection is held any more while anybody talks.
            for errand in errands:
                jobs.send(partial(self._run, errand))
            self._senders.let_go(len(keys) - len(errands))

    def _run(self, errand: Errand) -> Job:
        with ExitStack() as keeping:
            settle = self._sent(errand, keeping)
            return partial(_within, keeping.pop_all(), settle)

    def _sent(self, errand: Errand, keeping: ExitStack) -> Job:
        began = monotonic()
        try:
            sent = self._send(errand, keeping)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
            return partial(self._fail, errand, error, timedelta(seconds=monotonic() - began))
        return partial(self._settle_or_fail, errand, sent, timedelta(seconds=monotonic() - began))

    def _settle_or_fail(self, errand: Errand, sent: Sent, took: timedelta) -> None:
        try:
            said = self._settle(errand, sent, took)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
            self._fail(errand, error, took)
        else:
            said.log()

    def _fail(self, errand: Errand, error: Exception, took: timedelta) -> None:
        with self._transactions() as db:
            said = failed(db, errand.effect, errand.delivery, error, took)
        said.log()

    def _send(self, errand: Errand, keeping: ExitStack) -> Sent:
        if monotonic() - errand.since > LATEST:
            raise Postpone(errand.delivery.now, "It was held up until there was too little left of its lease.")
        try:
            keeping.enter_context(self._leases.kept(errand.delivery))
            return self._transports[errand.effect.transport].send(errand.message)
        except Postpone:
            raise
        except Exception as error:
            log.error("delivery.transport_failed", **about(errand.delivery), exc_info=error)
            return Sent(error=f"{type(error).__name__}: {error}", error_class=ErrorClass.INTERNAL)

    def _settle(self, errand: Errand, sent: Sent, took: timedelta) -> Said:
        # What has been sent is not to be sent again just because the database was away for a moment.
        for pause in PAUSES_WITHOUT_DATABASE:
            try:
                return self._settle_once(errand, sent, took)
            except OperationalError as error:
                log.warning("delivery.outcome_waits", **about(errand.delivery), error=type(error).__name__)
                sleep(pause)
        return self._settle_once(errand, sent, took)

    def _settle_once(self, errand: Errand, sent: Sent, took: timedelta) -> Said:
        delivery = errand.delivery
        effect = errand.effect
        quiet = sent.error is None and (effect.settle is None or not effect.settles(delivery, errand.message))
        if quiet and self._ledger.done(Success(delivery=delivery, attempt=attempt_of(sent, took))):
            return written(delivery, took)
        with self._transactions() as db:
            return _settle(db, errand, sent, took)


def _within(kept: ExitStack, settle: Job) -> None:
    # What has arrived is not to be sent by another while its outcome waits for the database.
    with kept:
        settle()


def _errands(db: Connection, effect: AnyOutboundEffect, keys: Sequence[Key]) -> Iterator[Errand]:
    """Lease those that are free and due, and prepare their messages; what came of the others is written."""
    since = monotonic()
    deliveries = store.claim_leased(db, effect.name, keys, LEASE)
    for delivery, message in zip(deliveries, _prepared(db, effect, deliveries), strict=True):
        if delivery.counted_attempt > effect.policy.attempts:
            buried(db, delivery).log()
        elif isinstance(message, Exception):
            failed(db, effect, delivery, message, timedelta()).log()
        else:
            yield Errand(effect, delivery, message, since)


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


def _settle(db: Connection, errand: Errand, sent: Sent, took: timedelta) -> Said:
    # The outcome first: whoever lost the lease meanwhile writes nothing, and settles nothing.
    effect, delivery = errand.effect, errand.delivery
    said = refused(db, effect, delivery, sent, took) if sent.error is not None else succeeded(db, delivery, took, sent)
    if said.ours and effect.settle is not None:
        effect.settle(db, delivery, errand.message, sent)
    return said
