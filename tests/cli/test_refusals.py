"""Tests of what no command can do, nor any part of the system: one sentence and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from operator import attrgetter
from pathlib import Path
from subprocess import run

import pytest

from cli.plan import PROGRAMS, Part, Place
from cli.system import MODULES

ROOT = Path(__file__).resolve().parent.parent.parent
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
PLAIN = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}


@pytest.mark.parametrize(
    ("words", "environment", "code", "sentence"),
    [
        ("sweep", {}, 2, "Set DATABASE_URL to a PostgreSQL"),
        ("maintain", {}, 2, "Set DATABASE_URL to a PostgreSQL"),
        ("api", {}, 2, "Set DATABASE_URL to a PostgreSQL"),
        ("deliveries list", {}, 2, "Set DATABASE_URL, or start `tutelage up`"),
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
        ("demo --patience nan", {}, 2, "nan is no number."),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence(
    words: str, environment: dict[str, str], code: int, sentence: str, tmp_path: Path
) -> None:
    require_sentence("cli.main", words.split(), environment, code, sentence, tmp_path)


@pytest.mark.parametrize(
    "part", [each for each in PROGRAMS if each.queue in (None, "sessions")], ids=attrgetter("name")
)
def test_every_part_refuses_settings_in_one_sentence(part: Part, tmp_path: Path) -> None:
    program, *words = part.argv(Place("127.0.0.1", 8000, 5555, 8001, tmp_path))
    environment = {"DATABASE_URL": NOWHERE, "API_THREADS": "many"}
    require_sentence(MODULES[program], words, environment, 2, 'Environment variable "API_THREADS" invalid', tmp_path)


def require_sentence(
    module: str, words: list[str], environment: dict[str, str], code: int, sentence: str, folder: Path
) -> None:
    made = PLAIN | environment | {"PYTHONPATH": str(ROOT)}
    ended = run([sys.executable, "-m", module, *words], env=made, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
