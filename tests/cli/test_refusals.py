"""Tests of what no command can do, nor any part of the system: one sentence and an exit code, never a traceback."""

import json
import os
import socket
import sys
from operator import attrgetter
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from cli.plan import PROGRAMS, Part, Place
from cli.system import MODULES

ROOT = Path(__file__).resolve().parent.parent.parent
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
PLAIN = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
# One process for all: each would import everything again.
INVOKE = """
import json, sys
from click.testing import CliRunner
from cli.main import main
from config.settings import settings

for words, environment, *_expected in json.load(sys.stdin):
    settings.cache_clear()
    ended = CliRunner().invoke(main, words.split(), env=environment)
    defect = None if isinstance(ended.exception, SystemExit) else repr(ended.exception)
    print(json.dumps([ended.exit_code, ended.stderr, defect]))
"""
CASES: list[tuple[str, dict[str, str], int, str]] = [
    ("sweep", {}, 2, "Set DATABASE_URL to a PostgreSQL"),
    ("maintain", {}, 2, "Set DATABASE_URL to a PostgreSQL"),
    ("api", {}, 2, "Set DATABASE_URL to a PostgreSQL"),
    ("up --data-dir /dev/null/x", {}, 1, "The data folder /dev/null/x cannot be used: Not a directory."),
    ("deliveries list --data-dir /dev/null/x", {}, 1, "run.json cannot be read: Not a directory."),
    ("deliveries list", {}, 2, "nothing runs in .data (--data-dir names another)."),
    ("migrate", {"DATABASE_URL": "mysql://db"}, 2, "DATABASE_URL must read postgresql://"),
    ("sweep", {"DATABASE_URL": "postgresql://db:port/x"}, 2, "DATABASE_URL must read postgresql://"),
    ("sweep", {"REDIS_URL": "localhost"}, 2, "REDIS_URL must read redis://"),
    *((words, {"DATABASE_URL": NOWHERE}, 1, "The database cannot be used: connection failed") for words in (
        "migrate", "migrate --revert 1", "invariants", "seed", "effects backfill", "deliveries retry --all-dead",
    )),
    ("api --host localhost", {}, 2, "localhost is no IP address."),
    ("token --operator --hours nan", {}, 2, "nan is no number."),
    ("token --operator --hours inf", {}, 2, "inf is not in the range"),
    ("token --operator --hours 1e12", {}, 2, "is not in the range"),
    ("demo --timeout nan", {}, 2, "nan is no number."),
    ("api --port {taken}", {"DATABASE_URL": NOWHERE}, 1, "cannot listen on 127.0.0.1, port"),
    *((f"api --host {host}", {"DATABASE_URL": NOWHERE, "IDENTITY_HEADERS": "open"}, 1, "listens on loopback alone")
      for host in ("::", "0.0.0.0")),
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The exit code, standard error and unhandled exception of each case."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(
            [sys.executable, "-c", INVOKE],
            input=json.dumps(CASES).replace("{taken}", str(taken.getsockname()[1])),
            env=PLAIN | {"PYTHONPATH": str(ROOT)},
            cwd=tmp_path_factory.mktemp("refusals"),
            capture_output=True,
            text=True,
            check=True,
        )
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case[0] for case in CASES])
def test_a_refusal_is_one_sentence(outcomes: list[Any], number: int) -> None:
    _words, _environment, code, sentence = CASES[number]
    ended, said, defect = outcomes[number]
    assert (ended, defect) == (code, None), said
    assert sentence in said


def test_open_headers_are_for_loopback_alone(outcomes: list[Any]) -> None:
    said = {
        words: said
        for (words, environment, *_expected), (_ended, said, _defect) in zip(CASES, outcomes, strict=True)
        if environment.get("IDENTITY_HEADERS") == "open"
    }
    assert said.keys() == {"api --host ::", "api --host 0.0.0.0"}
    assert all("listens on loopback alone" in sentence for sentence in said.values())


@pytest.mark.parametrize(
    "part", [each for each in PROGRAMS if each.queue in (None, "sessions")], ids=attrgetter("name")
)
def test_every_part_refuses_settings_in_one_sentence(part: Part, tmp_path: Path) -> None:
    program, *words = part.argv(Place("127.0.0.1", 8000, 5555, 8001, tmp_path))
    environment = {"DATABASE_URL": NOWHERE, "API_THREADS": "many"}
    made = PLAIN | environment | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", MODULES[program], *words]
    ended = run(command, env=made, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    assert 'Environment variable "API_THREADS" invalid' in ended.stderr
    assert "Traceback" not in ended.stderr
