"""What one process holds once: its connections, its nudging thread, its transports; made at the first use."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from celery import current_app

from config.settings import settings
from models import engine
from workers.metering import metered
from workers.outbound import Route
from workers.rules import house_rules
from workers.runner import Deliverer
from workers.transactions import Transactions
from workers.wakeups import Nudger
from workflows.events.subscriptions import use
from workflows.notifications import wording

FLUSH_SECONDS = 3.0
# Imported by the workers of these queues alone: with the libraries behind they are a third of a worker's memory.
TRANSPORTS = {"webhooks": "workers.transports.webhooks", "notifications": "workers.transports.notifications"}


@dataclass(frozen=True)
class Process:
    """A worker's belongings."""

    nudger: Nudger
    transactions: Transactions
    deliverer: Deliverer

    def close(self) -> None:
        """Publish what is still to be nudged, and let go of the database."""
        self.deliverer.stop()
        self.nudger.flush(FLUSH_SECONDS)
        self.transactions.engine.dispose()


@cache
def current() -> Process:
    """This process's belongings, from its settings; after the fork where there is one."""
    chosen = settings()
    wording.use(Path(chosen.templates_folder) if chosen.templates_folder else None)
    app = current_app._get_current_object()
    # Threads that wait for the outside world hold no connection meanwhile, so that a few serve many.
    database = metered(
        engine.create(chosen.database_url, pool_size=chosen.database_pool_size, name="tutelage-worker"),
        process=app.conf.get("tutelage_process", "worker"),
    )
    nudger = Nudger(app)
    transactions = Transactions(database, nudger)
    routes: dict[str, Route] = {}
    for queue in app.amqp.queues.consume_from:
        if queue in TRANSPORTS:
            routes |= importlib.import_module(TRANSPORTS[queue]).routes(chosen)
    effects = use(house_rules(chosen))
    return Process(nudger, transactions, Deliverer(transactions, effects, routes))
