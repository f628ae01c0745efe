"""Tests of sparing the garbage collector: seldom while a process starts, as usual afterwards, never what stays."""

from __future__ import annotations

import subprocess
import sys

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
