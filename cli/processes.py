"""`tutelage api`, `streams`, `sweep` and `maintain`: the processes of the system but Celery's.

Each reads its settings before it imports what it runs: a setting that makes no sense is refused in a tenth of the time,
and no process pays for the imports of another.
"""

import signal
import threading

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
    from cli.serve import serve  # noqa: PLC0415

    serve(host, port)


@click.command()
@HOST_OPTION
@click.option("--port", default=8001, show_default=True, type=PORT)
def streams(host: str, port: int) -> None:
    """Serve live updates as server-sent events."""
    chosen = _settings_to_listen(host)
    _begin("streams", chosen)
    from cli.streams import serve  # noqa: PLC0415

    serve(host, port, chosen)


@click.command()
def sweep() -> None:
    """Publish a wake-up again, once a second, for what is due and not done. Run two for safety."""
    stop = _begin_loop("sweep")
    from workers.sweep import run_forever  # noqa: PLC0415

    run_forever(stop)


@click.command()
def maintain() -> None:
    """Maintain the database: missing deliveries, old keys, messages too old to recover, invariants."""
    stop = _begin_loop("maintain")
    from workers.maintain import run_forever  # noqa: PLC0415

    run_forever(stop)


def _settings_to_listen(host: str) -> Settings:
    require_address(host)
    chosen = settings()
    chosen.require_servers()
    require_loopback(host, chosen)
    return chosen


def _begin_loop(name: str) -> threading.Event:
    """Prepare a process that runs a loop, and return the event that SIGTERM and SIGINT set, by which the loop ends."""
    chosen = settings()
    chosen.require_servers()
    _begin(name, chosen)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _begin(name: str, chosen: Settings) -> None:
    observe(chosen, name)
    start_metrics(chosen, name)
