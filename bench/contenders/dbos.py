"""DBOS Transact as a contender: durable workflows in a process of their own, on a fresh database."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import ROOT, spending
from cli.embedded import EmbeddedServer, start_postgres

NAME, QUEUED = "DBOS", "DBOS, queued"
APPLICATION = "bench.contenders.dbos_app"
LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Done:
    """Result of a run; processor seconds are of its process and of PostgreSQL."""

    count: int
    seconds: float
    processor_seconds: float

    @property
    def per_second(self) -> float:
        """The rate."""
        return self.count / self.seconds


@dataclass
class Dbos:
    """Its database, with the tables of the usual application in it."""

    postgres: EmbeddedServer
    environment: dict[str, str]

    def run(self, mode: str, count: int) -> Done:
        """Run so many workflows: `lives`, or of a backlog `direct` or `queued`.

        Raises:
            RuntimeError: the program failed; with what it said.
        """
        command = [sys.executable, "-m", APPLICATION, mode, str(count)]
        environment = {**os.environ, **self.environment}
        with spending({"postgres": self.postgres.process.pid}) as spent:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
            )
        if done.returncode != 0:
            raise RuntimeError(f"DBOS ended with {done.returncode}:\n{done.stderr[-3000:]}")
        told = json.loads(done.stdout.strip().splitlines()[-1])
        return Done(count, told["seconds"], told["processor_seconds"] + spent.total)


@contextmanager
def running_dbos(folder: Path, hook: str) -> Iterator[Dbos]:
    """A PostgreSQL with the tables; arguments as for the usual application."""
    mails = folder / "mail"
    mails.mkdir(parents=True)
    postgres = start_postgres(folder / "postgres")
    try:
        environment = {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": "redis://127.0.0.1:1/0",  # nothing is queued there
            "MAIL_FOLDER": str(mails),
            "HOOK": hook,
        }
        tables = [sys.executable, "-m", "bench.contenders.usual_app"]
        subprocess.run(tables, cwd=ROOT, env={**os.environ, **environment}, check=True)
        yield Dbos(postgres, environment)
    finally:
        postgres.stop()
