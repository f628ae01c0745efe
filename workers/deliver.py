"""The one task body: take a delivery, run its effect, and write what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from models.events import DeliveryState
from workers.transactions import Transactions
from workflows.events import deliveries
from workflows.events.delivery import Delivery, Key
from workflows.events.outcomes import Cancel, Retry, Sent
from workflows.events.record import take_notes
from workflows.events.subscriptions import Effect, OutsideEffect, Subscriptions

log = structlog.get_logger(__name__)

# Longer than any effect may take: its statements time out after 10 s, a transport's deadline is 15 s.
DATABASE_LEASE = timedelta(seconds=20)
OUTSIDE_LEASE = timedelta(seconds=45)
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
        with self._transactions() as db:
            delivery = deliveries.claim(db, key)
            if delivery is None:
                return
            if not delivery.nudges:
                _run_inside(db, effect, delivery)
                return
            leased = _lease(db, effect, delivery, DATABASE_LEASE)
        if leased is not None:
            with self._transactions() as db:
                if deliveries.hold(db, leased):
                    _run_inside(db, effect, leased)

    def _deliver_outside(self, effect: OutsideEffect, key: Key) -> None:
        with self._transactions() as db:
            delivery = deliveries.claim(db, key)
            leased = delivery and _lease(db, effect, delivery, OUTSIDE_LEASE)
            if leased is None:
                return
            try:
                with db.begin_nested():
                    message = effect.prepare(db, leased)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
                _failed(db, effect, leased, error, timedelta())
                return
        # No transaction is open while the transport talks.
        began = monotonic()
        sent = self._send(effect, leased, message)
        took = timedelta(seconds=monotonic() - began)
        with self._transactions() as db:
            _settle(db, effect, leased, sent, took)

    def _send(self, effect: OutsideEffect, delivery: Delivery, message: Any) -> Sent:
        try:
            return self._transports[effect.transport].send(message)
        except Exception as error:
            log.error("delivery.transport_failed", **_about(delivery), exc_info=error)
            return Sent(error=f"{type(error).__name__}: {error}")


def _lease(db: Connection, effect: Effect | OutsideEffect, delivery: Delivery, duration: timedelta) -> Delivery | None:
    if delivery.attempt > effect.policy.attempts:
        error = "Its worker died during every attempt."
        log.error("delivery.dead", **_about(delivery), error=error)
        deliveries.give_up(db, delivery, DeliveryState.DEAD, error)
        return None
    return deliveries.lease(db, delivery, duration)


def _run_inside(db: Connection, effect: Effect, delivery: Delivery) -> None:
    began = monotonic()
    try:
        _run_once_more_after_a_deadlock(db, effect, delivery)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
        # What a failed effect recorded was rolled back with it.
        take_notes(db)
        _failed(db, effect, delivery, error, timedelta(seconds=monotonic() - began))
    else:
        deliveries.done(db, delivery)
        log.info("delivery.done", **_about(delivery), duration_ms=round((monotonic() - began) * 1000))


def _run_once_more_after_a_deadlock(db: Connection, effect: Effect, delivery: Delivery) -> None:
    try:
        _run_in_savepoint(db, effect, delivery)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in SERIALIZATION_TROUBLE:
            raise
        log.warning("delivery.deadlock", **_about(delivery))
        take_notes(db)
        _run_in_savepoint(db, effect, delivery)


def _run_in_savepoint(db: Connection, effect: Effect, delivery: Delivery) -> None:
    arguments = (delivery.target,) if effect.targets else ()
    with db.begin_nested():
        effect.run(db, delivery.event, *arguments, now=delivery.now)


def _failed(
    db: Connection, effect: Effect | OutsideEffect, delivery: Delivery, error: Exception, took: timedelta
) -> None:
    match error:
        case Cancel():
            _give_up(db, delivery, DeliveryState.CANCELLED, str(error), took)
        case Retry() if delivery.attempt < effect.policy.attempts:
            _again(db, delivery, error.after, str(error), took)
        case Retry():
            _give_up(db, delivery, DeliveryState.DEAD, str(error), took)
        case _:
            reason = f"{type(error).__name__}: {error}"
            log.error("delivery.failed", **_about(delivery), exc_info=error)
            _back_off(db, effect, delivery, Sent(error=reason), took)


def _settle(db: Connection, effect: OutsideEffect, delivery: Delivery, sent: Sent, took: timedelta) -> None:
    if not deliveries.hold(db, delivery):
        log.warning("delivery.settled_late", **_about(delivery))
        return
    try:
        with db.begin_nested():
            effect.settle(db, delivery, sent)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is written to the row and tried again
        take_notes(db)
        _failed(db, effect, delivery, error, took)
        return
    if sent.error is not None:
        _back_off(db, effect, delivery, sent, took)
        return
    deliveries.done(db, delivery)
    deliveries.note_attempt(
        db, delivery, outcome="done", duration=took, status_code=sent.status_code, response=sent.response
    )
    log.info("delivery.done", **_about(delivery), duration_ms=round(took.total_seconds() * 1000))


def _back_off(db: Connection, effect: Effect | OutsideEffect, delivery: Delivery, sent: Sent, took: timedelta) -> None:
    pause = effect.policy.pause_after(delivery.attempt)
    if pause is None or sent.permanent:
        _give_up(db, delivery, DeliveryState.DEAD, sent.error or "", took, sent)
    else:
        # The receiver's wish only ever delays.
        _again(db, delivery, max(pause, sent.retry_after or pause), sent.error or "", took, sent)


def _again(
    db: Connection, delivery: Delivery, after: timedelta, error: str, took: timedelta, sent: Sent | None = None
) -> None:
    deliveries.again(db, delivery, after, error)
    _note(db, delivery, "retry", error, took, sent)
    log.warning("delivery.retry", **_about(delivery), error=error, after_seconds=round(after.total_seconds()))


def _give_up(
    db: Connection, delivery: Delivery, state: DeliveryState, error: str, took: timedelta, sent: Sent | None = None
) -> None:
    deliveries.give_up(db, delivery, state, error)
    _note(db, delivery, state.value, error, took, sent)
    log.log(40 if state is DeliveryState.DEAD else 20, f"delivery.{state.value}", **_about(delivery), error=error)


def _note(db: Connection, delivery: Delivery, outcome: str, error: str, took: timedelta, sent: Sent | None) -> None:
    deliveries.note_attempt(
        db,
        delivery,
        outcome=outcome,
        error=error,
        duration=took,
        status_code=sent.status_code if sent else None,
        response=sent.response if sent else None,
    )


def _about(delivery: Delivery) -> dict[str, Any]:
    event = delivery.event
    return {
        "delivery_id": delivery.id,
        "effect": delivery.key.effect,
        "event_id": event.id,
        "attempt": delivery.attempt,
        "actor": event.actor,
        f"{event.subject}_id": event.subject_id,
    }
