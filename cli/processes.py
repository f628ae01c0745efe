"""`tutelage api`, `streams`, `sweep` and `maintain`: the processes of the system but Celery's.

Each reads its settings before it imports, by name, what it runs: a setting that makes no sense is refused in a tenth of
the time, and no process pays for the imports of another.
"""

from __future__ import annotations

import signal
import threading
from importlib import import_module

import click

from cli.addresses import require_address, require_loopback
from config.metrics import start_metrics
from config.observing import observe
from config.settings import Settings, settings

HOST_OPTION = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
PORT = click.IntRange(1, 65_535)


@click.command()
@HOST_OPTION
@click.option("--port", default=8000, show_default=True, type=PORT)
def api(host: str, port: int) -> None:
    """Answer HTTP."""
    _settings_to_listen(host)
    import_module("cli.serve").serve(host, port)


@click.command()
@HOST_OPTION
@click.option("--port", default=8001, show_default=True, type=PORT)
def streams(host: str, port: int) -> None:
    """Serve live updates as server-sent events."""
    chosen = _settings_to_listen(host)
    _begin("streams", chosen)
    import_module("cli.streams").serve(host, port, chosen)


@click.command()
def sweep() -> None:
    """Publish a wake-up again, once a second, for what is due and not done. Run two for safety."""
    _loop("sweep")


@click.command()
def maintain() -> None:
    """Maintain the database: missing deliveries, old keys, messages too old to recover, invariants."""
    _loop("maintain")


def _settings_to_listen(host: str) -> Settings:
    require_address(host)
    chosen = settings()
    chosen.require_database_url()
    require_loopback(host, chosen)
    return chosen


def _loop(name: str) -> None:
    """Run one loop of workers/ until SIGTERM or SIGINT; what it has begun it finishes."""
    chosen = settings()
    chosen.require_database_url()
    _begin(name, chosen)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    import_module(f"workers.{name}").run_forever(stop)


def _begin(name: str, chosen: Settings) -> None:
    observe(chosen, name)
    start_metrics(chosen)
