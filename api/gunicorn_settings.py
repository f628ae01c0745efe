"""How gunicorn runs the API: threads, since requests wait for PostgreSQL; everything of ours made after the fork."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.workers.base import Worker

# Imported before the fork, once for all workers; what it makes, it makes in each.
import api.app  # noqa: F401
from api.parts import parts_of
from config.collecting import settle
from config.exposition import forget_process
from config.logging import configure_logging
from config.metrics_port import begin_telemetry
from config.settings import settings

worker_class = "api.gunicorn_worker.Worker"
workers = settings().api_workers
threads = settings().api_threads
# A request may take a statement's 10 s and a preference's 10 s; a worker that says nothing for longer is hung.
timeout = 30
graceful_timeout = 15
# Above the usual 60 s of load balancers, which must be the ones to close.
keepalive = 75
# No header of a request says where the application is mounted: the default believes everybody on this machine.
forwarder_headers = ""
# Each request is one structured line of ours.
accesslog = None
logger_class = "api.gunicorn_settings.Logger"
# The heartbeat of a worker must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
proc_name = "tutelage-api"


class Logger(GunicornLogger):
    """Gunicorn's own lines go where ours go, in the same form."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002
        """Leave formatting and output to the root logger."""
        configure_logging(level=settings().log_level, process="api")
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.access_log.handlers.clear()
        self.error_log.setLevel(settings().log_level)


def on_starting(server: Arbiter) -> None:
    """Refuse to believe everybody's headers on an address that not only this machine reaches."""
    exposed = [str(address) for address in server.cfg.address if not _is_loopback(address)]
    if settings().identity_headers == "open" and exposed:
        raise SystemExit(
            f"IDENTITY_HEADERS=open believes every caller, so it listens on loopback alone, not on {exposed[0]}."
        )


def when_ready(_server: Arbiter) -> None:
    """What the master has imported belongs to it and to all of its workers."""
    settle()


def post_worker_init(_worker: Worker) -> None:
    """Begin to be measured, in the process that is going to answer."""
    settle()
    begin_telemetry(settings())


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """Forget what a worker said about itself, however it came to its end; what it counted stays."""
    forget_process(worker.pid)


def worker_exit(_server: Arbiter, worker: Worker) -> None:
    """Hand over what is still to be nudged before the process ends."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        parts_of(app).close()


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a socket in the file system
    host = str(address[0])
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
