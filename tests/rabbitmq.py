"""A RabbitMQ of a test's own, from Debian's package; all that it keeps is in one folder."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from kombu import Connection

from cli.embedded import free_port
from tests.eventually import eventually
from tests.processes import family, kill_all

MISSING = "RabbitMQ is not installed (Debian: apt-get install rabbitmq-server): wake-ups are tested by Redis alone."
# The one in the path is a wrapper for the service of the machine.
PROGRAM = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")
NAME_SERVER = shutil.which("epmd")
START_SECONDS = 120


@dataclass
class RabbitMq:
    """A RabbitMQ at one address for good, whatever happens to the server behind it."""

    folder: Path
    url: str = field(default_factory=lambda: f"amqp://guest:guest@127.0.0.1:{free_port()}//")
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        names, folder = str(free_port()), str(self.folder)
        environment = {
            **os.environ,
            "HOME": folder,
            "ERL_EPMD_PORT": names,
            "RABBITMQ_NODENAME": "tests@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(urlsplit(self.url).port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            # Its own would stay behind as a daemon.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false",
        }
        with (self.folder / "log").open("ab") as log:
            for command in ([str(NAME_SERVER), "-port", names, "-address", "127.0.0.1"], [str(PROGRAM)]):
                self._processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        eventually(self._answers, "RabbitMQ", seconds=START_SECONDS)

    def kill(self) -> None:
        """Both processes with all of theirs; what was in the queues is lost but for what is on disk."""
        for process in self._processes:
            kill_all(family(process.pid) if psutil.pid_exists(process.pid) else [])
            process.wait()
        self._processes.clear()

    def _answers(self) -> bool:
        assert self._processes[-1].poll() is None, (self.folder / "log").read_text()
        try:
            with Connection(self.url, connect_timeout=1) as connection:
                connection.connect()
        except OSError:
            return False
        return True


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RabbitMq]:
    server = RabbitMq(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
