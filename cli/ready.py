"""How to tell that each part of the system answers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

import urllib3
from celery import Celery
from kombu.exceptions import OperationalError

from cli.servers import wait_until


class NotReady(Exception):
    """A part answers, but not yet as it should."""


def wait_for_url(url: str, check: Callable[[], None], seconds: float) -> None:
    """Wait until a GET of this address is answered with 200.

    Args:
        check: called between attempts; raises when waiting has become pointless.
        seconds: how long to wait.
    Raises:
        ServerError: when that has passed.
    """

    def attempt() -> None:
        answer = http.request("GET", url)
        if answer.status != 200:
            raise NotReady(f"{answer.status} {answer.data[:200]!r}")

    with urllib3.PoolManager(timeout=5, retries=False) as http:
        wait_until(attempt, (NotReady, urllib3.exceptions.HTTPError), check, url, seconds)


def wait_for_workers(queues: Iterable[str], redis_url: str, check: Callable[[], None], seconds: float) -> None:
    """Wait until the Celery worker of every queue answers a ping: from then on it takes tasks.

    Raises:
        ServerError: when the time has passed; names those that are silent.
    """
    silent = {f"{queue}@{socket.gethostname()}" for queue in queues}

    def attempt() -> None:
        for answer in celery.control.ping(destination=sorted(silent), timeout=1, limit=len(silent)):
            silent.difference_update(answer)
        if silent:
            raise NotReady(", ".join(sorted(silent)))

    if silent:
        with Celery("tutelage-up", broker=redis_url, set_as_current=False) as celery:
            wait_until(attempt, (NotReady, OperationalError), check, "Every worker", seconds)
