"""The worker of one queue, or of all: its Celery task, and what its process holds. `workers.command` starts it."""

import logging
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Timer
from typing import Any
from uuid import UUID

import structlog
from celery.signals import setup_logging, worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from config.metrics import start_metrics
from config.observing import observe
from config.settings import SettingsError, exit_on_refused_settings, settings
from infrastructure.celery_app import app
from infrastructure.operator_policy import operator_policy
from infrastructure.tracing import start_tracing, stop_tracing
from infrastructure.transactions import Transactions, is_unavailable, metered
from infrastructure.wakeups import TASK, WakeupQueue
from models import engine
from workers.routes import routes_of
from workers.runner import DeliveryRunner
from workflows.events.delivery import DeliveryKey
from workflows.events.subscriptions import activate_policy
from workflows.kernel.language import use_languages
from workflows.notifications.texts import use_templates

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 3.0


@dataclass(frozen=True)
class Process:
    """State of a worker's process: the thread that publishes wake-ups, its connections and its runner."""

    wakeups: WakeupQueue
    transactions: Transactions
    deliverer: DeliveryRunner

    def close(self) -> None:
        """Publish the wake-ups that are left, and close the database's connections."""
        self.deliverer.stop()
        self.wakeups.flush(FLUSH_SECONDS)
        self.transactions.engine.dispose()


@cache
def current() -> Process:
    """This process's, made from its settings at the first use."""
    chosen = settings()
    folder = Path(chosen.templates_folder) if chosen.templates_folder else None
    use_templates(folder)
    use_languages(chosen.default_locale, folder)
    # Threads that wait for the outside world hold no connection meanwhile, so that a few serve many.
    database = metered(
        engine.create(chosen.require_database_url(), pool_size=chosen.database_pool_size, name="tutelage-worker"),
        process=app.conf.get("tutelage_process", "worker"),
    )
    wakeups = WakeupQueue(app)
    transactions = Transactions(database, wakeups)
    effects = activate_policy(operator_policy(chosen))
    routes = routes_of(app.amqp.queues.consume_from, chosen, effects)
    return Process(wakeups, transactions, DeliveryRunner(transactions, effects, routes))


@app.task(name=TASK)
def run_deliveries(*, deliveries: Sequence[Mapping[str, str]], **_newer: Any) -> None:
    """Run these deliveries of one queue. Unknown arguments come from a newer publisher, or are for operators."""
    try:
        current().deliverer.deliver(*(_key(**named) for named in deliveries))
    except SQLAlchemyError as error:
        if not is_unavailable(error):
            raise
        # Every wake-up ends here while the database is unavailable. The sweep names the rows again.
        log.warning("worker.database_unavailable", error=str(error), deliveries=len(deliveries))


def _key(*, effect: str, event: str, target: str = "", **_subject: Any) -> DeliveryKey:
    return DeliveryKey(event_id=UUID(event), effect=effect, target=target)


# Connected, so that Celery leaves the loggers alone.
@setup_logging.connect
def _configure_logging(**_kw: Any) -> None:
    observe(settings(), app.conf.tutelage_process)
    # One line per delivery is ours; received and succeeded would be two more.
    for noisy in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)


@worker_shutting_down.connect
def _stop_sending_later(**_kw: Any) -> None:
    # Celery waits for as long as anything runs, and a mail server may take ten minutes.
    timer = Timer(app.conf.worker_soft_shutdown_timeout, current().deliverer.stop)
    timer.daemon = True
    timer.start()


@exit_on_refused_settings()
def run(name: str, queues: Sequence[str], threads: int) -> None:
    """Work on queues until a signal ends it.

    Args:
        name: of the worker, by which the process list, metrics and Flower know it.
        threads: how many messages are worked on at a time.
    """
    app.conf.tutelage_process = f"worker-{name}"
    _configure_logging()
    worker = app.Worker(
        hostname=f"{name}@{socket.gethostname()}",
        queues=list(queues),
        pool="threads",
        concurrency=threads,
        loglevel=settings().log_level,
        # No banner: everything that a worker logs is a line of JSON.
        quiet=True,
        # Workers exchange nothing: the database holds the due deliveries.
        without_gossip=True,
        without_mingle=True,
    )
    # A worker with an invalid mail template or address does not start.
    if folder := settings().templates_folder:
        from workflows.notifications.templating import template_errors  # noqa: PLC0415 - with Jinja, for those alone

        if found := template_errors(Path(folder)):
            raise SettingsError("\n".join(found))
    try:
        process = current()
    except ValueError as error:
        raise SettingsError(str(error)) from None
    start_metrics(settings(), app.conf.tutelage_process)
    start_tracing(settings(), app.conf.tutelage_process)
    # The first task should not wait for a connection to be made.
    try:
        process.transactions.engine.connect().close()
    except SQLAlchemyError as error:
        log.warning("worker.database_unavailable", error=str(error))
    try:
        worker.start()
    finally:
        process.close()
        stop_tracing()
    sys.exit(worker.exitcode)
