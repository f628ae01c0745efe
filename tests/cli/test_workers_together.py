"""Tests of WORKERS=together: one worker process for all queues."""

import socket
from pathlib import Path

import pytest
from celery import Celery

from cli.embedded import StartError
from cli.plan import PARTS, TOGETHER
from cli.system import running_system
from config.settings import settings
from infrastructure.broker import broker_settings
from tests.cli.running import tutelage_up
from workers.routes import routes_of
from workflows.events import QUEUES
from workflows.events.subscriptions import load

WORKERS = [part.name for part in PARTS if part.queue]
OTHERS = [part.name for part in PARTS if part.group == "programs" and not part.queue]


def test_one_process_consumes_every_queue(tmp_path: Path) -> None:
    with tutelage_up(tmp_path / "data", without=OTHERS, environment={"WORKERS": "together"}) as up:
        run = up.run()
        assert [entry["name"] for entry in run["processes"]] == ["postgres", "redis", TOGETHER.name]
        with Celery("test", set_as_current=False) as celery:
            celery.conf.update(broker_settings(run["redis_url"]))
            answers = celery.control.inspect(timeout=10, limit=1).active_queues()
    (worker,) = answers
    assert worker == f"all@{socket.gethostname()}"
    assert {queue["name"] for queue in answers[worker]} == set(QUEUES)


def test_one_process_has_the_transports_of_every_queue() -> None:
    effects = load()
    assert {effect.transport for effect in effects.outbound_effects()} <= set(routes_of(QUEUES, settings(), effects))


@pytest.mark.parametrize("name", WORKERS)
def test_the_worker_of_a_single_queue_cannot_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("WORKERS", "together")
    with (
        pytest.raises(StartError, match=f"There is no part {name}"),
        running_system(data_dir=tmp_path, without=[name]),
    ):
        pass
