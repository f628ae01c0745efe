"""The README, run from top to bottom: its commands, in their order, against the system that its `make up` starts."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.plan import ROOT
from cli.run_file import Run
from tests.cli.running import END_SECONDS, Up
from tests.docs.pages import DOCS, README, blocks, table
from tests.eventually import eventually

MAKE = [block.strip() for block in blocks(README, "bash") if block.startswith("make ")]
STAND_IN = Path(__file__).parent / "stand_in"
WORDS, *STEPS = [block for block in blocks(README, "bash") if not block.startswith("make ")]


@dataclass(frozen=True)
class Running:
    """The running system, and the environment of a user's shell."""

    run: Run
    environment: dict[str, str]

    def shell(self, commands: str) -> str:
        """Run them in the project's folder, up to the first that fails, which fails the test; returns what they say."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=END_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def running(up: Up) -> Running:
    """The system, and the environment in which the pages' commands find it."""
    assert MAKE == ["make demo", "make up"]
    run = up.run()
    own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    found = {"API": str(run["api"]["url"]), "DATABASE_URL": run["database_url"], "DATA": str(up.data_dir)}
    # A machine with Python and make alone has no curl.
    found["PATH"] = os.pathsep.join([own["PATH"], str(STAND_IN)])
    return Running(run, {**own, **found})


def test_the_first_session_is_held_with_its_effects(running: Running) -> None:
    said = running.shell(WORDS + "".join(STEPS))
    scheduled, started, completed, effects = (json.loads(line) for line in said.splitlines() if line)
    assert [session["status"] for session in (scheduled, started, completed)] == [
        "scheduled",
        "in_progress",
        "completed",
    ]
    assert completed["actionItems"] == ["Write down three goals"]
    assert {"sessions.create", "reviews.unlock", "notifications.session_completed"} <= {
        item["effect"] for item in effects["items"]
    }


def test_the_commands_to_look_after_it_do_what_they_should(running: Running) -> None:
    arguments = {
        "seed": "--mentors 2 --mentees 4",
        "doctor": "--data-dir $DATA",
        "deliveries": "list",
        "backup": "$DATA/tutelage.dump",
        "import": "$DATA/people.ndjson",
    }
    person = {"type": "user", "externalId": "1", "email": "grace@example.org", "name": "Grace"}
    people = Path(running.environment["DATA"]) / "people.ndjson"
    # The data folder is checked elsewhere: only its owner can read its files.
    people.touch(mode=0o600)
    people.write_text(json.dumps(person))
    named = [row[0].split()[1] for row in table(README, "command", "does") if row[0].startswith("tutelage ")]
    assert sorted(named) == [
        *("backup", "deliveries", "doctor", "effects", "import", "invariants", "reencrypt", "seed")
    ]
    for name in named:
        running.shell(f".venv/bin/tutelage {name} {arguments.get(name, '')}")


def test_the_other_pages_commands_say_that_all_is_well(running: Running) -> None:
    assert "Violations" in running.shell("".join(blocks(DOCS / "durability.md", "bash")))
    assert running.shell("".join(blocks(DOCS / "running.md", "bash"))).count(".") == 2


def test_the_analytics_pages_commands_show_numbers_that_are_right(running: Running) -> None:
    operator = 'operator="Authorization: Bearer $(.venv/bin/tutelage token --operator)"\n'
    said = running.shell(WORDS + operator + "".join(blocks(DOCS / "analytics.md", "bash")))
    assert '"nextCursor":null' in said
    assert "mentorProfileId,mentorName,created" in said


def test_the_mails_are_where_the_readme_says(running: Running) -> None:
    folder = Path(running.environment["DATA"]) / "mail"
    assert eventually(lambda: list(folder.glob("*.eml")) or None, "a mail")
