"""The Celery app as workers run it: one task per effect under the effect's own name, and what happens around them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Timer
from typing import Any
from uuid import UUID

import structlog
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    setup_logging,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from config.collecting import settle
from config.logging import configure_logging
from config.metrics_port import begin_telemetry
from config.settings import settings
from workers.process import current
from workers.queues import app
from workers.wakeups import TASK
from workflows.events.delivery import DeliveryKey
from workflows.events.subscriptions import load
from workflows.notifications.wording_check import complaints

# `celery --app workers.app:app` looks for it here.
__all__ = ["app"]

log = structlog.get_logger(__name__)


@app.task(name=TASK)
def run_deliveries(*, deliveries: Sequence[Mapping[str, str]], **_newer: Any) -> None:
    """Run these deliveries of one queue. Arguments that are unknown are a newer publisher's, or for operators."""
    try:
        current().deliverer.deliver(*(_key(**named) for named in deliveries))
    except OperationalError as error:
        # While the database is away every wake-up ends so. The sweep names the rows again.
        log.warning("worker.database_unavailable", error=str(error), deliveries=len(deliveries))


def _key(*, effect: str, event: str, target: str = "", **_subject: Any) -> DeliveryKey:
    return DeliveryKey(event_id=UUID(event), effect=effect, target=target)


def _task_of(effect: str) -> Callable[..., None]:
    def look_now(*, also: Sequence[Mapping[str, str]] = (), **first: Any) -> None:
        run_deliveries(deliveries=[{**named, "effect": effect} for named in (first, *also)])

    return look_now


# Messages of the release before named one effect as their task; they are still read for one release.
for _effect in load().all():
    app.task(_task_of(_effect.name), name=_effect.name)


@celeryd_init.connect
def _take_its_name(sender: str, instance: Any, options: Mapping[str, Any], **_kw: Any) -> None:
    # `--hostname reviews@%h`: the worker of the queue `reviews`, as it stands in the process list.
    app.conf.tutelage_process = f"worker-{sender.partition('@')[0]}"
    app.conf.tutelage_threads = options.get("concurrency") or 1
    # Whatever Celery says from here on is a line like all others: no banner, and no warning in prose.
    instance.quiet = True
    _log_as_everybody_else(loglevel=settings().log_level)
    logging.captureWarnings(True)


@celeryd_after_setup.connect
def _require_usable_settings(**_kw: Any) -> None:
    # A worker that cannot word its mails, or that does not understand an address, does not start.
    folder = settings().templates_folder
    if folder and (found := complaints(Path(folder))):
        raise SystemExit("\n".join(found))
    try:
        current()
    except ValueError as error:
        raise SystemExit(str(error)) from None


@setup_logging.connect
def _log_as_everybody_else(loglevel: int | str = "INFO", **_kw: Any) -> None:
    level = logging.getLevelName(loglevel) if isinstance(loglevel, int) else str(loglevel)
    configure_logging(level=level, process=app.conf.get("tutelage_process", "celery"))
    # One line per delivery is ours; received and succeeded would be two more.
    for noisy in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@worker_init.connect
def _begin_to_be_measured(**_kw: Any) -> None:
    begin_telemetry(settings())


@worker_process_init.connect
def _begin_afresh_after_the_fork(**_kw: Any) -> None:
    current.cache_clear()


@worker_ready.connect
def _warm_up(**_kw: Any) -> None:
    settle()
    # The first task of a worker should not wait for a connection to be made.
    try:
        current().transactions.engine.connect().close()
    except SQLAlchemyError as error:
        log.warning("worker.database_unavailable", error=str(error))


@worker_shutting_down.connect
def _end_what_hangs(**_kw: Any) -> None:
    # Celery waits for as long as anything runs, and a mail server may take ten minutes.
    timer = Timer(app.conf.worker_soft_shutdown_timeout, _stop_sending)
    timer.daemon = True
    timer.start()


def _stop_sending() -> None:
    if current.cache_info().currsize:
        current().deliverer.stop()


@worker_shutdown.connect
def _say_what_is_left(**_kw: Any) -> None:
    # Nothing is made at the end that was not needed before.
    if current.cache_info().currsize:
        current().close()
