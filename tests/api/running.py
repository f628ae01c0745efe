"""The API with routes for what no route of its own does: echo, be slow, hang, and answer at length."""

import os
import sys
import threading
import time
from collections.abc import Iterator

import structlog
from flask import Flask, Response, request

from api.app import make_routes
from api.http.server import Limits
from cli.serve import serve
from config.settings import Settings

log = structlog.get_logger(__name__)
# granian gives up on workers that end again within 5.5 s of their start.
LIMITS = Limits(read_seconds=1.5, answer_bytes=8_000_000, hung_seconds=6.5, kill_seconds=3)


def make_app(chosen: Settings) -> Flask:
    """The application, and these routes."""
    app = make_routes(chosen)
    app.add_url_rule("/testing/echo", view_func=_echo, methods=["GET", "POST"])
    app.add_url_rule("/testing/sleep/<float:seconds>", view_func=_sleep)
    app.add_url_rule("/testing/hang", view_func=_hang)
    app.add_url_rule("/testing/stream/<int:size>", view_func=_stream)
    return app


def _echo() -> Response:
    return Response(request.get_data(), headers={"Seen-User": request.headers.get("X-User-Id", "none")})


def _sleep(seconds: float) -> str:
    log.info("begun", pid=os.getpid())
    time.sleep(seconds)
    return str(os.getpid())


def _hang() -> str:
    log.info("begun", pid=os.getpid())
    threading.Event().wait()
    return ""


def _stream(size: int) -> Response:
    def pieces() -> Iterator[bytes]:
        for sent in range(0, size, 50_000):
            yield b"x" * min(50_000, size - sent)

    return Response(pieces(), mimetype="text/csv")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), make_app, LIMITS)
