"""The process list: every part of Tutelage, how it is started, and what it needs. docker-compose.yml is held to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from workflows.events.subscriptions import QUEUES


class Stage(IntEnum):
    """Parts of a lower stage are ready before those of a higher one start, and stop after them."""

    SERVER = 1
    PROGRAM = 2


@dataclass(frozen=True)
class Place:
    """Where the parts stand: what differs between one machine's processes and a container each."""

    host: str
    api_port: int
    flower_port: int
    data_dir: Path
    postgres_port: int = 0
    redis_port: int = 0
    worker_threads: int = 4
    notification_threads: int = 16
    webhook_threads: int = 32


@dataclass(frozen=True)
class Part:
    """One process of the system.

    Attributes:
        name: as it stands in run.json, in logs and in docker-compose.yml.
        command: words, with the fields of Place in braces.
        stop_signal: what ends it cleanly.
        stop_seconds: how long it may take for that before it is killed.
        reloads: whether it runs our code, and `tutelage up --reload` starts it again after a change.
        queue: whose worker it is, if it is one.
    """

    name: str
    command: tuple[str, ...]
    stage: Stage = Stage.PROGRAM
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    reloads: bool = False
    queue: str | None = None

    def argv(self, place: Place) -> list[str]:
        """The command line at this place."""
        return [word.format_map(vars(place)) for word in self.command]


CELERY = ("celery", "--app")

POSTGRES = Part(
    name="postgres",
    command=("cli.embedded", "postgres", "--folder", "{data_dir}/postgres", "--port", "{postgres_port}"),
    stage=Stage.SERVER,
    # SIGTERM would wait for clients to leave.
    stop_signal="INT",
)
REDIS = Part(
    name="redis",
    command=("cli.embedded", "redis", "--folder", "{data_dir}/redis", "--port", "{redis_port}"),
    stage=Stage.SERVER,
)
API = Part(
    name="api",
    command=("tutelage", "api", "--host", "{host}", "--port", "{api_port}"),
    reloads=True,
)


def worker(queue: str) -> Part:
    """The Celery worker of one queue: a process of its own, so that each queue scales and fails on its own."""
    # Receivers and mail servers are waited for most of the time: more threads than there is work for a core.
    waiting = {"webhooks": "{webhook_threads}", "notifications": "{notification_threads}"}
    threads = waiting.get(queue, "{worker_threads}")
    return Part(
        name=f"worker-{queue}",
        command=("tutelage-worker", queue, "--threads", threads),
        reloads=True,
        queue=queue,
    )


SWEEP = Part(name="sweep", command=("tutelage", "sweep"), reloads=True)
MAINTAIN = Part(name="maintain", command=("tutelage", "maintain"), reloads=True)
FLOWER = Part(
    name="flower",
    command=(
        *(*CELERY, "workers.flower:app", "flower", "--address={host}", "--port={flower_port}", "--persistent"),
        *("--db={data_dir}/flower.db", "--state_save_interval=30000", "--max_tasks=20000"),
    ),
)

PARTS: tuple[Part, ...] = (POSTGRES, REDIS, API, *(worker(queue) for queue in QUEUES), SWEEP, MAINTAIN, FLOWER)


def with_settings(part: Part, settings: Mapping[str, str]) -> Part:
    """PostgreSQL's part with settings of its own, e.g. {"fsync": "off"} for a test."""
    extra = tuple(word for name, value in settings.items() for word in ("--set", f"{name}={value}"))
    return replace(part, command=(*part.command, *extra))
