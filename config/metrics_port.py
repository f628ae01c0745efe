"""A port of their own for the figures, so that they need not stand where the public asks.

Every process listens at it, those of one machine together (SO_REUSEPORT): whichever is asked answers for all that share
a folder, so that there is an answer for as long as any of them lives.
"""

from __future__ import annotations

import socketserver
from collections.abc import Iterable
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog

from config.exposition import CONTENT_TYPE, bears, exposition, prepare_folder
from config.settings import Settings
from config.telemetry import tell_build

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = structlog.get_logger(__name__)

_PATHS = ("/metrics", "/api/metrics")


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_port = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """One line instead of a traceback on standard error: most likely the client has gone."""
        log.warning("metrics.request_failed", exc_info=True)


class _Quiet(WSGIRequestHandler):
    timeout = 10  # seconds for the client to say what it wants

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line per scrape would say nothing new."""


def begin_telemetry(settings: Settings) -> None:
    """Say what runs, and listen at METRICS_PORT if there is one; after the fork, if there is one.

    A port that cannot be had is a line in the log: nobody's work should wait for being measured.
    """
    prepare_folder()
    tell_build()
    if not settings.metrics_port:
        return
    try:
        server = make_server(
            settings.metrics_host, settings.metrics_port, _Answer(settings.metrics_token), _Server, _Quiet
        )
    except OSError as error:
        log.error("metrics.no_port", port=settings.metrics_port, error=str(error))
        return
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Answer:
    """A WSGI application with one route."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, body = self._answer(environ)
        headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))]
        if status.startswith("401"):
            headers.append(("WWW-Authenticate", 'Bearer realm="tutelage metrics"'))
        start_response(status, headers)
        return [body]

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, bytes]:
        if environ["PATH_INFO"] not in _PATHS:
            return "404 Not Found", b"The figures are at /metrics.\n"
        if self._token and not bears(environ.get("HTTP_AUTHORIZATION", ""), self._token):
            return "401 Unauthorized", b"Send METRICS_TOKEN as a bearer token.\n"
        return "200 OK", exposition()
