"""Start, watch and stop the whole system: `with running_system(…) as system:`, for `tutelage up`, the demo and tests.

supervisord starts the parts, restarts those that end, and stops them in order. This module does the rest: one system
per data folder, waiting until each part answers, run.json, and ending the processes that a killed run has left behind.
"""

import fcntl
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from configparser import ConfigParser
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

import click
import psutil

from cli.embedded import CHECK_SECONDS, StartError, ending_with_parent, free_port, wait_until
from cli.forks import CAN_FORK, FORKED, METRICS_FOLDER, PRELOAD
from cli.output import counted
from cli.plan import FOLDER_VARIABLE, HOST, Part, Plan, make_plan
from cli.run_file import Run, read_run, remove_run, write_private, write_run
from config.settings import STARTED_BY_UP, misspelling, misspelt_settings

START_SECONDS = 120
STOP_SECONDS = 45
POLL_SECONDS = 0.5
MAX_STARTS_BEFORE_READY = 3
# Errors of a call while supervisord does not listen yet, stops, or no longer answers.
UNAVAILABLE = (OSError, HTTPException, Fault)
PART_SETTINGS = {
    "autostart": "false",
    "autorestart": "true",
    # A part that ends within startsecs is restarted after 1, 2, 3, … seconds, this many times.
    "startsecs": 5,
    "startretries": 20,
    "stopwaitsecs": 20,
    "killasgroup": "true",
    # A part appends to its log file directly: supervisord's copying took 3 of a booking's 123 ms.
    "stdout_logfile": "NONE",
    "stderr_logfile": "NONE",
}
LOG_LIMIT_BYTES = 10_000_000
MODULES = {"tutelage": "cli.main", "celery": "celery.__main__", "tutelage-worker": "workers.command"}


class System:
    """A system under supervisord.

    Args:
        data_dir: where it keeps its data.
        plan: what it runs.
        say: takes one line for the user, e.g. when a part was started again; also called from another thread.
    """

    def __init__(self, data_dir: Path, plan: Plan, say: Callable[[str], None]) -> None:
        self.data_dir = data_dir
        self.plan = plan
        self._say = say
        self._manager: subprocess.Popen[bytes] | None = None
        self._address = ""
        self._pids: dict[str, int] = {}
        self._written: Run = {}
        self._starts: defaultdict[str, set[int]] = defaultdict(set)
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    @property
    def run(self) -> Run:
        """The content of run.json at this moment: addresses, and the pids as of the last restart."""
        run = read_run(self.data_dir)
        if run is None:
            raise StartError(f"Nothing runs in {self.data_dir} now.")
        return run

    def start(self) -> None:
        """Start the servers, migrate, start the programs, wait until everything answers, and write run.json.

        Call it in a thread that lives as long as the system: the kernel takes its end for the parent's death.
        """
        plan = self.plan
        self._start_manager()
        wait_until(self._infos, UNAVAILABLE, self._require_manager, "The process manager", START_SECONDS)
        self._start_group("servers")
        self._have_done("cli.waiting", "servers")
        *migrations, _revision = self._have_done("cli.main", "migrate").splitlines()
        for line in migrations:
            self._tell(line)
        self._start_group("programs")
        addresses = {
            "api": f"{plan.api_url}/health/ready",
            "streams": f"{plan.streams_url}/health/live",
            "flower": f"{plan.flower_url}/healthcheck",
        }
        queues = [part.queue for part in plan.parts if part.queue]
        self._have_done("cli.waiting", *(url for name, url in addresses.items() if plan.has(name)), *queues)
        self._look()
        self._watcher.start()

    def wait(self) -> None:
        """Wait for as long as the process manager runs; it starts the parts again, as often as it takes.

        Raises:
            StartError: when it has ended.
        """
        if self._manager:
            self._manager.wait()
        self._require_manager()

    def restart_programs(self) -> None:
        """Stop everything but the servers, and start it again."""
        with self._remote() as remote:
            remote.supervisor.stopProcessGroup("programs")
        self._start_group("programs")

    def stop(self) -> None:
        """Stop everything cleanly, programs first; a second Ctrl-C during that kills what still runs."""
        timeout_seconds = 5.0
        try:
            self._tell("Stopping …")
            self._stopping.set()
            if self._watcher.is_alive():
                self._watcher.join()
            remove_run(self.data_dir)
            deadline = time.monotonic() + STOP_SECONDS
            if self._manager:
                self._manager.terminate()
            while self._manager and self._manager.poll() is None:
                if time.monotonic() > deadline:
                    timeout_seconds = 0
                    break
                # Without calls, supervisord looks for ended processes once a second; every call makes it look.
                with suppress(*UNAVAILABLE):
                    self._infos()
                time.sleep(0.1)
        except KeyboardInterrupt:
            timeout_seconds = 0
        finally:
            # Includes processes that an interrupted start or a killed process manager has left.
            end_leftovers(self.data_dir, timeout_seconds=timeout_seconds)
            if self._manager:
                self._manager.wait()

    def _have_done(self, module: str, *words: str) -> str:
        """Run a module that ends, in another process: its libraries would be half of this one's memory.

        Returns:
            Its output.
        Raises:
            StartError: with its error, or when a part ends over and over meanwhile.
        """
        command = ending_with_parent("TERM", [sys.executable, "-P", "-m", module, *words])
        with subprocess.Popen(
            command,
            env=self.plan.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                while True:
                    try:
                        output, error = process.communicate(timeout=CHECK_SECONDS)
                        break
                    except subprocess.TimeoutExpired:
                        self._require_starting()
            finally:
                process.kill()
        if process.returncode:
            raise StartError(error.strip().removeprefix("Error: "))
        return output

    def _start_manager(self) -> None:
        port, password = free_port(), secrets.token_urlsafe(32)
        self._address = f"http://tutelage:{password}@{HOST}:{port}/RPC2"
        text = StringIO()
        configuration(self.plan, port, password).write(text)
        file = self.data_dir / "supervisord.conf"
        write_private(file, text.getvalue())
        words = [sys.executable, "-P", "-m", "cli.manager", str(file), str(os.getpid())]
        environment = self.plan.environment
        if any(is_forked(part, self.plan) for part in self.plan.parts):
            words.append(PRELOAD)
            environment = {**environment, METRICS_FOLDER: str(self.plan.metrics_folder)}
        write_private(self._log("supervisord"), "")
        with self._log("supervisord").open("ab") as output:
            self._manager = subprocess.Popen(
                ending_with_parent("TERM", words),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _remote(self) -> ServerProxy:
        # One per call: it is not safe for several threads.
        return ServerProxy(self._address)

    def _infos(self) -> dict[str, dict[str, Any]]:
        with self._remote() as remote:
            infos = cast(list[dict[str, Any]], remote.supervisor.getAllProcessInfo())
        return {info["name"]: info for info in infos}

    def _start_group(self, name: str) -> None:
        if any(part.group == name for part in self.plan.parts):
            with self._remote() as remote:
                remote.supervisor.startProcessGroup(name, False)

    def _require_manager(self) -> None:
        if self._manager and self._manager.poll() is not None:
            code, log = self._manager.returncode, self._log("supervisord")
            raise StartError(f"The process manager ended with code {code}. Its log ends:\n{tail(log)}")

    def _require_starting(self) -> None:
        """Raise StartError when waiting is pointless, since a part ends over and over."""
        self._require_manager()
        with suppress(*UNAVAILABLE):
            for name, info in self._infos().items():
                self._starts[name].add(info["start"])
                if len(self._starts[name] - {0}) > MAX_STARTS_BEFORE_READY:
                    raise StartError(f"{name} ends over and over. Its log ends:\n{tail(self._log(name))}")

    def _tell(self, line: str) -> None:
        # It may be written to a disk that is full.
        with suppress(OSError):
            self._say(line)

    def _log(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            # supervisord may be busy or gone; `wait` tells which.
            with suppress(*UNAVAILABLE):
                self._look()

    def _look(self) -> None:
        """Report what was started again, and keep run.json true."""
        infos = self._infos()
        for part in self.plan.parts:
            info = infos[part.name]
            if info["statename"] == "FATAL":
                self._tell(f"{part.name} has ended again and again; see {self._log(part.name)}. Trying on.")
                with self._remote() as remote:
                    remote.supervisor.startProcess(f"{part.group}:{part.name}", False)
            # A part that is down keeps its last process id until it runs again.
            if pid := info["pid"]:
                if self._pids.setdefault(part.name, pid) != pid:
                    self._tell(f"{part.name} ended and was started again, as process {pid}.")
                self._pids[part.name] = pid
        for name in ("supervisord", *(part.name for part in self.plan.parts)):
            rotate(self._log(name))
        run = self._describe()
        if run != self._written:
            write_run(self.data_dir, run)
            self._written = run

    def _describe(self) -> Run:
        plan, pids = self.plan, self._pids
        api: list[int] = []
        if "api" in pids:
            with suppress(psutil.NoSuchProcess):
                api = sorted(child.pid for child in psutil.Process(pids["api"]).children())
            api.insert(0, pids["api"])
        return {
            "api": {"url": plan.api_url if plan.has("api") else None, "pids": api},
            "streams": {"url": plan.streams_url if plan.has("streams") else None},
            "flower": {"url": plan.flower_url if plan.has("flower") else None},
            "database_url": plan.database_url,
            "redis_url": plan.redis_url,
            "processes": [{"name": part.name, "pid": pids[part.name]} for part in plan.parts if part.name in pids],
        }


@contextmanager
def running_system(
    *,
    data_dir: Path,
    port: int = 0,
    flower_port: int = 0,
    without: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    postgres_settings: Mapping[str, str] | None = None,
    reload: bool = False,
    say: Callable[[str], None] = click.echo,
) -> Iterator[System]:
    """Start everything, give it when it is ready, and leave nothing running at the end of the `with` block.

    Call it in a thread that lives as long as the system does, best the main one.

    Args:
        data_dir: made when missing; data in it is kept between runs.
        port: of the API on 127.0.0.1; 0 picks a free one.
        flower_port: of Flower; likewise.
        without: names of parts to leave out, e.g. ("flower", "sweep").
        environment: settings for the parts, over the settings of this process and `.env`.
        postgres_settings: for the embedded PostgreSQL, e.g. {"fsync": "off"} where nothing is to be kept.
        reload: whether programs that start again read their code again: they are then no forks of the process manager.
        say: takes one line for the user, e.g. when a part was started again; also called from another thread.
    Raises:
        StartError: when another process runs a system in this folder, when what was asked for makes no sense or a
            port is taken, or when a part does not come up in time; with the end of its log.
    """
    data_dir = data_dir.absolute()
    prepare_data_folder(data_dir)
    with sole_owner(data_dir):
        remove_run(data_dir)
        if count := end_leftovers(data_dir):
            say(f"Ended {counted(count, 'process', 'processes')} that an earlier run had left behind.")
        plan = make_plan(
            data_dir,
            port=port,
            flower_port=flower_port,
            without=without,
            environment=environment or {},
            postgres_settings=postgres_settings or {},
            forks=CAN_FORK and not reload,
        )
        for name, meant in misspelt_settings(plan.environment).items():
            say(misspelling(name, meant))
        # Counts of an earlier run's processes do not belong to this run.
        shutil.rmtree(plan.metrics_folder, ignore_errors=True)
        plan.metrics_folder.mkdir(mode=0o700)
        system = System(data_dir, plan, say)
        try:
            system.start()
            yield system
        finally:
            system.stop()


def prepare_data_folder(data_dir: Path) -> None:
    """Make the folder and its private `logs` where they are missing.

    A new one is open for passing through: PostgreSQL's and Valkey's folders in it belong to another user when root
    starts them. An existing one keeps its mode: it may be a home.

    Raises:
        StartError: the folder cannot be made or written.
    """
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True)
            data_dir.chmod(0o711)
        (data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unusable(data_dir, error) from error


@contextmanager
def sole_owner(data_dir: Path) -> Iterator[None]:
    """Hold the data folder's lock for the time of a `with` block.

    The file has no content and stays. The kernel's lock on it is not inherited by children and ends with this process.

    Raises:
        StartError: when another process holds it, or the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context((data_dir / "lock").open("ab+", buffering=0))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().decode().strip() or "unknown"
            raise StartError(f"Tutelage runs in {data_dir} already (process {holder}).") from error
        except OSError as error:
            raise _unusable(data_dir, error) from error
        yield


def _unusable(data_dir: Path, error: OSError) -> StartError:
    return StartError(f"The data folder {data_dir} cannot be used: {error.strerror}. Choose another with --data-dir.")


def configuration(plan: Plan, port: int, password: str) -> ConfigParser:
    """supervisord's configuration: every part, started by order alone, and started again with growing pauses.

    Paths are relative to the data folder where supervisord would expand percent signs twice.

    Args:
        port: on 127.0.0.1, at which it takes orders.
        password: of the user `tutelage` there.
    """
    sections: dict[str, dict[str, object]] = {
        "inet_http_server": {"port": f"{HOST}:{port}", "username": "tutelage", "password": password},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisord": {
            # Rotated as the parts' own: supervisord ends when it cannot close its file.
            "logfile": "/dev/stdout",
            "logfile_maxbytes": 0,
            "pidfile": "supervisord.pid",
            "childlogdir": "logs",
        },
    }
    # Groups stop one after the other, the highest priority first: the servers outlive their clients.
    for priority, group in enumerate(("servers", "programs"), 1):
        if names := [part.name for part in plan.parts if part.group == group]:
            sections[f"group:{group}"] = {"programs": ",".join(names), "priority": priority}
    for part in plan.parts:
        sections[f"program:{part.name}"] = PART_SETTINGS | {
            "command": shlex.join(command(part, plan)),
            # Settings may name files from the folder in which `up` was started.
            "directory": plan.place.data_dir / part.name if part.group == "servers" else Path.cwd(),
            "environment": f'{METRICS_FOLDER}="{plan.metrics_folder}"' if part.measured else "",
            "stopsignal": part.stop_signal,
        }
    parser = ConfigParser(interpolation=None)
    # A percent sign begins an expansion there.
    parser.read_dict(
        {
            name: {key: str(value).replace("%", "%%") for key, value in section.items()}
            for name, section in sections.items()
        }
    )
    return parser


def is_forked(part: Part, plan: Plan) -> bool:
    """Whether a part is a fork of the process manager."""
    return plan.forks and part.group == "programs"


def command(part: Part, plan: Plan) -> list[str]:
    """The full command line of a part, which appends to its log and ends with the process manager."""
    log = plan.place.data_dir / "logs" / f"{part.name}.log"
    if part.group == "servers":
        return appending_to(log, part.command)
    program, *words = part.argv(plan.place)
    if is_forked(part, plan):
        return [sys.executable, FORKED, str(log), part.stop_signal, MODULES[program], *words]
    # By module: the console scripts are missing from a checkout that was not installed. `-P`: a folder of the same name
    # in the working folder is no module of ours.
    alone = ending_with_parent(part.stop_signal, [sys.executable, "-P", "-m", MODULES[program], *words])
    return appending_to(log, alone)


def appending_to(log: Path, words: Sequence[str]) -> list[str]:
    """A command line whose output is appended to a file, where a file that is cut short is written from its start."""
    return ["/bin/sh", "-c", 'exec "$@" >>"$0" 2>&1', str(log), *words]


def find_leftovers(data_dir: Path) -> list[psutil.Process]:
    """Every process that an `up` started for this folder, the process manager first; never this one or its parents."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [
        process
        for process in psutil.process_iter(["create_time", "environ", "name", "status"])
        if process.pid not in spared
        # None for another user's process.
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and STARTED_BY_UP in (environment := process.info["environ"] or {})
        and environment.get(FOLDER_VARIABLE) == str(data_dir)
    ]
    return sorted(found, key=lambda process: process.info["create_time"])


def end_leftovers(data_dir: Path, *, timeout_seconds: float = 20) -> int:
    """End the processes that are left of an earlier run, PostgreSQL cleanly.

    Args:
        timeout_seconds: seconds that they may take before they are killed; 0 kills at once.
    Returns:
        How many processes there were.
    """
    found = find_leftovers(data_dir)
    # The process manager gets the signal first, and so starts nothing again.
    for process in found:
        clean = signal.SIGINT if process.info["name"] == "postgres" else signal.SIGTERM
        with suppress(psutil.NoSuchProcess):
            process.send_signal(clean if timeout_seconds else signal.SIGKILL)
    _gone, alive = psutil.wait_procs(found, timeout=timeout_seconds or 5)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(found)


def rotate(log: Path) -> None:
    """Keep one older file of a log that has become large, and cut it short; its writer goes on.

    On a full disk no older file is kept: it would take room from the database.
    """
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        older = log.with_suffix(".log.1")
        try:
            shutil.copyfile(log, older)
        except OSError:
            older.unlink(missing_ok=True)
        os.truncate(log, 0)


def tail(log: Path) -> str:
    """The last lines of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else "(nothing)"
