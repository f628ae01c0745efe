"""`tutelage-worker sessions`: the command that runs the worker of one queue, or of `all`.

Celery's own command line imports all of its subcommands with a prompt toolkit, a sixth of a worker's memory. This
module is separate from `workers.worker`, which has most of a start's imports, so that invalid arguments and settings
are refused before them.
"""

import argparse

from config.settings import exit_on_refused_settings, settings
from workflows.events import QUEUES

ALL_QUEUES = "all"


def main() -> None:
    """Run the worker of a queue, or of all queues, until a signal ends it."""
    parser = argparse.ArgumentParser(prog="tutelage-worker", description="Run the Celery worker of a queue, or of all.")
    parser.add_argument("queue", choices=(*QUEUES, ALL_QUEUES))
    parser.add_argument("--threads", type=int, default=4, help="how many messages are worked on at a time")
    given = parser.parse_args()
    with exit_on_refused_settings():
        settings().require_servers()
    from workers.worker import run  # noqa: PLC0415

    run(given.queue, QUEUES if given.queue == ALL_QUEUES else (given.queue,), given.threads)


if __name__ == "__main__":
    main()
