"""A process that has imported a release, and whose forks are its parts: `python forking.py MODULE...`

It runs the code of its release, and so imports nothing of this folder. Each line of its input is in JSON: a list of a
file and the words of a command starts a part that writes there; the id of such a process asks for the code with which
the process has ended. Each answer is a line: the id of the process; its code, or null as long as it runs.
"""

import ctypes
import gc
import json
import os
import runpy
import signal
import sys
from contextlib import suppress
from importlib import import_module

PR_SET_PDEATHSIG = 1


def serve() -> None:
    """Answer until the input ends; returns in each fork, whose command is in `sys.argv` then."""
    server = os.getpid()
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        if isinstance(asked, int):
            ended, status = os.waitpid(asked, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        elif (answer := os.fork()) == 0:
            log, *sys.argv = asked
            become_part(server, log)
            return
        print(json.dumps(answer), flush=True)
    sys.exit()


def become_part(server: int, log: str) -> None:
    """Write to the log, and end with the server."""
    for number, path in enumerate((os.devnull, log)):
        opened = os.open(path, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        # The release may not have each of them.
        with suppress(ModuleNotFoundError):
            import_module(name)
    # A collection would write to each object, and so copy all pages.
    gc.freeze()
    serve()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
