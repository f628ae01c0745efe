"""`python -m cli.waiting servers`, or `… ADDRESS… QUEUE…`: wait until parts of a starting system answer.

A process of its own, which ends: `tutelage up` would keep the libraries that reach the parts for as long as it runs.
"""

import gc
import os
import socket
import sys
from collections.abc import Sequence

import urllib3
from celery import Celery
from kombu.exceptions import OperationalError

from cli.embedded import StartError, wait_for_postgres, wait_for_redis, wait_until
from cli.system import START_SECONDS
from infrastructure.broker import broker_settings

# A worker that is ready just after it was asked is asked again.
PING_SECONDS = 0.4


def main() -> None:
    """Wait for what the arguments name; a sentence and exit code 1 where it does not answer in time."""
    words = sys.argv[1:]
    # All that is imported stays to the end, which comes soon.
    gc.freeze()
    try:
        if words == ["servers"]:
            wait_for_postgres(os.environ["DATABASE_URL"], lambda: None)
            wait_for_redis(os.environ["REDIS_URL"], lambda: None)
            return
        for address in words:
            if address.startswith("http:"):
                wait_for_url(address)
        queues = [word for word in words if not word.startswith("http:")]
        wait_for_workers(queues, os.environ.get("BROKER_URL") or os.environ["REDIS_URL"])
    except StartError as error:
        sys.exit(error.message)


def wait_for_url(url: str) -> None:
    """Wait until a GET of this address is answered with 200. Raises StartError: when START_SECONDS have passed."""

    def attempt() -> None:
        answer = http.request("GET", url)
        if answer.status != 200:
            raise OSError(f"{answer.status} {answer.data[:200]!r}")

    with urllib3.PoolManager(timeout=5, retries=False) as http:
        wait_until(attempt, (OSError, urllib3.exceptions.HTTPError), lambda: None, url, START_SECONDS)


def wait_for_workers(queues: Sequence[str], broker_url: str) -> None:
    """Wait until the Celery worker of every queue answers a ping: from then on it takes tasks.

    Raises:
        StartError: when START_SECONDS have passed; names the silent workers.
    """
    silent = {f"{queue}@{socket.gethostname()}" for queue in queues}

    def attempt() -> None:
        for answer in celery.control.ping(destination=sorted(silent), timeout=PING_SECONDS, limit=len(silent)):
            silent.difference_update(answer)
        if silent:
            raise OSError(", ".join(sorted(silent)))

    if silent:
        with Celery("tutelage-up", set_as_current=False) as celery:
            celery.conf.update(broker_settings(broker_url))
            wait_until(attempt, (OSError, OperationalError), lambda: None, "Every worker", START_SECONDS)


if __name__ == "__main__":
    main()
