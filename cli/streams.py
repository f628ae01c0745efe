"""The server of live updates, which `tutelage streams` runs in a process of its own."""

import asyncio
import signal

import click
import structlog

from api.streams.handlers import make_application
from api.streams.hub import READERS, Hub
from config.settings import Settings
from infrastructure.transactions import metered
from models.engine import create

log = structlog.get_logger("cli.streams")


def serve(host: str, port: int, chosen: Settings) -> None:
    """Serve until SIGTERM or SIGINT; clients come back to the next process and miss nothing.

    Raises:
        ClickException: the address cannot be had.
    """
    asyncio.run(_serve(host, port, chosen))


async def _serve(host: str, port: int, chosen: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    engine = metered(create(chosen.database_url, name="tutelage-streams", pool_size=READERS), "streams")
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
