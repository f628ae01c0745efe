"""Tests of parts as forks: what is made before the fork, and how a fork ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.plan import ROOT

PRELOADING = """
import gc, os, threading
import psutil
from cli.forks import preload

kept = preload()
process = psutil.Process()
assert process.num_threads() == threading.active_count() == 1, threading.enumerate()
assert process.net_connections("all") == []
assert gc.get_freeze_count() > 100_000 and gc.isenabled()
files = {os.path.basename(file.path).partition("_")[0] for file in process.open_files() if file.fd > 2}
assert files <= {"counter", "gauge", "histogram", "summary"}, files
assert 0 in kept
"""
FORKING = """
import os, sys
from pathlib import Path
from cli.forks import reset_signals, run_forked

log, module, *words = sys.argv[1:]
manager, held = os.getpid(), os.open("/dev/null", os.O_RDONLY)
if (pid := os.fork()) == 0:
    reset_signals()
    run_forked(manager, [log, "TERM", module, *words], {0, 1, 2})
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
"""
PROGRAM = """
import atexit, os, sys, threading, time
from pathlib import Path

def main():
    atexit.register(print, "written at the end")
    opened = [file for file in list(Path("/proc/self/fd").iterdir()) if file.exists()]
    print(len(opened), Path("/proc/self/comm").read_text().strip(), sys.argv[1:])
    threading.Thread(target=lambda: (time.sleep(0.1), print("a thread ends"))).start()
    {end}
"""


def test_preloading_makes_nothing_that_forks_must_not_share(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", PRELOADING], cwd=ROOT, env=environment, check=True)


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("return", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('a refusal')", 1, "a refusal"),
        ("raise ValueError('a defect')", 1, "ValueError: a defect"),
    ],
)
def test_a_fork_ends_as_a_program_does(tmp_path: Path, end: str, code: int, said: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.replace("{end}", end))
    log = tmp_path / "sweep.log"
    log.write_text("before\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path))), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-P", "-c", FORKING, str(log), "program", "--host", "a b"]
    ended = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert ended.stdout == f"{code}\n"
    written = log.read_text()
    assert written.startswith("before\n3 sweep ['--host', 'a b']\n")
    assert "a thread ends\nwritten at the end\n" in written
    assert said in written
