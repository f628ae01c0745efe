"""The whole system as one object: `with running_system(…) as system:`, for `tutelage up`, the demo and tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xmlrpc.client import Fault

import click

from cli.figures import prepare_figures
from cli.leftovers import end_leftovers
from cli.lock import sole_owner
from cli.manager_socket import remove_socket
from cli.migrate import upgrade
from cli.plan import Plan, make_plan
from cli.private import prepare_data_folder
from cli.processes import Part, Stage
from cli.ready import wait_for_url, wait_for_workers
from cli.run_file import Run, read_run, remove_run
from cli.servers import ServerError, wait_for_postgres, wait_for_redis, wait_until
from cli.supervise import Supervisor
from cli.watch import Watch

STARTING_SECONDS = 120
STOPPING_SECONDS = 45


@dataclass(frozen=True)
class System:
    """A system that is ready."""

    data_dir: Path
    plan: Plan
    supervisor: Supervisor
    watch: Watch

    @property
    def run(self) -> Run:
        """What run.json says at this moment: addresses, and the pids as of the last restart."""
        run = read_run(self.data_dir)
        if run is None:
            raise ServerError(f"Nothing runs in {self.data_dir} any more.")
        return run

    def wait(self) -> None:
        """Wait for as long as the system runs; its parts are started again one by one, as often as it takes.

        Raises:
            ServerError: when the process manager itself has gone.
        """
        self.watch.wait()

    def restart(self, parts: Sequence[Part]) -> None:
        """Stop these parts and start them again, whatever state they are in."""
        self.supervisor.restart(parts)


@contextmanager
def running_system(
    *,
    data_dir: Path,
    port: int = 0,
    flower_port: int = 0,
    without: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    postgres_settings: Mapping[str, str] | None = None,
    say: Callable[[str], None] = click.echo,
) -> Iterator[System]:
    """Start everything, give it when it is ready, and leave nothing running at the end of the `with` block.

    Call it in a thread that lives as long as the system does, best the main one.

    Args:
        data_dir: made when missing; data in it is kept between runs.
        port: of the API on 127.0.0.1; 0 picks a free one.
        flower_port: of Flower; likewise.
        without: names of parts to leave out, e.g. ("flower", "sweep").
        environment: settings for the parts, over those of this process and `.env`.
        postgres_settings: for the embedded PostgreSQL, e.g. {"fsync": "off"} where nothing is to be kept.
        say: takes one line for the user, e.g. when a part was started again. Called from another thread, too.
    Raises:
        AlreadyRunning: when another process runs a system in this folder.
        PlanError: when what was asked for makes no sense or a port is taken.
        ServerError: when a part does not come up in time; says what its log ends with.
    """
    data_dir = data_dir.absolute()
    prepare_data_folder(data_dir)
    with sole_owner(data_dir):
        _clean_up(data_dir, say)
        plan = make_plan(
            data_dir,
            port=port,
            flower_port=flower_port,
            without=without,
            environment=environment or {},
            postgres_settings=postgres_settings or {},
        )
        supervisor: Supervisor | None = None
        try:
            supervisor = Supervisor(data_dir, plan.parts, plan.place, plan.environment)
            _start(plan, supervisor)
            with _watched(data_dir, plan, supervisor, say) as watch:
                yield System(data_dir, plan, supervisor, watch)
        finally:
            _stop(data_dir, supervisor, say)


def _clean_up(data_dir: Path, say: Callable[[str], None]) -> None:
    """End what an earlier run left behind; its run.json says nothing true any more."""
    remove_run(data_dir)
    count = end_leftovers(data_dir)
    remove_socket(data_dir)
    prepare_figures(data_dir)
    if count:
        say(f"Ended {count} processes that an earlier run had left behind.")


def _start(plan: Plan, supervisor: Supervisor) -> None:
    """Start the servers, migrate, start the programs, and wait until everything answers."""
    check = supervisor.check_start
    wait_until(supervisor.ping, (OSError,), supervisor.check_alive, "The process manager", 30)
    _start_stage(Stage.SERVER, plan, supervisor)
    wait_for_postgres(plan.database_url, check)
    wait_for_redis(plan.redis_url, check)
    upgrade(plan.database_url)
    _start_stage(Stage.PROGRAM, plan, supervisor)
    if plan.has("api"):
        wait_for_url(f"{plan.api_url}/health/ready", check, STARTING_SECONDS)
    wait_for_workers(plan.queues, plan.redis_url, check, STARTING_SECONDS)
    if plan.has("flower"):
        wait_for_url(f"{plan.flower_url}/healthcheck", check, STARTING_SECONDS)


def _start_stage(stage: Stage, plan: Plan, supervisor: Supervisor) -> None:
    for part in plan.parts:
        if part.stage is not stage:
            continue
        try:
            supervisor.start(part)
        except Fault as fault:
            raise ServerError(f"{part.name} cannot be started: {fault.faultString}") from fault


@contextmanager
def _watched(data_dir: Path, plan: Plan, supervisor: Supervisor, say: Callable[[str], None]) -> Iterator[Watch]:
    watch = Watch(data_dir, plan, supervisor, say)
    watch.begin()
    try:
        yield watch
    finally:
        watch.end()


def _stop(data_dir: Path, supervisor: Supervisor | None, say: Callable[[str], None]) -> None:
    """Stop everything cleanly; a second Ctrl-C during that kills what still runs.

    Args:
        supervisor: None where the first Ctrl-C came before it was known whether it runs.
    """
    patience = 5.0
    try:
        say("Stopping …")
        remove_run(data_dir)
        if supervisor:
            supervisor.end()
            supervisor.process.wait(timeout=STOPPING_SECONDS)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        patience = 0
    finally:
        # Also what an interrupted start or a killed process manager left.
        end_leftovers(data_dir, patience=patience)
        if supervisor:
            supervisor.process.wait()
        remove_socket(data_dir)
