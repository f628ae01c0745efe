"""The plan of a `tutelage up`: the parts and their commands, their ports, and their environment.

docker-compose.yml has the same parts with the same commands; tests/cli/test_compose.py compares the two.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cli.embedded import (
    StartError,
    free_port,
    own_folder,
    postgres_command,
    postgres_url,
    prepare_postgres,
    redis_url,
    valkey_command,
)
from config.servers import database_address
from config.settings import STARTED_BY_UP, Settings, SettingsError, read_settings
from workers.command import ALL_QUEUES
from workflows.events import QUEUES

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
# By this and STARTED_BY_UP together, a later start finds a killed one's processes: a shell may export the folder alone.
FOLDER_VARIABLE = "TUTELAGE_DATA_DIR"
FLOWER_LOGIN = "FLOWER_BASIC_AUTH"
DEVELOPMENT_KEY = "tpk_developmentOnlyForTheDemoPages"
# Where they are empty, `up` fills them: the addresses of embedded servers, and `_defaults`.
FILLED_SETTINGS = frozenset(
    {"DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "STREAMS_URL", "MAIL_FOLDER"}
    | {"IDENTITY_HEADERS", "COMPONENT_DEMO", "PUBLISHABLE_KEYS"}
)


@dataclass(frozen=True)
class Place:
    """The fields of the parts' commands, which differ between one machine and one container for each part."""

    host: str
    api_port: int
    flower_port: int
    streams_port: int
    data_dir: Path
    worker_threads: int = 4
    notification_threads: int = 16
    webhook_threads: int = 32


@dataclass(frozen=True)
class Part:
    """One process of the system."""

    name: str  # as in run.json, in the logs' names and in docker-compose.yml
    command: tuple[str, ...] = ()  # words, with the fields of Place in braces
    group: str = "programs"  # "servers" are ready before "programs" start, and stop after them
    stop_signal: str = "TERM"  # the signal that ends it cleanly
    measured: bool = True  # whether it counts into the metrics that the parts share
    queue: str | None = None  # the queue that it works on, if it is a worker

    def argv(self, place: Place) -> list[str]:
        return [word.format_map(vars(place)) for word in self.command]


def worker(queue: str) -> Part:
    """The Celery worker of one queue: a process of its own, so that each queue scales and fails on its own."""
    # Threads wait for receivers and mail servers most of the time, so that there are more of them than a core can run.
    waiting = {"webhooks": "{webhook_threads}", "notifications": "{notification_threads}"}
    threads = waiting.get(queue, "{worker_threads}")
    return Part(f"worker-{queue}", ("tutelage-worker", queue, "--threads", threads), queue=queue)


# The servers' commands are made by `make_plan`. PostgreSQL would wait for its clients to leave at SIGTERM.
POSTGRES = Part("postgres", group="servers", stop_signal="INT", measured=False)
REDIS = Part("redis", group="servers", measured=False)
FLOWER = Part(
    "flower",
    (
        *("celery", "--app", "workers.flower:app", "flower", "--address={host}", "--port={flower_port}"),
        *("--persistent", "--db={data_dir}/flower.db", "--state_save_interval=30000", "--max_tasks=20000"),
    ),
    measured=False,
)
PROGRAMS: tuple[Part, ...] = (
    Part("api", ("tutelage", "api", "--host", "{host}", "--port", "{api_port}")),
    *(worker(queue) for queue in QUEUES),
    Part("streams", ("tutelage", "streams", "--host", "{host}", "--port", "{streams_port}")),
    Part("sweep", ("tutelage", "sweep")),
    Part("maintain", ("tutelage", "maintain")),
    FLOWER,
)
# In place of the workers, with WORKERS=together; it has the threads of the queue that has most.
TOGETHER = Part("worker-all", ("tutelage-worker", ALL_QUEUES, "--threads", "{webhook_threads}"), queue=ALL_QUEUES)
PARTS: tuple[Part, ...] = (POSTGRES, REDIS, *PROGRAMS)


@dataclass(frozen=True)
class Plan:
    """The parts to start, their places and their environment."""

    parts: tuple[Part, ...]
    place: Place
    environment: dict[str, str]
    forks: bool  # whether the programs are forks of the process manager

    @property
    def api_url(self) -> str:
        return f"http://{self.place.host}:{self.place.api_port}"

    @property
    def flower_url(self) -> str:
        return f"http://{self.place.host}:{self.place.flower_port}"

    @property
    def streams_url(self) -> str:
        return f"http://{self.place.host}:{self.place.streams_port}"

    @property
    def database_url(self) -> str:
        """The address of the embedded PostgreSQL, or of the server that DATABASE_URL names."""
        return self.environment["DATABASE_URL"]

    @property
    def redis_url(self) -> str:
        """The address of the embedded Valkey, or of the server that REDIS_URL names."""
        return self.environment["REDIS_URL"]

    @property
    def broker_url(self) -> str:
        """The address of the broker, which carries wake-ups: BROKER_URL, or without it Redis."""
        return self.environment.get("BROKER_URL") or self.redis_url

    @property
    def metrics_folder(self) -> Path:
        """The folder of the measured parts' counts, by which each can answer for all."""
        return self.place.data_dir / "metrics"

    def has(self, name: str) -> bool:
        return any(part.name == name for part in self.parts)


def make_plan(
    data_dir: Path,
    *,
    port: int,
    flower_port: int,
    without: Sequence[str],
    environment: Mapping[str, str],
    postgres_settings: Mapping[str, str],
    forks: bool,
) -> Plan:
    """Decide on parts, ports and environment, and prepare the embedded servers' folders.

    Arguments as of cli.system.running_system.

    Raises:
        StartError: an unknown part, a port that is taken, Flower without a password in production, or templates
            that cannot be used.
        SettingsError: when a setting makes no sense.
    """
    settings = read_settings()
    _require_templates(settings)
    # To Flower itself, an empty login is one that everybody fails at.
    given = {name: value for name, value in {**os.environ, **environment}.items() if value or name != FLOWER_LOGIN}
    if address := given.get("DATABASE_URL"):
        try:
            given["DATABASE_URL"] = database_address(address)
        except ValueError as error:
            raise SettingsError(str(error)) from None
    possible = (POSTGRES, REDIS, *_programs(settings))
    left_out = _left_out(without, [part.name for part in possible], given)
    if settings.production and "flower" not in left_out and not settings.flower_basic_auth:
        raise StartError(
            "Flower needs FLOWER_BASIC_AUTH=user:password in production, or leave it out: --without flower."
        )
    place = Place(
        host=HOST,
        api_port=_port(port, "--port", used="api" not in left_out),
        flower_port=_port(flower_port, "--flower-port", used="flower" not in left_out),
        streams_port=free_port(),
        data_dir=data_dir,
        worker_threads=settings.worker_threads,
        notification_threads=settings.notification_threads,
        webhook_threads=settings.webhook_threads,
    )
    servers, addresses = [], {}
    if "postgres" not in left_out:
        folder, server_port = data_dir / "postgres", free_port()
        prepare_postgres(folder, postgres_settings)
        servers.append(replace(POSTGRES, command=tuple(postgres_command(folder, server_port, postgres_settings))))
        addresses["DATABASE_URL"] = postgres_url(folder, server_port)
    if "redis" not in left_out:
        folder, server_port = data_dir / "redis", free_port()
        own_folder(folder)
        servers.append(replace(REDIS, command=tuple(valkey_command(folder, server_port))))
        addresses["REDIS_URL"] = redis_url(server_port)
    programs = (part for part in possible if part.group == "programs" and part.name not in left_out)
    fixed = {
        FOLDER_VARIABLE: str(data_dir),
        STARTED_BY_UP: str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), given.get("PYTHONPATH")))),
    }
    # Empty means the default, which for most settings the process itself knows.
    defaults = {**_defaults(place, settings), **addresses}
    defaults = {name: value for name, value in defaults.items() if not given.get(name)}
    return Plan((*servers, *programs), place, {**given, **defaults, **fixed}, forks)


def is_free(port: int) -> bool:
    """Whether a server could listen at this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As the servers do: connections of an earlier run that linger in TIME_WAIT take nothing.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _require_templates(settings: Settings) -> None:
    if settings.templates_folder:
        # The check of templates imports every event and effect: most of a start's imports.
        from workflows.notifications.templating import template_errors  # noqa: PLC0415

        if found := template_errors(Path(settings.templates_folder)):
            raise StartError(" ".join(found))


def _programs(settings: Settings) -> Sequence[Part]:
    if settings.workers == "apart":
        return PROGRAMS
    return (PROGRAMS[0], TOGETHER, *(part for part in PROGRAMS[1:] if not part.queue))


def _left_out(without: Sequence[str], names: Sequence[str], given: Mapping[str, str]) -> set[str]:
    for name in without:
        if name not in names:
            raise StartError(f"There is no part {name}. The parts are {', '.join(names)}.")
    variables = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}
    for name, variable in variables.items():
        if name in without and not given.get(variable):
            raise StartError(f"Without {name}, {variable} must name the server to use instead.")
    return {name for name, variable in variables.items() if given.get(variable)} | set(without)


def _port(port: int, option: str, *, used: bool) -> int:
    if port == 0:
        return free_port()
    if used and not is_free(port):
        raise StartError(f"Port {port} is taken by another process: choose another with {option}, or 0 for a free one.")
    return port


def _demo(settings: Settings) -> str:
    if settings.production:
        return "off"
    return "pages" if settings.jwt_public_key or settings.jwt_jwks_url else "tokens"


def _defaults(place: Place, settings: Settings) -> dict[str, str]:
    return {
        "PUBLIC_URL": f"http://{place.host}:{place.api_port}",
        "STREAMS_URL": f"http://{place.host}:{place.streams_port}",
        "MAIL_FOLDER": str(place.data_dir / "mail"),
        "IDENTITY_HEADERS": "off" if settings.production else "open",
        "COMPONENT_DEMO": _demo(settings),
        # The demo pages for visitors who have not signed in.
        "PUBLISHABLE_KEYS": "" if settings.production else DEVELOPMENT_KEY,
    }
