"""`tutelage demo`: the main job, end to end, against the whole system as it really runs."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import click
import urllib3

from cli.demonstration.acts import (
    Cast,
    audit,
    check_invariants,
    check_page,
    decide,
    gather,
    meet,
    pause_endpoint,
)
from cli.demonstration.component import book_in_a_page, demo_page
from cli.demonstration.course import teach
from cli.demonstration.receivers import Mailbox, open_mailbox, open_receiver
from cli.demonstration.stage import DemoFailed, Scene, Show
from cli.run_file import DATA_DIR_OPTION, PositiveNumber
from cli.system import System, running_system, tail
from models.engine import create

INTERRUPTED = 130
ADDRESSES = """
  API         {api}
  API docs    {api}/api/docs
  Flower      {flower}
  Booking     {page}
"""
NEXT = """What to do next
  make demo KEEP=1    play it again, and leave everything running to look around
  make up             run the system (in another data folder: make up ARGS='--data-dir elsewhere')
  tutelage seed       fill a running system with mentors, mentees and bookings
  tutelage token      a token for calls of your own: tutelage token --operator"""
KEPT = """Everything is left running. Press Ctrl-C to stop.
  As the mentee:  tutelage token --user {mentee}
  As the mentor:  tutelage token --user {mentor} --mentor {profile}
  Another shell:  tutelage seed --data-dir {data}"""


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--port", default=0, help="Of the API; a free one by default.")
@click.option("--flower-port", default=0, help="Of Flower; a free one by default.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave out a part, e.g. flower, to see what is missing.")
@click.option(
    "--patience",
    type=PositiveNumber(3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="The longest that anything is waited for.",
)
@DATA_DIR_OPTION
def demo(keep: bool, port: int, flower_port: int, without: tuple[str, ...], patience: float, data_dir: Path) -> None:
    """Start everything and play the main job: request, accept, session, start, complete, and all that follows."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stage = _Stage(Show(), data_dir.absolute(), port, flower_port, without, patience)
    try:
        with ExitStack() as stack:
            stage.play(stack, keep=keep)
    except KeyboardInterrupt:
        click.echo("Stopped.")
        if not stage.succeeded:
            raise click.exceptions.Exit(INTERRUPTED) from None
    except DemoFailed as failure:
        # It has been told already, before the system was stopped.
        raise click.exceptions.Exit(1) from failure


@dataclass
class _Stage:
    """What the command line asked for, and whether the story has come to its good end."""

    show: Show
    data_dir: Path
    port: int
    flower_port: int
    without: tuple[str, ...]
    patience: float
    succeeded: bool = False

    def play(self, stack: ExitStack, *, keep: bool) -> None:
        """Set up, play, and report; the stack takes down what was set up, in the opposite order."""
        began = monotonic()
        bell = threading.Event()
        mailbox = stack.enter_context(open_mailbox(bell))
        receiver = stack.enter_context(open_receiver(bell))
        system = self._start(stack, mailbox)
        http = stack.enter_context(urllib3.PoolManager(maxsize=2))
        scene = Scene(self.show, system.plan.api_url, http, mailbox, receiver, bell, self.patience)
        try:
            cast = self._perform(stack, scene, system)
        except DemoFailed as failure:
            self.show.line(f"\nError: {self._explain(failure)}")
            raise
        self.succeeded = True
        url = system.plan.api_url
        self.show.line(ADDRESSES.format(api=url, flower=system.plan.flower_url, page=demo_page(url)))
        self.show.line(f"Every step came out as promised, in {monotonic() - began:.0f} seconds.")
        if not keep:
            self.show.line(NEXT)
            return
        self.show.line(_how_to_go_on(cast, self.data_dir))
        system.wait()

    def _start(self, stack: ExitStack, mailbox: Mailbox) -> System:
        self.show.act("The whole system starts")
        environment = {"SMTP_URL": mailbox.url, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        began = monotonic()
        with self.show.waiting("PostgreSQL, Valkey, the API, a worker per queue, the sweep, maintenance, Flower …"):
            system = stack.enter_context(
                running_system(
                    data_dir=self.data_dir,
                    port=self.port,
                    flower_port=self.flower_port,
                    without=self.without,
                    environment=environment,
                    say=self.show.line,
                )
            )
        took = (monotonic() - began) * 1000
        names = ", ".join(entry["name"] for entry in system.run["processes"])
        self.show.step(f"ready: {names}", by="tutelage", milliseconds=took)
        return system

    def _perform(self, stack: ExitStack, scene: Scene, system: System) -> Cast:
        engine = create(system.plan.database_url, pool_size=1, name="tutelage-demo")
        stack.callback(engine.dispose)
        cast = gather(scene)
        stack.callback(pause_endpoint, scene, cast)
        booked = decide(scene, cast)
        meet(scene, cast, booked)
        audit(scene, cast, booked, engine)
        teach(scene, cast.operator)
        if system.plan.environment["COMPONENT_DEMO"] == "tokens":
            book_in_a_page(scene, engine)
        check_invariants(scene, cast.operator)
        self.show.act("Pages to open")
        check_page(scene, f"{system.plan.api_url}/api/docs", "the API's documentation", "api")
        if system.plan.has("flower"):
            check_page(scene, f"{system.plan.flower_url}/healthcheck", "Flower", "flower")
        return cast

    def _explain(self, failure: DemoFailed) -> str:
        """The failure's sentence, with the end of the log of the part that failed."""
        if failure.process is None:
            return str(failure)
        if failure.process in self.without:
            return f"{failure}\n{failure.process} does not run here: it was left out."
        log = self.data_dir / "logs" / f"{failure.process}.log"
        return f"{failure}\nThe end of {log}:\n{tail(log)}"


def _how_to_go_on(cast: Cast, data_dir: Path) -> str:
    return KEPT.format(mentee=cast.mentee_id, mentor=cast.mentor_user_id, profile=cast.mentor_profile_id, data=data_dir)
