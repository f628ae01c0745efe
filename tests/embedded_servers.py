"""The embedded Valkey, without the rest of the system: for tests and for the bench."""

from pathlib import Path

from cli.embedded import (
    EmbeddedServer,
    free_port,
    own_folder,
    redis_url,
    require_running,
    start_server,
    valkey_command,
    wait_for_redis,
)


def start_valkey(folder: Path, port: int = 0) -> EmbeddedServer:
    """Start the embedded Valkey and wait until it answers; arguments and errors as of cli.embedded.start_postgres."""
    folder, port = folder.absolute(), port or free_port()
    own_folder(folder)
    server = start_server(valkey_command(folder, port), folder, redis_url(port))
    wait_for_redis(server.url, lambda: require_running(server))
    return server
