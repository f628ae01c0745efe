"""Tests of how the process manager hears of signals: at once, and of each of several that come together."""

from __future__ import annotations

import subprocess
import sys

from cli.servers import ROOT

# A process of its own: where Python reports signals is one for the whole process.
PROGRAM = """
import os, select, signal
from supervisor.medusa import asyncore_25 as asyncore
from cli.manager import wake_for_signals
wake_for_signals()
((number, wakes),) = asyncore.socket_map.items()
def waits() -> bool:
    return not select.select([number], [], [], 0)[0]
assert wakes.readable() and not wakes.writable() and waits()
for each in (signal.SIGTERM, signal.SIGCHLD):
    signal.signal(each, lambda *_: None)
    os.kill(os.getpid(), each)
wakes.handle_read_event()
assert not waits(), "the second one, too"
wakes.handle_read_event()
assert waits()
"""


def test_every_signal_ends_its_waiting_once() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, cwd=ROOT)
