"""Tests of queues and workers: each effect's queue has exactly one worker, and each effect its own task."""

from collections import Counter

import workers.worker  # noqa: F401 - it has the task
from cli.plan import PROGRAMS
from infrastructure.celery_app import app
from infrastructure.wakeups import TASK
from workflows.events import QUEUES
from workflows.events.subscriptions import load


def test_every_queue_has_one_worker_in_the_process_list() -> None:
    consumed = Counter(part.command[1] for part in PROGRAMS if part.command[0] == "tutelage-worker")
    assert consumed == Counter(QUEUES)
    assert [part.queue for part in PROGRAMS if part.queue] == list(QUEUES)


def test_queues_and_effects_match() -> None:
    assert {effect.queue for effect in load().all()} == set(QUEUES)


def test_there_is_one_task() -> None:
    assert {name for name in app.tasks if not name.startswith("celery.")} == {TASK}


def test_no_setting_of_celery_loses_messages_or_waits_for_redis() -> None:
    conf = app.conf
    # A FLUSHALL erases the bindings of other exchanges, and publishing then silently goes nowhere.
    assert {(queue.name, queue.exchange.type) for queue in conf.task_queues} == {(name, "direct") for name in QUEUES}
    assert not conf.task_create_missing_queues
    assert not conf.task_publish_retry
    assert not conf.task_reject_on_worker_lost
    assert conf.broker_connection_max_retries is None
    assert {"socket_timeout", "socket_connect_timeout", "health_check_interval"} <= set(conf.broker_transport_options)
    # It silently turns pipelined batches off.
    assert "retry_on_timeout" not in conf.broker_transport_options
