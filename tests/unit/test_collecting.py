"""Tests of sparing the garbage collector: seldom while a process starts, as usual afterwards, never what stays."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cli import processes
from cli.processes import Stage

ROOT = Path(__file__).resolve().parents[2]

# A process of its own: what is left alone once is left alone for as long as a process lives.
PROGRAM = """
import gc
from config.collecting import importing, postpone_collecting, settle
usual = gc.get_threshold()
postpone_collecting()
assert gc.isenabled() and gc.get_threshold()[0] > 10 * usual[0]
settle()
assert gc.isenabled() and gc.get_threshold() == usual
assert gc.get_freeze_count() > 1000
with importing():
    assert gc.get_threshold()[0] > 10 * usual[0]
assert gc.get_threshold() == usual
"""


def test_while_starting_it_collects_seldom_and_then_as_usual_but_never_what_was_imported() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


AFTER_AN_ERROR = """
import gc
from config.collecting import importing
usual = gc.get_threshold()
try:
    with importing():
        raise ImportError("for the test")
except ImportError:
    pass
assert gc.get_threshold() == usual
"""
# As celery comes to its commands, and from them to the app.
FLOWER = """
import gc, sys
from config.collecting import postpone_collecting
usual = gc.get_threshold()
postpone_collecting()
import celery.__main__, celery.bin.celery
from celery.app.utils import find_app
assert gc.get_threshold() != usual
app = find_app(sys.argv[1])
assert gc.get_threshold() == usual
assert "flower.app" in sys.modules
assert gc.get_freeze_count() > 50_000, gc.get_freeze_count()
"""


def test_an_import_that_fails_leaves_it_as_usual_too() -> None:
    subprocess.run([sys.executable, "-c", AFTER_AN_ERROR], check=True)


def test_flower_settles_when_it_has_its_app() -> None:
    command = processes.FLOWER.command
    subprocess.run([sys.executable, "-c", FLOWER, command[command.index("--app") + 1]], check=True)


def test_all_that_is_started_with_collecting_postponed_settles() -> None:
    """By the module that says so: another part, or another way to start one, needs a line here, and to settle."""
    settled = {"tutelage": "cli/main.py", "tutelage-worker": "workers/worker.py", "celery": "workers/flower.py"}
    for part in processes.PARTS:
        if part.stage is Stage.SERVER:
            continue  # becomes another program
        source = (ROOT / settled[part.command[0]]).read_text()
        assert {"settle()", "importing()"} & set(re.findall(r"\b(?:settle|importing)\(\)", source))
