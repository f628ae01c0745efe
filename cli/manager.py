"""Be supervisord: `python -m cli.manager supervisord.conf PID`, the kept process manager behind `tutelage up`.

It ends with the process that started it, takes its socket's folder along, and hears of a signal or of the end of a part
at once, where supervisord by itself would look once a second.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from supervisor import supervisord
from supervisor.medusa import asyncore_25 as asyncore

from cli.manager_socket import remove_socket
from cli.ordinary_user import die_with_parent
from cli.private import UMASK
from cli.run_file import remove_run


class _Wakes(asyncore.file_dispatcher):
    """One end of a pipe into whose other end Python writes a byte for every signal: supervisord's waiting ends."""

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        # One for each turn of supervisord's loop, which looks at one signal a turn.
        self.recv(1)


def wake_for_signals() -> None:
    """Have every signal that is handled, also that of a child's end, be seen at once."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    _Wakes(reads)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)


def main() -> None:
    """Run until SIGTERM, or until the parent has gone."""
    configuration, parent = sys.argv[1:]
    die_with_parent(signal.SIGTERM)
    # For its own files and for those of every part.
    os.umask(UMASK)
    try:
        if os.getppid() != int(parent):
            sys.exit("The process that started this supervisord has already gone.")
        os.chdir(Path(configuration).parent)
        wake_for_signals()
        supervisord.main(["--nodaemon", "--silent", "--configuration", configuration])
    finally:
        # When `up` was killed, nobody else is left to say that its run.json is not true any more.
        remove_run(Path(configuration).parent)
        remove_socket(Path(configuration).parent)


if __name__ == "__main__":
    main()
