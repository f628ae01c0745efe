"""One PostgreSQL and one Valkey for a whole test run, and databases in them that cost milliseconds.

The process that the user started (xdist's controller, or pytest itself) owns the servers; all others find them by two
environment variables, which workers inherit.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Engine, make_url, select

from cli.embedded import EmbeddedServer, start_postgres
from cli.migrate import upgrade
from models import metadata
from models.engine import set_up_role
from tests.embedded_servers import start_valkey
from tests.log_secrets import LOGS_VARIABLE

POSTGRES_VARIABLE = "TUTELAGE_TEST_POSTGRES"
REDIS_VARIABLE = "TUTELAGE_TEST_REDIS"
TEMPLATE = "tutelage_template"
# All that tests ask comes from one address, as fast as it can; tests of the limits choose their own.
UNLIMITED = {
    "RATE_LIMIT_CALLER": "off",
    "RATE_LIMIT_ADDRESS": "off",
    "RATE_LIMIT_BOOKING": "off",
    "RATE_LIMIT_AUTH_FAILURES": "off",
    "CONNECTIONS_PER_ADDRESS": "0",
}
# Nothing here outlives the run, so nothing needs to reach the disk.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
# Tables of the server, and not of a test.
KEPT = ("clusters",)
# The name of connections that put databases into the state that a test begins with.
PREPARES = "tutelage-prepares"
_EMPTY_EVERY_TABLE = "SELECT pg_temp.empty_every_table()"
# In a function, whose statements are planned once. TRUNCATE would make the files of all tables again.
_MAKE_FUNCTION = (
    "CREATE FUNCTION pg_temp.empty_every_table() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
    + " ".join(f"DELETE FROM {table.name};" for table in metadata.sorted_tables if table.name not in KEPT)
    + " END $$"
)
_PREPARING: dict[str, psycopg.Connection[Any]] = {}


@dataclass(frozen=True)
class Servers:
    """The two servers of a run and the folder they live in."""

    postgres: EmbeddedServer
    valkey: EmbeddedServer
    folder: Path

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder)


def start() -> Servers:
    """Start both servers in a temporary folder and publish their addresses."""
    folder = Path(tempfile.mkdtemp(prefix="tutelage-tests-"))
    # The kernel copies the files of databases, where it can, in less than half of the time.
    method = "clone" if _can_copy_ranges(folder) else "copy"
    postgres = start_postgres(folder / "postgres", settings={**FAST, "file_copy_method": method})
    valkey = start_valkey(folder / "redis")
    os.environ.update(UNLIMITED)
    os.environ[POSTGRES_VARIABLE] = postgres.url
    os.environ[REDIS_VARIABLE] = valkey.url
    os.environ[LOGS_VARIABLE] = str(folder)
    return Servers(postgres, valkey, folder)


def _can_copy_ranges(folder: Path) -> bool:
    """Whether the kernel copies from file to file in this folder, as `file_copy_method = clone` has it on Linux."""
    if not hasattr(os, "copy_file_range"):
        return False
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as target:
        source.write(b"copied")
        source.flush()
        try:
            return os.copy_file_range(source.fileno(), target.fileno(), 6, 0) == 6
        except OSError:
            return False


def redis_url() -> str:
    """The address of the run's Valkey. All tests share it: use a key prefix, or a database number of your own."""
    return os.environ[REDIS_VARIABLE]


def database_address(name: str) -> str:
    """The address of a database of this name in the run's PostgreSQL."""
    return make_url(os.environ[POSTGRES_VARIABLE]).set(database=name).render_as_string(hide_password=False)


def create_database(name: str, template: str = "template1") -> str:
    """Make a database as a copy of another one and return its address."""
    # Written to the log page by page, as is usual, it takes twice as long.
    statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
    _administer(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
    # A role's settings in a database are no part of the template.
    with psycopg.connect(database_address(name), autocommit=True) as db:
        set_up_role(db)
    return database_address(name)


def template_database() -> str:
    """The name of a migrated, empty database to copy, which the first process of a run that asks makes."""
    made = Path(os.environ[LOGS_VARIABLE]) / TEMPLATE
    with _alone(TEMPLATE):
        if not made.exists():
            upgrade(create_database(TEMPLATE))
            made.touch()
    return TEMPLATE


def drop_database(name: str) -> None:
    """Remove a database, also while others are connected to it."""
    if connection := _PREPARING.pop(name, None):
        connection.close()
    _administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def temporary_database(name: str, template: str = "template1") -> Iterator[str]:
    """A database for the time of a `with` block; gives its address."""
    address = create_database(name, template)
    try:
        yield address
    finally:
        drop_database(name)


def empty(engine: Engine) -> None:
    """Delete every row: as good as a new database, and a hundred times as fast."""
    _prepare(engine, _EMPTY_EVERY_TABLE)


def keep_rows(engine: Engine, schema: str, without: Collection[str] = ()) -> str:
    """Move all rows that there are into a new schema, and return the statements that `put_back` takes.

    As good as making them again, and ten times as fast.

    Args:
        without: names of tables whose rows are not kept.
    """
    with engine.begin() as db:
        tables = [table for table in metadata.sorted_tables if table.name not in (*without, *KEPT)]
        filled = [table.name for table in tables if db.execute(select(table).limit(1)).first()]
        db.exec_driver_sql(f"CREATE SCHEMA {schema}")
        for name in filled:
            db.exec_driver_sql(f"CREATE TABLE {schema}.{name} AS TABLE {name}")
    empty(engine)
    return ";".join(f"INSERT INTO {name} OVERRIDING SYSTEM VALUE TABLE {schema}.{name}" for name in filled)


def put_back(engine: Engine, kept: str) -> None:
    """Put the rows of `keep_rows` into empty tables."""
    _prepare(engine, kept)


def _prepare(engine: Engine, statements: str) -> None:
    """Change rows in one round trip, unseen by guards and foreign keys.

    On a connection of its own: one whose replication role changes forgets how statements are planned, and each test
    would have all of its own planned again.
    """
    name = str(engine.url.database)
    try:
        _preparing(name).execute(statements)
    except psycopg.OperationalError:
        if not _PREPARING[name].broken:
            raise
        # A test has ended every connection.
        del _PREPARING[name]
        _preparing(name).execute(statements)


def _preparing(name: str) -> psycopg.Connection[Any]:
    if name not in _PREPARING:
        connection = psycopg.connect(
            database_address(name),
            autocommit=True,
            prepare_threshold=None,
            application_name=PREPARES,
            options="-c session_replication_role=replica",
        )
        connection.execute(_MAKE_FUNCTION)
        _PREPARING[name] = connection
    return _PREPARING[name]


def prepare_data_folder(data_dir: Path) -> None:
    """Make the data folder of a system as an earlier run left it: with a PostgreSQL that is stopped and migrated.

    The first process of a run that asks makes it, and all others copy that.
    """
    shared = Path(os.environ[LOGS_VARIABLE])
    with _alone("cluster"):
        if not (shared / "cluster").exists():
            server = start_postgres(shared / "made" / "postgres", settings=FAST)
            upgrade(server.url)
            server.stop()
            (shared / "made").rename(shared / "cluster")
    data_dir.mkdir()
    # As it is, with its owner.
    subprocess.run(["cp", "-a", shared / "cluster" / "postgres", data_dir], check=True)


@contextmanager
def _alone(work: str) -> Iterator[None]:
    """Do something that all processes of a run share while no other of them does."""
    with (Path(os.environ[LOGS_VARIABLE]) / f"{work}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _administer(statement: sql.Composed) -> None:
    with psycopg.connect(database_address("postgres"), autocommit=True) as db:
        db.execute(statement)
