"""`tutelage streams`: live updates, in a process of their own."""

from __future__ import annotations

import asyncio
import signal

import click
import structlog

from api.streams.handlers import make_application
from api.streams.hub import READERS, Hub
from cli.addresses import require_address, require_loopback
from config.metrics import start_metrics
from config.observing import observe
from config.settings import Settings, settings
from models.engine import create
from workers.transactions import metered

log = structlog.get_logger("cli.streams")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(1, 65_535))
def streams(host: str, port: int) -> None:
    """Serve live updates as server-sent events."""
    chosen = settings()
    chosen.require_database_url()
    observe(chosen, "streams")
    require_address(host)
    require_loopback(host, chosen)
    start_metrics(chosen)
    asyncio.run(_serve(host, port, chosen))


async def _serve(host: str, port: int, chosen: Settings) -> None:
    """Serve until SIGTERM or SIGINT; clients come back to the next process and miss nothing."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    engine = metered(create(chosen.database_url, name="streams", pool_size=READERS), "streams")
    hub = Hub(engine, chosen)
    await hub.start()
    try:
        server = make_application(hub).listen(port, host)
    except OSError as error:
        raise click.ClickException(f"Streams cannot listen on {host}, port {port}: {error.strerror}.") from error
    log.info("streams.ready", host=host, port=port)
    following = asyncio.create_task(hub.follow())
    await stop.wait()
    following.cancel()
    server.stop()
    await server.close_all_connections()
    engine.dispose()
