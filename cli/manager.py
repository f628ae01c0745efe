"""`python -m cli.manager supervisord.conf PID [--preload]`: supervisord, the process manager behind `tutelage up`.

It removes run.json when it ends, since a killed `up` cannot. With `--preload`, parts are forks of it (cli/forks.py).
"""

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from supervisor import supervisord

from cli.forks import FORKED, METRICS_FOLDER, PRELOAD, preload, reset_signals, run_forked
from config.output import outlive_full_disk


class Options(supervisord.ServerOptions):
    """supervisord's calls of the operating system, with parts that are forks of this process."""

    kept: Collection[int] = ()  # descriptors of preloaded modules, which stay open in forks
    manager = os.getpid()

    def cleanup_fds(self) -> None:
        """Close nothing at a SIGHUP: the numbers may be those of preloaded modules."""

    def fork(self) -> int:
        """Fork. The child closes the manager's descriptors later: an exec closes all, `run_forked` those not kept."""
        if (pid := os.fork()) == 0:
            reset_signals()
            self.minfds = 0
        return pid

    def execve(self, filename: str, argv: list[str], env: Mapping[str, str]) -> None:
        """Become the process of a part: in this fork, or by an exec."""
        if argv[1:2] != [FORKED]:
            os.execve(filename, argv, env)  # noqa: S606 - the commands are the plan's
        os.environ.clear()
        os.environ.update(env)
        run_forked(self.manager, argv[2:], self.kept)


def main() -> None:
    """Run until SIGTERM, which the kernel sends when the parent dies."""
    configuration, parent, *options = sys.argv[1:]
    # For its own files and for the files of every part.
    os.umask(0o077)
    # supervisord reports failed writes of its log to standard error, and an error there would end it.
    outlive_full_disk()
    try:
        if os.getppid() == int(parent):
            if PRELOAD in options:
                Options.kept = preload()
            # Measured parts alone have it, by their configuration; prometheus_client reads it when it is imported.
            os.environ.pop(METRICS_FOLDER, None)
            os.chdir(Path(configuration).parent)
            supervisord.ServerOptions = Options
            supervisord.main(["--nodaemon", "--silent", "--configuration", configuration])
    finally:
        (Path(configuration).parent / "run.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
