"""The Celery app: five queues, one task per effect under the effect's own name, and settings with their reasons."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_init, worker_process_init, worker_ready, worker_shutdown
from kombu import Queue
from sqlalchemy.exc import SQLAlchemyError

from config.logging import configure_logging
from config.metrics_port import begin_telemetry
from config.settings import settings
from workers.broker import WORKER_OPTIONS, PromptAMQP, UnhurriedEvents
from workers.process import current
from workers.transports.channels import ChannelsTransport
from workflows.events.delivery import Key
from workflows.events.subscriptions import QUEUES, load
from workflows.notifications.wording_check import complaints

log = structlog.get_logger(__name__)

app = Celery("tutelage", amqp=PromptAMQP, events=UnhurriedEvents)
app.conf.update(
    broker_url=settings().redis_url or "redis://127.0.0.1:6379/0",
    broker_transport_options=WORKER_OPTIONS,
    # The default gives up after 100 tries; Redis may be away for longer than that.
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    broker_connection_retry=True,
    # Publishing with Redis down fails at once: the nudge is speed, the sweep is the guarantee.
    task_publish_retry=False,
    # Direct queues only: a FLUSHALL erases topic bindings, and publishing then silently goes nowhere.
    task_queues=[Queue(name, routing_key=name) for name in QUEUES],
    task_default_queue=QUEUES[0],
    task_routes={effect.name: {"queue": effect.queue} for effect in load().all()},
    task_create_missing_queues=False,
    task_serializer="json",
    accept_content=["json"],
    # The delivery's row is the result, and the record of every attempt.
    task_ignore_result=True,
    result_backend=None,
    # The sweep brings back what a lost worker held; True would loop on a task that kills its worker.
    task_acks_late=True,
    task_reject_on_worker_lost=False,
    # Tiny database effects: a few at hand keep the threads busy, and what a dead worker held stays little.
    worker_prefetch_multiplier=4,
    # What Flower shows.
    worker_send_task_events=True,
    task_send_sent_event=False,
    # Celery's own lines per task would say again, in prose, what the delivery's line says.
    worker_hijack_root_logger=False,
    worker_enable_remote_control=True,
    # A warm shutdown on SIGTERM finishes what runs; what it does not finish in time the sweep brings back.
    worker_soft_shutdown_timeout=10,
)


def _task_of(effect: str) -> Callable[..., None]:
    def look_now(*, also: Sequence[Mapping[str, str]] = (), **first: Any) -> None:
        """Look at these deliveries now. Unknown arguments are a newer publisher's, or for the eyes of operators."""
        keys = [_key(effect, **named) for named in (first, *also)]
        current().deliverer.deliver_all(effect, keys)

    return look_now


def _key(effect: str, *, event: str, target: str = "", **_subject: Any) -> Key:
    return Key(event_id=UUID(event), effect=effect, target=target)


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


@celeryd_init.connect
def _look_at_words_and_channels(**_kw: Any) -> None:
    # Before anybody is told anything by them: a worker that cannot word its mails does not start.
    folder = settings().templates_folder
    if folder and (found := complaints(Path(folder))):
        raise SystemExit("\n".join(found))
    try:
        ChannelsTransport(settings().apprise_urls)
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
    # The first task of a worker should not wait for a connection to be made.
    try:
        current().transactions.engine.connect().close()
    except SQLAlchemyError as error:
        log.warning("worker.database_unavailable", error=str(error))


@worker_shutdown.connect
def _say_what_is_left(**_kw: Any) -> None:
    # Nothing is made at the end that was not needed before.
    if current.cache_info().currsize:
        current().close()
