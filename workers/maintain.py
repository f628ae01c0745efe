"""Maintain: the slow loop beside the sweep. It fills gaps, lets go what is old, and looks whether all is well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import structlog
from sqlalchemy import Connection, delete, func, select, tuple_

from config import telemetry
from config.settings import settings
from models import engine
from models.idempotency import idempotency_keys
from workers.gauging import gauge_deliveries, gauge_invariants
from workers.metering import metered
from workers.queues import app
from workers.transactions import Transactions
from workers.wakeups import Nudger
from workflows.events.backfill import fill_gaps, introduce
from workflows.events.subscriptions import load
from workflows.invariants import check_all
from workflows.webhooks.missed import forget_missed

log = structlog.get_logger(__name__)

INTERVAL = 30.0
LOOK_BACK = timedelta(hours=1)
EXPIRED_KEYS_AT_ONCE = 1_000
# Of one chore in a round: enough to keep up with the busiest house, and the other chores have their turn.
MOST_BATCHES = 20
# Does some of what is to be done; whether there may be more.
Chore = Callable[[Connection], bool]


def run_forever(stop: Event) -> None:
    """Maintain twice a minute until `stop` is set, beginning at once, whatever goes wrong in between."""
    database = metered(
        engine.create(settings().database_url, pool_size=1, name="tutelage-maintain"), process="maintain"
    )
    nudger = Nudger(app)
    # Once over everything, and then over what an old process may have written during a deploy.
    look_back: timedelta | None = None
    log.info("maintain.started")
    while True:
        if maintain(Transactions(database, nudger), look_back):
            look_back = LOOK_BACK
        if stop.wait(INTERVAL):
            break
    nudger.flush()
    database.dispose()
    log.info("maintain.stopped")


def maintain(transactions: Transactions, look_back: timedelta | None = None) -> bool:
    """One round, each chore in transactions of its own; returns whether all of them succeeded.

    Args:
        look_back: how far to look for missing deliveries; None for as long as each subscription is known.
    """
    chores: dict[str, Chore] = {
        "fill gaps": partial(_fill_gaps, look_back=look_back),
        "forget expired keys": _forget_expired_keys,
        "forget missed messages": _forget_missed_messages,
        "look for violations": _look_for_violations,
        "gauge deliveries": _gauge_deliveries,
    }
    return all([_do(transactions, name, chore) for name, chore in chores.items()])


def _do(transactions: Transactions, name: str, chore: Chore) -> bool:
    try:
        for _batch in range(MOST_BATCHES):
            with transactions() as db:
                more = chore(db)
            if not more:
                break
    except Exception as error:
        # One chore's failure is not the next one's, and the loop outlives them all.
        log.error("maintain.trouble", chore=name, exc_info=error)
        telemetry.MAINTAIN_CHORES.labels(name, "trouble").inc()
        return False
    telemetry.MAINTAIN_CHORES.labels(name, "ok").inc()
    return True


def _fill_gaps(db: Connection, *, look_back: timedelta | None) -> bool:
    """Deliveries that an old process did not know to write (durability.md, Maintain)."""
    introduce(db, load())
    filled = fill_gaps(db, load(), now=datetime.now(UTC), look_back=look_back)
    if filled:
        log.warning("maintain.filled_gaps", deliveries=filled)
    return False


def _forget_expired_keys(db: Connection) -> bool:
    """In small batches, so that nobody waits for a long delete."""
    key: Any = tuple_(*idempotency_keys.primary_key.columns)
    expired = select(*idempotency_keys.primary_key.columns).where(idempotency_keys.c.expires_at < func.now())
    gone = db.execute(delete(idempotency_keys).where(key.in_(expired.limit(EXPIRED_KEYS_AT_ONCE)))).rowcount
    return gone == EXPIRED_KEYS_AT_ONCE


def _forget_missed_messages(db: Connection) -> bool:
    """Of endpoints that did not listen, once nobody can recover them any more: in small batches, too."""
    return forget_missed(db, now=datetime.now(UTC))


def _gauge_deliveries(db: Connection) -> bool:
    gauge_deliveries(db)
    return False


def _look_for_violations(db: Connection) -> bool:
    findings = check_all(db)
    gauge_invariants(findings)
    for finding in findings:
        if finding.violations:
            log.error(
                "invariant.violated",
                invariant=finding.name,
                meaning=finding.meaning,
                violations=finding.violations,
                sample=finding.sample,
            )
    return False
