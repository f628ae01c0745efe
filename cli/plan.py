"""What one `tutelage up` is going to start: the parts, their ports, and the environment they get."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.embedded import prepare_postgres
from cli.leftovers import FOLDER_VARIABLE, MARK_VARIABLE
from cli.processes import PARTS, POSTGRES, REDIS, Part, Place, with_settings
from cli.servers import free_port, postgres_url, redis_url
from config.settings import Settings, read_settings
from workflows.notifications.texts import template_errors


class PlanError(Exception):
    """What was asked for cannot be started; the message says why, and what would be right."""


@dataclass(frozen=True)
class Plan:
    """Which parts to start, where, and with which environment."""

    parts: tuple[Part, ...]
    place: Place
    environment: dict[str, str]

    @property
    def api_url(self) -> str:
        """Where the API listens."""
        return f"http://{self.place.host}:{self.place.api_port}"

    @property
    def flower_url(self) -> str:
        """Where Flower listens."""
        return f"http://{self.place.host}:{self.place.flower_port}"

    @property
    def database_url(self) -> str:
        """The embedded PostgreSQL's address, or that of the server that DATABASE_URL names."""
        return self.environment["DATABASE_URL"]

    @property
    def redis_url(self) -> str:
        """The embedded Valkey's address, or that of the server that REDIS_URL names."""
        return self.environment["REDIS_URL"]

    @property
    def queues(self) -> list[str]:
        """The queues that have a worker here."""
        return [part.queue for part in self.parts if part.queue]

    def has(self, name: str) -> bool:
        """Whether a part of this name is going to run."""
        return any(part.name == name for part in self.parts)


def make_plan(
    data_dir: Path,
    *,
    port: int,
    flower_port: int,
    without: Sequence[str],
    environment: Mapping[str, str],
    postgres_settings: Mapping[str, str],
) -> Plan:
    """Decide on parts, ports and environment; arguments as for cli.system.running_system.

    Raises:
        PlanError: an unknown part, a port that somebody has taken, Flower without a password in production, or
            templates that cannot be used.
        SettingsError: when a setting makes no sense.
    """
    settings = read_settings()
    if settings.templates_folder and (found := template_errors(Path(settings.templates_folder))):
        raise PlanError(" ".join(found))
    given = {name: value for name, value in {**os.environ, **environment}.items() if value}
    left_out = _left_out(without, given)
    parts = tuple(part for part in PARTS if part.name not in left_out)
    if settings.production and "flower" not in left_out and not settings.flower_basic_auth:
        raise PlanError(
            "Flower needs FLOWER_BASIC_AUTH=user:password in production, or leave it out: --without flower."
        )
    place = Place(
        host="127.0.0.1",
        api_port=_port("api", port, "--port", parts),
        flower_port=_port("flower", flower_port, "--flower-port", parts),
        data_dir=data_dir,
        postgres_port=free_port(),
        redis_port=free_port(),
        worker_threads=settings.worker_threads,
        notification_threads=settings.notification_threads,
        webhook_threads=settings.webhook_threads,
    )
    parts = tuple(with_settings(part, postgres_settings) if part is POSTGRES else part for part in parts)
    return Plan(
        parts, place, {**_defaults(data_dir, place, settings), **_embedded(parts, place), **given, **_fixed(data_dir)}
    )


def _left_out(without: Sequence[str], given: Mapping[str, str]) -> set[str]:
    names = [part.name for part in PARTS]
    for name in without:
        if name not in names:
            raise PlanError(f"There is no part {name}. The parts are {', '.join(names)}.")
    for part, variable in ((POSTGRES, "DATABASE_URL"), (REDIS, "REDIS_URL")):
        if part.name in without and variable not in given:
            raise PlanError(f"Without {part.name}, {variable} must say which server to use instead.")
    external = {part.name for part, name in ((POSTGRES, "DATABASE_URL"), (REDIS, "REDIS_URL")) if name in given}
    return external | set(without)


def _port(name: str, port: int, option: str, parts: Sequence[Part]) -> int:
    """The port itself when nobody has it, a free one for 0."""
    if port == 0:
        return free_port()
    if any(part.name == name for part in parts) and not is_free(port):
        raise PlanError(f"Port {port} is taken by somebody else: choose another with {option}, or 0 for a free one.")
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen at this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As the servers do: connections of an earlier run that linger in TIME_WAIT take nothing.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _defaults(data_dir: Path, place: Place, settings: Settings) -> dict[str, str]:
    """What the parts find in their environment unless somebody set it."""
    return {
        "PUBLIC_URL": f"http://{place.host}:{place.api_port}",
        "MAIL_FOLDER": str(data_dir / "mail"),
        "IDENTITY_HEADERS": "off" if settings.production else "open",
    }


def _embedded(parts: Sequence[Part], place: Place) -> dict[str, str]:
    """The addresses of the servers that we bring ourselves."""
    names = {part.name for part in parts}
    addresses = {}
    if POSTGRES.name in names:
        folder = place.data_dir / "postgres"
        prepare_postgres(folder)
        addresses["DATABASE_URL"] = postgres_url(folder, place.postgres_port)
    if REDIS.name in names:
        addresses["REDIS_URL"] = redis_url(place.redis_port)
    return addresses


def _fixed(data_dir: Path) -> dict[str, str]:
    return {FOLDER_VARIABLE: str(data_dir), MARK_VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
