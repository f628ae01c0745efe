"""`tutelage demo`: the main job, end to end, against the whole running system."""

import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import click
import urllib3

from cli.demonstration.booking import (
    Participants,
    book,
    check_invariants,
    check_page,
    check_stored,
    hold_session,
    pause_endpoint,
    register_participants,
)
from cli.demonstration.component import book_in_a_page, demo_page
from cli.demonstration.course import run_course
from cli.demonstration.receivers import Mailbox, open_mailbox, open_receiver
from cli.demonstration.run import DemoFailed, DemoRun, Output
from cli.plan import TOGETHER
from cli.run_file import DATA_DIR_OPTION, PositiveNumber
from cli.system import System, running_system, tail
from config.settings import settings
from models.engine import create

INTERRUPTED = 130
ADDRESSES = """
  API         {api}
  API docs    {api}/api/docs
  Flower      {flower}
  Booking     {page}
"""
NEXT = """What to do next
  make demo KEEP=1    run it again, and leave everything running to look around
  make up             run the system; ARGS='--data-dir elsewhere' has data of its own
  tutelage seed       fill a running system with mentors, mentees and bookings
  tutelage token      a token for calls of your own: tutelage token --operator"""
KEPT = """Everything is left running. Press Ctrl-C to stop.
  As the mentee:  tutelage token --user {mentee}
  As the mentor:  tutelage token --user {mentor} \\
                    --mentor {profile}
  Another shell:  tutelage seed --data-dir {data}"""


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--port", default=0, help="Of the API; a free one by default.")
@click.option("--flower-port", default=0, help="Of Flower; a free one by default.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave out a part, e.g. flower, to see what is missing.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=PositiveNumber(3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="The longest wait for a result.",
)
@DATA_DIR_OPTION
def demo(
    keep: bool, port: int, flower_port: int, without: tuple[str, ...], timeout_seconds: float, data_dir: Path
) -> None:
    """Start everything and run the main job: request, accept, session, start, complete, and all that follows."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    this_run = _Demo(Output(), data_dir.absolute(), port, flower_port, without, timeout_seconds)
    try:
        with ExitStack() as stack:
            this_run.run(stack, keep=keep)
    except KeyboardInterrupt:
        click.echo("Stopped.")
        if not this_run.succeeded:
            raise click.exceptions.Exit(INTERRUPTED) from None
    except DemoFailed as failure:
        # The failure was printed before the system was stopped.
        raise click.exceptions.Exit(1) from failure


@dataclass
class _Demo:
    """The options of the command line, and whether every step succeeded."""

    output: Output
    data_dir: Path
    port: int
    flower_port: int
    without: tuple[str, ...]
    timeout_seconds: float
    succeeded: bool = False

    def run(self, stack: ExitStack, *, keep: bool) -> None:
        """Set up, run the steps, and report; the stack takes everything down in the opposite order."""
        began = monotonic()
        arrival = threading.Event()
        mailbox = stack.enter_context(open_mailbox(arrival))
        receiver = stack.enter_context(open_receiver(arrival))
        system = self._start(stack, mailbox)
        http = stack.enter_context(urllib3.PoolManager(maxsize=2))
        run = DemoRun(self.output, system.plan.api_url, http, mailbox, receiver, arrival, self.timeout_seconds)
        try:
            people = self._run_steps(stack, run, system)
        except DemoFailed as failure:
            self.output.line(f"\nError: {failure}")
            self.output.line(self._explain(failure), wrapped=False)
            raise
        self.succeeded = True
        url = system.plan.api_url
        self.output.line(ADDRESSES.format(api=url, flower=system.plan.flower_url, page=demo_page(url)))
        self.output.line(f"Every step came out as promised, in {monotonic() - began:.0f} seconds.")
        if not keep:
            self.output.line(NEXT)
            return
        ids = {"mentee": people.mentee_id, "mentor": people.mentor_user_id, "profile": people.mentor_profile_id}
        self.output.line(KEPT.format(**ids, data=self.data_dir))
        system.wait()

    def _start(self, stack: ExitStack, mailbox: Mailbox) -> System:
        self.output.heading("The whole system starts")
        environment = {"SMTP_URL": mailbox.url, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        began = monotonic()
        with self.output.waiting("PostgreSQL, Valkey, the API, a worker per queue, the sweep, maintenance, Flower …"):
            system = stack.enter_context(
                running_system(
                    data_dir=self.data_dir,
                    port=self.port,
                    flower_port=self.flower_port,
                    without=self.without,
                    environment=environment,
                    say=self.output.line,
                )
            )
        took = (monotonic() - began) * 1000
        names = ", ".join(entry["name"] for entry in system.run["processes"])
        self.output.step(f"ready: {names}", by="tutelage", milliseconds=took)
        return system

    def _run_steps(self, stack: ExitStack, run: DemoRun, system: System) -> Participants:
        engine = create(system.plan.database_url, pool_size=1, name="tutelage-demo")
        stack.callback(engine.dispose)
        people = register_participants(run, engine)
        stack.callback(pause_endpoint, run, people)
        booked = book(run, people)
        hold_session(run, people, booked)
        check_stored(run, people, booked, engine)
        run_course(run, engine)
        if system.plan.environment["COMPONENT_DEMO"] == "tokens":
            book_in_a_page(run, engine)
        check_invariants(run, people.operator)
        self.output.heading("Pages to open")
        check_page(run, f"{system.plan.api_url}/api/docs", "the API's documentation", "api")
        if system.plan.has("flower"):
            check_page(run, f"{system.plan.flower_url}/healthcheck", "Flower", "flower")
        return people

    def _explain(self, failure: DemoFailed) -> str:
        """The end of the log of the part that failed, with its lines unchanged."""
        if failure.process is None:
            return ""
        if failure.process in self.without:
            return f"{failure.process} does not run here: it was left out."
        together = failure.process.startswith("worker-") and settings().workers == "together"
        log = self.data_dir / "logs" / f"{TOGETHER.name if together else failure.process}.log"
        return f"The end of {log}:\n{tail(log)}"
