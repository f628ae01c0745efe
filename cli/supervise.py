"""supervisord, the kept process manager behind `tutelage up`: its configuration, its start, and its remote control."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

from jinja2 import Environment, PackageLoader, StrictUndefined
from supervisor.states import RUNNING_STATES, STOPPED_STATES
from supervisor.xmlrpc import SupervisorTransport

from cli.figures import figures_folder
from cli.manager_socket import new_socket
from cli.private import write_private
from cli.processes import Part, Place
from cli.servers import ROOT, ServerError

STARTS_BEFORE_GIVING_UP = 3
# Seconds. A part that ends is started again after one at the earliest, and asking keeps the others from starting.
LOOKS_AT_STARTS_EVERY = 0.5
# What a call raises while supervisord does not listen yet, or does not answer any more.
SILENCE = (OSError, HTTPException, Fault)

# The console scripts may not be installed (a bare checkout); the modules behind them always are.
MODULES = {
    "tutelage": "cli.main",
    "celery": "celery",
    "tutelage-worker": "workers.worker",
    "cli.embedded": "cli.embedded",
}


class Supervisor:
    """A running supervisord and the way to talk to it."""

    def __init__(self, data_dir: Path, parts: Iterable[Part], place: Place, environment: dict[str, str]) -> None:
        """Write the configuration and start supervisord; no part starts before `start` is called.

        Must be called in a thread that lives as long as the system: the kernel takes its end for the parent's death.
        """
        self.data_dir = data_dir
        self._looks_again = 0.0
        self._starts: defaultdict[str, set[int]] = defaultdict(set)
        self.socket = new_socket()
        configuration = data_dir / "supervisord.conf"
        write_private(configuration, render(parts, place, self.socket))
        said = data_dir / "logs" / "supervisord.out"
        write_private(said, "")
        with said.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.manager", str(configuration), str(os.getpid())],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def infos(self) -> dict[str, dict[str, Any]]:
        """What supervisord knows about every part, by name.

        Raises:
            OSError, HTTPException, Fault: when supervisord does not answer.
        """
        with self._remote() as remote:
            return {info["name"]: info for info in cast(list[dict[str, Any]], remote.supervisor.getAllProcessInfo())}

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self.data_dir / "logs" / f"{name}.log"

    def check_alive(self) -> None:
        """Raises ServerError when supervisord itself has gone."""
        if self.process.poll() is not None:
            said = tail(self.data_dir / "logs" / "supervisord.out")
            raise ServerError(f"The process manager ended with code {self.process.returncode}. It said:\n{said}")

    def check_start(self) -> None:
        """Raises ServerError when there is no sense in waiting for a part, since it ends over and over."""
        self.check_alive()
        if time.monotonic() < self._looks_again:
            return
        self._looks_again = time.monotonic() + LOOKS_AT_STARTS_EVERY
        try:
            infos = self.infos()
        except SILENCE:
            return
        for name, info in infos.items():
            self._starts[name].add(info["start"])
            if len(self._starts[name] - {0}) > STARTS_BEFORE_GIVING_UP:
                raise ServerError(f"{name} ends over and over. It said:\n{tail(self.log(name))}")

    def start(self, part: Part) -> None:
        """Start a part that is stopped or that supervisord gave up on; returns at once."""
        with self._remote() as remote:
            remote.supervisor.startProcess(_address(part), False)

    def restart(self, parts: Sequence[Part]) -> None:
        """Stop these parts, all at once, and start each again when it has ended."""
        for part in parts:
            if self.infos()[part.name]["state"] in RUNNING_STATES:
                with self._remote() as remote:
                    remote.supervisor.stopProcess(_address(part), False)
        waiting = list(parts)
        deadline = time.monotonic() + max(part.stop_seconds for part in parts) + 10
        while waiting and time.monotonic() < deadline:
            infos = self.infos()
            for part in [part for part in waiting if infos[part.name]["state"] in STOPPED_STATES]:
                self.start(part)
                waiting.remove(part)
            time.sleep(0.1)

    def ping(self) -> None:
        """Raises OSError while supervisord does not listen yet."""
        self.infos()

    def end(self) -> None:
        """Ask supervisord to stop everything, programs first and servers last, and then itself; returns at once."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def _remote(self) -> ServerProxy:
        # One connection per call: the transport is not made for several threads.
        return ServerProxy("http://localhost", transport=SupervisorTransport(None, None, f"unix://{self.socket}"))


def render(parts: Iterable[Part], place: Place, socket: Path) -> str:
    """The text of supervisord.conf; a percent sign is doubled, since it begins an expansion there."""
    environment = Environment(
        loader=PackageLoader("cli"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    programs = [(part, shlex.join(command(part, place)).replace("%", "%%")) for part in parts]
    return environment.get_template("supervisord.conf.j2").render(
        programs=programs,
        root=str(ROOT).replace("%", "%%"),
        socket=str(socket).replace("%", "%%"),
        figures=str(figures_folder(place.data_dir)).replace("%", "%%"),
    )


def command(part: Part, place: Place) -> list[str]:
    """The full command line of a part: this Python, tied to the process manager's life."""
    program, *words = part.argv(place)
    return [
        sys.executable,
        "-m",
        "cli.tethered",
        part.stop_signal,
        "--",
        MODULES[program],
        *words,
    ]


def tail(log: Path) -> str:
    """The last lines of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else "(nothing)"


def _address(part: Part) -> str:
    return f"{part.stage.name.lower()}s:{part.name}"
