"""The server of `tutelage api`: granian with a few workers, which are replaced when they die and when they hang."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from struct import Struct
from typing import TYPE_CHECKING

import click
import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

# Imported before the fork, so that the workers share its memory; each worker makes its own objects with it.
from api.app import make_routes, make_state
from api.http.draining import Drain
from api.http.server import Limits, Server
from api.state import EXTENSION
from cli.addresses import require_loopback
from config.logging import configure_logging
from config.metrics import start_metrics
from config.observing import observe, stop_observing
from config.settings import Settings, settings
from infrastructure.tracing import start_tracing, stop_tracing
from models.driver import waits_for_server
from workflows.events.subscriptions import load

if TYPE_CHECKING:
    from flask import Flask

# Above the usual 60 s of load balancers, which must be the ones to close. granian has one time for idle connections and
# for headers that do not end: a client that is slow with those costs a connection for as long.
KEEP_ALIVE_SECONDS = 75
HEADERS_LIMIT_BYTES = 64 * 1024
CONNECTIONS = 4096  # per worker process
OTHER_FILES = 256
DEFAULT_LIMITS = Limits()
BEAT = Struct("=i")  # a process id

log = structlog.get_logger("cli.serve")


def serve(
    host: str, port: int, make_app: Callable[[Settings], Flask] = make_routes, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Serve an application until SIGTERM or SIGINT.

    Args:
        host: an address; only a loopback one with IDENTITY_HEADERS=open.
        port: must be free.
        make_app: makes the application without its state, once for all worker processes.
        limits: of requests, answers and worker processes.
    """
    chosen = settings()
    chosen.require_servers()
    configure_logging(level=chosen.log_level, process="api")
    require_loopback(host, chosen)
    _require_free(host, port)
    load()
    app = make_app(chosen)
    _share_memory()
    pulse = Pulse(limits.hung_seconds, chosen.api_workers)
    drain = Drain(chosen.api_drain_seconds, port)
    limits = replace(
        limits, connections_per_address=chosen.connections_per_address, trusted_proxies=chosen.trusted_proxies
    )

    def make_server() -> Server:
        observe(chosen, "api")
        pulse.join()
        start_metrics(chosen, "api")
        start_tracing(chosen, "api")
        state = app.extensions[EXTENSION] = make_state(chosen)

        def close() -> None:
            state.close()
            stop_tracing()
            stop_observing()

        return Server(
            app,
            threads=chosen.api_threads,
            waits=waits_for_server,
            beat=pulse.beat,
            close=close,
            headers=state.headers,
            limits=limits,
            drain=drain,
        )

    granian = Granian(
        "tutelage",
        host,
        port,
        interface=Interfaces.RSGI,
        workers=chosen.api_workers,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=_connections(),
        http1_settings=HTTP1Settings(
            header_read_timeout=KEEP_ALIVE_SECONDS * 1000, max_buffer_size=HEADERS_LIMIT_BYTES
        ),
        # granian's lines go to the same place as ours, in the same form.
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
        respawn_failed_workers=True,
        workers_kill_timeout=limits.kill_seconds,
    )
    granian.on_startup(pulse.watch)
    granian.on_startup(drain.watch)
    granian.serve(target_loader=make_server, wrap_loader=False)


def _share_memory() -> None:
    """Let workers be forks, which share the memory of the imports and of the application that this process has made."""
    multiprocessing.set_start_method("fork")
    # A collection in a worker would write to each object, and so copy all pages.
    gc.freeze()


class Pulse:
    """One pipe through which the workers report that they answer, and a thread that kills those that do not.

    The other way round, a worker whose pipe has no reader left knows that its master has died, and ends at once.
    A worker that is asked to end waits for every connection, and no process would be left to kill it.
    """

    def __init__(self, hung_seconds: float, workers: int) -> None:
        self._hung_seconds = hung_seconds
        self._workers = workers
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def join(self) -> None:
        """Become a worker; called after the fork."""
        os.close(self._reader)
        threading.Thread(target=self._end_with_master, name="end with master", daemon=True).start()

    def beat(self) -> None:
        """Report that this worker answers."""
        # The pipe is full only while the master is stopped.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._writer, BEAT.pack(os.getpid()))

    def _end_with_master(self) -> None:
        poll = select.poll()
        # At the writing end, a closed reading end is an error, which is always reported.
        poll.register(self._writer, 0)
        poll.poll()
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Begin to look after the workers, in a thread of the master's."""
        threading.Thread(target=self._watch, name="pulse", daemon=True).start()

    def _watch(self) -> None:
        heard: dict[int, float] = {}
        complete = time.monotonic()
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        while True:
            beats = os.read(self._reader, 4096) if poll.poll(1000) else b""
            now = time.monotonic()
            heard.update((pid, now) for (pid,) in BEAT.iter_unpack(beats))
            children = {child.pid: child for child in multiprocessing.active_children() if child.pid}
            # A new worker has until then to start.
            heard = {pid: heard.get(pid, now) for pid in children}
            for pid, last in heard.items():
                if now - last > self._hung_seconds:
                    log.error("worker hangs", pid=pid, seconds=self._hung_seconds)
                    children[pid].kill()
                    # It is a child until granian has looked, and is not killed and logged once a beat until then.
                    heard[pid] = now
            if len(children) == self._workers:
                complete = now
            elif now - complete > self._hung_seconds:
                # granian may miss one of two that die at the same moment; whatever has started it starts it again.
                log.error("workers missing", there=len(children), wanted=self._workers)
                os.kill(os.getpid(), signal.SIGTERM)


def _connections() -> int:
    """How many connections a worker accepts, leaving room for other open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = CONNECTIONS + OTHER_FILES if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS + OTHER_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files - OTHER_FILES


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As granian does, to start beside workers of an earlier master that answer their last requests.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(f"The API cannot listen on {host}, port {port}: {error.strerror}.") from error
