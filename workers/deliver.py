"""The one task body: take a delivery, run its effect, and have written what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from time import monotonic, sleep
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from workers.outcomes import Said, about, buried, failed, refused, succeeded
from workers.transactions import Transactions
from workflows.events import deliveries
from workflows.events.delivery import Delivery, Key
from workflows.events.outcomes import Postpone, Sent
from workflows.events.record import take_notes
from workflows.events.subscriptions import Effect, OutsideEffect, Subscriptions

log = structlog.get_logger(__name__)

# Longer than any effect may take: its statements time out after 10 s, a mail's deadline is 30 s.
DATABASE_LEASE = timedelta(seconds=20)
OUTSIDE_LEASE = timedelta(seconds=45)
# Seconds, well within the lease of what leaves the house.
PAUSES_WITHOUT_DATABASE = (0.1, 0.5, 2, 5, 5)
SERIALIZATION_TROUBLE = {"40P01", "40001"}


class Transport(Protocol):
    """A way out of the house: gives the message to the receiver, and reports; raises only for a defect."""

    def send(self, message: Any) -> Sent: ...


class Deliverer:
    """Delivers, whatever the effect: those in the database in one transaction, those outside between two."""

    def __init__(
        self, transactions: Transactions, subscriptions: Subscriptions, transports: Mapping[str, Transport]
    ) -> None:
        self._transactions = transactions
        self._subscriptions = subscriptions
        self._transports = transports

    def deliver(self, key: Key) -> None:
        """Look at one delivery now, and run it unless somebody did or does, or it is not due."""
        effect = self._subscriptions.named(key.effect)
        if effect is None:
            # A newer process wrote the row; a newer worker will run it.
            log.warning("delivery.unknown_effect", effect=key.effect, event_id=key.event_id)
        elif isinstance(effect, Effect):
            self._deliver_inside(effect, key)
        else:
            self._deliver_outside(effect, key)

    def _deliver_inside(self, effect: Effect, key: Key) -> None:
        leased, said = None, None
        with self._transactions() as db:
            delivery = deliveries.claim(db, key)
            if delivery is None:
                return
            if not delivery.nudges:
                said = _run_inside(db, effect, delivery)
            elif delivery.counted_attempt > effect.policy.attempts:
                said = buried(db, delivery)
            else:
                leased = deliveries.lease(db, delivery, DATABASE_LEASE)
        if leased is not None:
            with self._transactions() as db:
                said = _run_inside(db, effect, leased) if deliveries.hold(db, leased) else None
        if said is not None:
            said.log()

    def _deliver_outside(self, effect: OutsideEffect, key: Key) -> None:
        prepared = self._prepare(effect, key)
        if prepared is None:
            return
        delivery, message = prepared
        # No transaction is open while the transport talks.
        began = monotonic()
        try:
            sent = self._send(effect, delivery, message)
            took = timedelta(seconds=monotonic() - began)
            said = self._settle(effect, delivery, message, sent, took)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
            with self._transactions() as db:
                said = failed(db, effect, delivery, error, timedelta(seconds=monotonic() - began))
        said.log()

    def _prepare(self, effect: OutsideEffect, key: Key) -> tuple[Delivery, Any] | None:
        with self._transactions.each_by_itself() as db:
            delivery = deliveries.claim_leased(db, key, OUTSIDE_LEASE)
            if delivery is None:
                return None
            if delivery.counted_attempt > effect.policy.attempts:
                said = buried(db, delivery)
            else:
                try:
                    return delivery, effect.prepare(db, delivery)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
                    said = failed(db, effect, delivery, error, timedelta())
        said.log()
        return None

    def _settle(self, effect: OutsideEffect, delivery: Delivery, message: Any, sent: Sent, took: timedelta) -> Said:
        # What has been sent is not to be sent again just because the database was away for a moment.
        for pause in PAUSES_WITHOUT_DATABASE:
            try:
                with self._transactions() as db:
                    return _settle(db, effect, delivery, message, sent, took)
            except OperationalError as error:
                log.warning("delivery.outcome_waits", **about(delivery), error=type(error).__name__)
                sleep(pause)
        with self._transactions() as db:
            return _settle(db, effect, delivery, message, sent, took)

    def _send(self, effect: OutsideEffect, delivery: Delivery, message: Any) -> Sent:
        try:
            return self._transports[effect.transport].send(message)
        except Postpone:
            raise
        except Exception as error:
            log.error("delivery.transport_failed", **about(delivery), exc_info=error)
            return Sent(error=f"{type(error).__name__}: {error}")


def _settle(
    db: Connection, effect: OutsideEffect, delivery: Delivery, message: Any, sent: Sent, took: timedelta
) -> Said:
    # The outcome first: whoever lost the lease meanwhile writes nothing, and settles nothing.
    said = refused(db, effect, delivery, sent, took) if sent.error is not None else succeeded(db, delivery, took, sent)
    if said.ours:
        effect.settle(db, delivery, message, sent)
    return said


def _run_inside(db: Connection, effect: Effect, delivery: Delivery) -> Said:
    began = monotonic()
    try:
        _run_once_more_after_a_deadlock(db, effect, delivery)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
        # What a failed effect recorded was rolled back with it.
        take_notes(db)
        return failed(db, effect, delivery, error, timedelta(seconds=monotonic() - began))
    return succeeded(db, delivery, timedelta(seconds=monotonic() - began))


def _run_once_more_after_a_deadlock(db: Connection, effect: Effect, delivery: Delivery) -> None:
    try:
        _run_in_savepoint(db, effect, delivery)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in SERIALIZATION_TROUBLE:
            raise
        log.warning("delivery.deadlock", **about(delivery))
        take_notes(db)
        _run_in_savepoint(db, effect, delivery)


def _run_in_savepoint(db: Connection, effect: Effect, delivery: Delivery) -> None:
    arguments = (delivery.target,) if effect.targets else ()
    with db.begin_nested():
        effect.run(db, delivery.event, *arguments, now=delivery.now)
