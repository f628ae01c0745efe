"""The worker of one queue: `tutelage-worker sessions --threads 4`.

Celery's own command line imports all of its subcommands with a prompt toolkit, a sixth of a worker's memory.
"""

from __future__ import annotations

import argparse
import socket
import sys

from workers.app import app
from workflows.events.subscriptions import QUEUES


def main() -> None:
    """Work on the queue until a signal ends it."""
    parser = argparse.ArgumentParser(prog="tutelage-worker", description="Run the Celery worker of one queue.")
    parser.add_argument("queue", choices=QUEUES)
    parser.add_argument("--threads", type=int, default=4, help="how many messages are worked on at a time")
    given = parser.parse_args()
    worker = app.Worker(
        hostname=f"{given.queue}@{socket.gethostname()}",
        queues=given.queue,
        pool="threads",
        concurrency=given.threads,
        loglevel="INFO",
        # Workers tell each other nothing: what is due stands in the database.
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
