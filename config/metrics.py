"""The metrics as Prometheus reads them: of this process alone, or of all processes that share a folder.

They are read from the API, and from METRICS_PORT, which the processes of a machine share (SO_REUSEPORT): each answers
for all processes of its folder, so that there is an answer as long as one of them lives.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

import psutil
import structlog
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Metric, generate_latest, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from config.settings import Settings
from config.telemetry import REGISTRY, set_build_info

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Read by prometheus_client, when it is imported.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CLIENT_TIMEOUT_SECONDS = 10

log = structlog.get_logger(__name__)


def exposition() -> bytes:
    """All metrics, in Prometheus's text format."""
    return generate_latest(_registry())


def has_token(authorization: str, token: str) -> bool:
    """Whether an Authorization header holds this bearer token; compared in constant time."""
    scheme, _, brought = authorization.strip().partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(brought.strip().encode(), token.encode())


def start_metrics(settings: Settings, process: str) -> None:
    """Set the build's gauge, and listen at METRICS_PORT if it is set; a process that forks calls it after the fork.

    A port that is not available is only logged: the process works without it.
    """
    if folder := os.environ.get(FOLDER_VARIABLE):
        # prometheus_client fails to count into a missing one.
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    set_build_info(process)
    if not settings.metrics_port:
        return
    app = _Guarded(make_wsgi_app(_registry()), settings.metrics_token)
    try:
        server = make_server(settings.metrics_host, settings.metrics_port, app, _MetricsServer, _QuietHandler)
    except OSError as error:
        log.error("metrics.no_port", port=settings.metrics_port, error=str(error))
        return
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Folder(Collector):
    """The sum of all processes' figures in a folder; a gauge sums the figures of living processes alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        for pid in {int(file.stem.rpartition("_")[2]) for file in self._folder.glob("gauge_live*.db")}:
            if not psutil.pid_exists(pid):
                # Another process may be removing them at this moment.
                with suppress(FileNotFoundError):
                    mark_process_dead(pid, str(self._folder))
        # MultiProcessCollector takes every file, and fails on one that has no first page yet, as each has for a moment.
        files = [str(file) for file in self._folder.glob("*.db") if _has_content(file)]
        found: Iterable[Metric] = MultiProcessCollector.merge(files)
        return found


class _Guarded:
    """A WSGI application that asks for a bearer token, if there is one."""

    def __init__(self, app: WSGIApplication, token: str | None) -> None:
        self._app = app
        self._token = token

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._token and not has_token(environ.get("HTTP_AUTHORIZATION", ""), self._token):
            start_response("401 Unauthorized", [("WWW-Authenticate", 'Bearer realm="tutelage metrics"')])
            return [b"Send METRICS_TOKEN as a bearer token.\n"]
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


class _MetricsServer(ThreadingWSGIServer):
    allow_reuse_port = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """One line instead of a traceback on standard error: most likely the client has gone."""
        log.warning("metrics.request_failed", exc_info=True)


class _QuietHandler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a line per scrape has no use."""


def _registry() -> CollectorRegistry:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return REGISTRY
    shared = CollectorRegistry()
    shared.register(_Folder(Path(folder)))
    return shared


def _has_content(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False
