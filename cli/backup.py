"""`tutelage backup` and `tutelage restore`: the database as one file, and another database made of it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine

from cli.database import SharedSessions, explained_errors, find_database_url, shares_sessions
from cli.embedded import StartError, postgres_binary, start_postgres, wait_for_postgres
from cli.invariants import require_invariants
from cli.migrate import upgrade
from cli.operator import audit_command
from cli.output import counted
from cli.run_file import DATA_DIR_OPTION, read_run
from cli.system import prepare_data_folder, sole_owner
from config.logging import configure_logging
from config.sealing import Sealer
from config.settings import settings
from infrastructure.operator_policy import operator_policy
from infrastructure.transactions import Transactions
from models.engine import create
from workers.runner import BATCH_SECONDS, DatabaseRunner
from workflows.events import QUEUES
from workflows.events.delivery import DeliveryKey
from workflows.events.record import Wakeup
from workflows.events.repair import cancel_pending, due_keys, end_leases
from workflows.events.subscriptions import Subscriptions, activate_policy
from workflows.privacy.reencryption import SEALED_TABLES, rows_under_unknown_keys

SEND, DISCARD = "send", "discard"
PENDING = click.Choice([SEND, DISCARD])
DISCARDED = "It was discarded when the database was restored."
# Messages to people have no id by which their receivers could discard a repeat; webhooks have.
TO_PEOPLE, TO_PARTNERS = ("mail", "push", "channels"), ("http",)
PAGE_ROWS = 1_000
CONNECT_SECONDS = 10
OTHERS = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'tutelage%' AND pid <> pg_backend_pid() ORDER BY 1
"""
OWN_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"


class NoWakeups:
    """Takes wake-ups while no worker runs: the sweep finds the deliveries later."""

    def put(self, wakeups: Iterable[Wakeup]) -> None:
        """Keep nothing."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@DATA_DIR_OPTION
def backup(file: Path, data_dir: Path) -> None:
    """Write the database into FILE, while the system runs or is stopped.

    The database is named by DATABASE_URL, or lies in the data folder. FILE holds everything but the settings: keep
    ENCRYPTION_KEYS apart from it.
    """
    if file.exists():
        raise click.ClickException(f"{file} exists: name a new file.")
    unfinished = file.with_name(file.name + ".unfinished")
    with server_of(data_dir) as address, explained_errors():
        try:
            run_program("pg_dump", address, f"--file={unfinished}", "--format=custom", "--no-owner")
            # An archive that cannot be listed cannot be restored.
            run_program("pg_restore", address, "--list", str(unfinished), connects=False)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
    click.echo(f"{file}: {file.stat().st_size / 1e6:,.1f} MB.")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--loaded", is_flag=True, help="The database is loaded already, e.g. by recovery to a point in time.")
@click.option("--pending-mails", type=PENDING, default=DISCARD, show_default=True)
@click.option("--pending-webhooks", type=PENDING, default=SEND, show_default=True)
@DATA_DIR_OPTION
def restore(file: Path | None, loaded: bool, pending_mails: str, pending_webhooks: str, data_dir: Path) -> None:
    """Make a database of FILE, ready for the processes to start.

    The database is named by DATABASE_URL, or lies in the data folder. It must be empty, and no process may use it.
    Effects that are due run first, so that each message that the lost system may have sent after the backup is pending
    when this command decides about pending messages. A webhook that is sent again has the id that it had before; a mail
    has none that its reader could see. Exits with 1 when a key is missing or an invariant is violated.
    """
    if loaded == (file is not None):
        raise click.UsageError("Name a FILE, or say --loaded of a database that is loaded already.")
    with server_of(data_dir, new=True) as address, explained_errors():
        configure_logging(level="WARNING", process="restore")
        require_no_process(address)
        if file is not None:
            require_empty(address)
            run_program("pg_restore", address, "--no-owner", "--exit-on-error", "--single-transaction", str(file))
        with psycopg.connect(address, autocommit=True) as db:
            db.execute("SET statement_timeout = 0")
            db.execute("ANALYZE")
        click.echo(f"Loaded, at revision {upgrade(address)}.")
        engine = create(address, pool_size=2, name="tutelage-restore", gives_up=False)
        try:
            require_known_keys(engine)
            _settle_pending(engine, mails=pending_mails, webhooks=pending_webhooks)
            with engine.connect() as reading:
                require_invariants(reading)
        finally:
            engine.dispose()
    click.echo("Ready: start the processes.")


@contextmanager
def server_of(data_dir: Path, *, new: bool = False) -> Iterator[str]:
    """The address of the database of DATABASE_URL or of the data folder, whose server is started if it does not run.

    Args:
        new: whether the folder, or the database of the address, is made where it is missing.

    Raises:
        ClickException: there is no such folder, the server does not answer, or a pooler is before it.
    """
    with ExitStack() as stack:
        if settings().database_url:
            yield _answering(find_database_url(data_dir), new=new)
            return
        data_dir = data_dir.absolute()
        if new:
            prepare_data_folder(data_dir)
        elif not (data_dir / "postgres" / "data").exists():
            raise click.ClickException(f"There is no database in {data_dir}: set DATABASE_URL or --data-dir.")
        try:
            stack.enter_context(sole_owner(data_dir))
        except StartError:
            if read_run(data_dir) is None:
                raise
            # `tutelage up` holds it.
            yield _answering(find_database_url(data_dir))
            return
        server = start_postgres(data_dir / "postgres")
        stack.callback(server.stop)
        yield server.url


def _answering(address: str, *, new: bool = False) -> str:
    if new:
        wait_for_postgres(address, lambda: None, seconds=CONNECT_SECONDS)
    connect = partial(psycopg.connect, address, connect_timeout=CONNECT_SECONDS)
    try:
        with connect(autocommit=True) as one, connect() as other:
            if shares_sessions(one, other):
                raise SharedSessions
    except psycopg.OperationalError as error:
        raise click.ClickException(f"The database cannot be used: {error}".strip()) from error
    return address


def require_empty(address: str) -> None:
    """Raise ClickException where the database has tables already."""
    with psycopg.connect(address) as db:
        row = db.execute(OWN_TABLES).fetchone()
    if row and row[0]:
        raise click.ClickException(
            f"The database has {counted(row[0], 'table', 'tables')}: restore into an empty one."
            " After a load by other means, say --loaded."
        )


def require_no_process(address: str) -> None:
    """Raise ClickException where a process of Tutelage uses the database."""
    with psycopg.connect(address, application_name="restore") as db:
        names = [name for (name,) in db.execute(OTHERS)]
    if names:
        raise click.ClickException(f"Stop every process first: the database is used by {', '.join(names)}.")


def require_known_keys(engine: Engine) -> None:
    """Raise ClickException where stored values are under a key that ENCRYPTION_KEYS lacks."""
    marks = Sealer(settings().encryption_keys).marks
    with engine.begin() as db:
        db.exec_driver_sql("SET LOCAL statement_timeout = 0")
        unknown = {each.table.name: rows_under_unknown_keys(db, each, marks) for each in SEALED_TABLES}
    if any(unknown.values()):
        tables = ", ".join(f"{counted(rows, 'row', 'rows')} of {name}" for name, rows in unknown.items() if rows)
        raise click.ClickException(
            f"ENCRYPTION_KEYS lacks the key of {tables}. Nothing was run or sent: add the key, and run"
            " `tutelage restore --loaded`."
        )


def run_program(name: str, address: str, *options: str, connects: bool = True) -> None:
    """Run pg_dump or pg_restore. Raises ClickException: there is no program of the server's version, or it failed."""
    words, secret = command_of(name, address, *options, connects=connects)
    # The file holds everybody's personal data.
    ended = subprocess.run(words, env={**os.environ, **secret}, capture_output=True, text=True, umask=0o077)
    if ended.returncode:
        raise click.ClickException(f"{name} failed: {ended.stderr.strip()[-2000:]}")


def command_of(name: str, address: str, *options: str, connects: bool = True) -> tuple[list[str], dict[str, str]]:
    """The words of a command, and the variable with the password, which other users of the machine must not see."""
    parameters = conninfo_to_dict(address)
    password = parameters.pop("password", None)
    database = [f"--dbname={make_conninfo('', **parameters)}"] if connects else []
    return [str(program_for(name, address)), *database, *options], {"PGPASSWORD": str(password)} if password else {}


def program_for(name: str, address: str) -> Path:
    """The path of a program of PostgreSQL that reads databases of the server's version: the nearest major version."""
    with psycopg.connect(address) as db:
        wanted = db.info.server_version // 10_000
    found: dict[int, Path] = {}
    for program in _programs(name):
        said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        if major := re.search(r"\) (\d+)", said):
            found.setdefault(int(major[1]), program)
    if not (usable := [major for major in found if major >= wanted]):
        raise click.ClickException(
            f"There is no {name} of PostgreSQL {wanted}: install its client programs (Debian: postgresql-client)."
        )
    return found[min(usable)]


def _programs(name: str) -> Iterator[Path]:
    # An installation without the embedded servers has the machine's own programs alone.
    with suppress(FileNotFoundError):
        yield postgres_binary(name)
    if installed := shutil.which(name):
        yield Path(installed)


def _settle_pending(engine: Engine, *, mails: str, webhooks: str) -> None:
    """Run every database effect that is due, and keep or discard what is then pending for the outside."""
    effects = activate_policy(operator_policy(settings()))
    chosen = {**dict.fromkeys(TO_PEOPLE, mails), **dict.fromkeys(TO_PARTNERS, webhooks)}
    discarded = [each.name for each in effects.outbound_effects() if chosen.get(each.transport) == DISCARD]
    with engine.begin() as db:
        end_leases(db)
    ran = _run_due(engine, effects)
    cancelled = 0
    for name in discarded:
        while (count := _cancel_page(engine, name)) > 0:
            cancelled += count
    audit_command(engine, "database.restored", "restore", {"run": ran, "discarded": cancelled, "effects": discarded})
    click.echo(f"Ran {counted(ran, 'delivery that was', 'deliveries that were')} due.")
    click.echo(f"Discarded {counted(cancelled, 'pending message', 'pending messages')}.")


def _run_due(engine: Engine, effects: Subscriptions) -> int:
    """Run due database effects, and the effects of the events that they record, until none is due; returns how many."""
    runner = DatabaseRunner(Transactions(engine, NoWakeups()), effects, batch_seconds=BATCH_SECONDS)
    names = [each.name for each in effects.database_effects()]
    ran, last = 0, list[DeliveryKey]()
    while True:
        with engine.begin() as db:
            found = {queue: due_keys(db, queue, names, limit=PAGE_ROWS) for queue in QUEUES}
        keys = [key for of_queue in found.values() for key in of_queue]
        # Deliveries of events that this release does not know stay due.
        if not keys or keys == last:
            return ran
        for queue, of_queue in found.items():
            runner.run(queue, of_queue)
        ran, last = ran + len(keys), keys


def _cancel_page(engine: Engine, effect: str) -> int:
    with engine.begin() as db:
        return cancel_pending(db, effect, DISCARDED, limit=PAGE_ROWS)
