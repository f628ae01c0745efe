"""`tutelage sweep` and `tutelage maintain`: the two loops outside Celery."""

from __future__ import annotations

import importlib
import signal
import threading

import click

from config.metrics import start_metrics
from config.observing import observe
from config.settings import settings


@click.command()
def sweep() -> None:
    """Publish a wake-up again, once a second, for what is due and not done. Run two for safety."""
    _run("sweep")


@click.command()
def maintain() -> None:
    """Maintain the database: missing deliveries, old keys, messages too old to recover, invariants."""
    _run("maintain")


def _run(name: str) -> None:
    """Run one loop of workers/ until SIGTERM or SIGINT; what it has begun it finishes."""
    observe(settings(), name)
    start_metrics(settings())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # By name: each loop pays for its own imports alone.
    importlib.import_module(f"workers.{name}").run_forever(stop)
