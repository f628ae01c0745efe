"""The one task body: take a delivery, run its effect, and have written what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from config import telemetry
from workers.outcomes import Said, about, buried, failed, succeeded
from workers.outside import OutsideDeliverer
from workers.senders import InThisThread, Senders
from workers.transactions import Transactions
from workers.transports.transport import Transport
from workflows.events import deliveries
from workflows.events.delivery import Delivery, Key
from workflows.events.record import cut_back, mark, take_notes
from workflows.events.subscriptions import Effect, Subscriptions

log = structlog.get_logger(__name__)

# Longer than any effect may take: its statements time out after 10 s.
DATABASE_LEASE = timedelta(seconds=20)
SERIALIZATION_TROUBLE = {"40P01", "40001"}
_RETRIES = telemetry.TRANSACTION_RETRIES.labels("delivery", "lost_race")


class Deliverer:
    """Delivers, whatever the effect: those in the database in one transaction, those outside between two.

    Args:
        senders: who talks to the outside world; the caller's own thread, unless there are others.
    """

    def __init__(
        self,
        transactions: Transactions,
        subscriptions: Subscriptions,
        transports: Mapping[str, Transport],
        senders: Senders | None = None,
    ) -> None:
        self._transactions = transactions
        self._subscriptions = subscriptions
        self._outside = OutsideDeliverer(transactions, transports, senders or InThisThread())

    def deliver(self, key: Key) -> None:
        """Look at one delivery now, and run it unless somebody did or does, or it is not due."""
        self.deliver_all(key.effect, [key])

    def deliver_all(self, name: str, keys: Sequence[Key]) -> None:
        """Look at some deliveries of one effect, as `deliver` does at one."""
        effect = self._subscriptions.named(name)
        if effect is None:
            # A newer process wrote the rows; a newer worker will run them.
            log.warning("delivery.unknown_effect", effect=name, event_id=keys[0].event_id, deliveries=len(keys))
        elif isinstance(effect, Effect):
            for key in keys:
                self._deliver_inside(effect, key)
        else:
            self._outside.deliver(effect, keys)

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


def _run_inside(db: Connection, effect: Effect, delivery: Delivery) -> Said:
    began, before = monotonic(), mark(db)
    try:
        _run_once_more_after_a_deadlock(db, effect, delivery)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
        # What a failed effect recorded was rolled back with it.
        cut_back(db, before)
        return failed(db, effect, delivery, error, timedelta(seconds=monotonic() - began))
    return succeeded(db, delivery, timedelta(seconds=monotonic() - began))


def _run_once_more_after_a_deadlock(db: Connection, effect: Effect, delivery: Delivery) -> None:
    try:
        _run_in_savepoint(db, effect, delivery)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in SERIALIZATION_TROUBLE:
            raise
        log.warning("delivery.deadlock", **about(delivery))
        _RETRIES.inc()
        take_notes(db)
        _run_in_savepoint(db, effect, delivery)


def _run_in_savepoint(db: Connection, effect: Effect, delivery: Delivery) -> None:
    arguments = (delivery.target,) if effect.targets else ()
    with db.begin_nested():
        effect.run(db, delivery.event, *arguments, now=delivery.now)
