"""`tutelage up`: the whole system on this machine, in the foreground, until Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import supervisor  # noqa: F401 - another process runs it; where it is not installed, the command fails here

from cli.plan import ROOT
from cli.run_file import DATA_DIR_OPTION
from cli.system import UNAVAILABLE, System, running_system

READY = """
Tutelage is ready.
  API       {api}
  Docs      {api}/api/docs{demo}
  Flower    {flower}
  Data      {data}
            with logs in logs/, addresses and processes in run.json

  A token for a user:     tutelage token --user ID [--mentor ID]
  A token for operators:  tutelage token --operator{headers}
Press Ctrl-C to stop."""
OPEN_HEADERS = """
  Development believes X-User-Id: ID without a token, and of a mentor
  X-Mentor-Profile-Id: ID."""
DEMO = """
  Booking   {api}/component/demo
            once `tutelage seed` has made people to book"""
PORT = click.IntRange(0, 65_535)
RELOADED_PACKAGES = ("api", "config", "infrastructure", "models", "workers", "workflows")
RELOADED_SUFFIXES = (".py", ".j2", ".sql")


@click.command()
@click.option("--port", default=8000, show_default=True, type=PORT, help="Of the API; 0 picks a free one.")
@click.option("--flower-port", default=5555, show_default=True, type=PORT, help="Of Flower; 0 picks a free one.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave out a part, e.g. flower. May be repeated.")
@click.option("--reload", is_flag=True, help="Restart the programs when their code changes.")
@DATA_DIR_OPTION
def up(port: int, flower_port: int, without: tuple[str, ...], reload: bool, data_dir: Path) -> None:
    """Run everything: PostgreSQL, Valkey, the API, a worker per queue, the sweep, maintenance and Flower."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.echo("Starting … The first start makes a database, which takes up to a minute.")
    try:
        with ExitStack() as stack:
            running = running_system(
                data_dir=data_dir, port=port, flower_port=flower_port, without=without, reload=reload
            )
            system = stack.enter_context(running)
            if reload:
                stack.enter_context(_reloading(system))
            run = system.run
            has_demo = system.plan.has("api") and system.plan.environment["COMPONENT_DEMO"] != "off"
            click.echo(
                READY.format(
                    api=run["api"]["url"] or "(left out)",
                    flower=run["flower"]["url"] or "(left out)",
                    data=system.data_dir,
                    demo=DEMO.format(api=run["api"]["url"]) if has_demo else "",
                    headers=OPEN_HEADERS if system.plan.environment["IDENTITY_HEADERS"] == "open" else "",
                )
            )
            system.wait()
    except KeyboardInterrupt:
        click.echo("Stopped.")


@contextmanager
def _reloading(system: System) -> Iterator[None]:
    """Watch the code for the time of a `with` block, and restart the programs when it changes."""
    # Here alone: it would be 2 of the 19 MB of every `up`.
    from watchfiles import watch  # noqa: PLC0415

    stop = threading.Event()

    def reload() -> None:
        folders = (ROOT / package for package in RELOADED_PACKAGES)
        for changes in watch(*folders, watch_filter=_is_code, stop_event=stop):
            click.echo(f"{', '.join(sorted(Path(path).name for _, path in changes))} changed: restarting the programs.")
            try:
                system.restart_programs()
            except UNAVAILABLE as error:
                click.echo(f"Not every program could be started again: {error}")

    thread = threading.Thread(target=reload, name="reload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _is_code(_change: object, path: str) -> bool:
    return path.endswith(RELOADED_SUFFIXES)
